//! A crowd that only wants to fill tables: each fills, and none overflows.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::process;
use crate::interface::{Announcement, Command, Role, Timer};
use crate::machine::{Input, LinkDown, Machine};
use crate::member::{Keys, MemberRecord, SignedRecord};
use crate::message::{GossipBatch, MembershipEvent, Message};
use crate::plain_keys::PlainKeys;
use crate::time::Duration;
use crate::{ClusterId, ClusterRecord, Instant, Overlay, OverlayConfig, ProcessId};

/// More than fits into any table, but for those of news and links.
const CROWD: u64 = 1_500;

struct Victim {
    overlay: Overlay,
    now: Instant,
    /// The most that each table ever had, and its limit.
    most: BTreeMap<&'static str, (usize, usize)>,
}

impl Victim {
    fn new() -> Self {
        let mut config = OverlayConfig::default();
        let membership = Arc::make_mut(&mut config.membership);
        membership.members_max = 100;
        membership.relays_max = 8;
        membership.newcomer = Duration::ZERO;
        Arc::make_mut(&mut config.connections).contacts_max = 16;
        let me = process(0, 1);
        let keys = Box::new(PlainKeys(me.peer));
        let overlay = Overlay::new(config, keys, me, Role::Member, 1);
        let mut victim = Self {
            overlay,
            now: Instant::from_micros(1),
            most: BTreeMap::new(),
        };
        victim.input(Input::Command(Command::Announce(Announcement {
            addresses: vec!["/memory/0".into()],
            ..Announcement::default()
        })));
        victim
    }

    fn input(&mut self, input: Input<Command, Message, Timer>) {
        let mut out = Vec::new();
        self.now = self.now + Duration::from_micros(10);
        self.overlay.handle(self.now, input, &mut out);
        for table in self.overlay.tables() {
            assert!(table.holds(), "{table:?}");
            let (most, _) = self.most.entry(table.name).or_insert((0, table.cap));
            *most = table.len.max(*most);
        }
    }

    fn receive(&mut self, from: ProcessId, message: Message) {
        self.input(Input::Received { from, message });
    }

    fn gossip(&mut self, event: MembershipEvent) {
        let batch = GossipBatch {
            events: vec![event],
            cluster: None,
        };
        self.input(Input::Command(Command::Gossip(batch.encode())));
    }

    fn filled(&self, name: &str) {
        let (most, cap) = self.most[name];
        assert_eq!(most, cap, "{name}: the flood must reach the limit");
    }
}

fn record(number: u64) -> SignedRecord {
    let keys = PlainKeys::numbered(number);
    let record = MemberRecord {
        process: ProcessId {
            peer: keys.peer(),
            incarnation: process(number, 1).incarnation,
        },
        sequence: 1,
        addresses: vec!["/memory/1".into()],
        kinds: Vec::new(),
        capacity: 0,
        load: 0,
        primaries: 0,
        labels: Vec::new(),
        leaving: false,
        stamp: 1,
    };
    SignedRecord::sign(&record, &keys)
}

fn foreign(number: u64) -> ClusterRecord {
    ClusterRecord {
        id: ClusterId(number.into()),
        founder: process(number, 1),
        founded_at_ms: number * 1_000_000,
        root_version: 1,
        root: Bytes::new(),
    }
}

#[test]
fn members_of_a_crowd_stay_within_the_limits() {
    let mut victim = Victim::new();
    for number in 1..CROWD {
        victim.gossip(MembershipEvent::Alive(record(number)));
    }
    victim.filled("members");
    // Observers that all doubt one member, and members that are all doubted.
    let suspect = |suspect, observer| MembershipEvent::Suspect {
        process: process(suspect, 1),
        sequence: 1,
        observer: process(observer, 1),
        refused: false,
    };
    for number in 3..CROWD {
        victim.gossip(suspect(2, number));
        victim.gossip(suspect(number, 2));
    }
    victim.filled("suspicions.votes");
    let (cases, cap) = victim.most["suspicions.cases"];
    assert!(cases + 3 >= cap, "{cases} of {cap}");
}

#[test]
fn introductions_and_dials_stay_within_the_limits() {
    let mut victim = Victim::new();
    for number in 1..CROWD {
        victim.input(Input::Command(Command::Introduce(vec![record(number)])));
        let (peer, reason) = (process(number, 1).peer, LinkDown::Refused);
        victim.input(Input::Command(Command::DialFailed { peer, reason }));
        victim.receive(
            process(number, 1),
            Message::List {
                records: vec![record(number + CROWD)],
                cluster: None,
            },
        );
    }
    victim.filled("contacts");
    victim.filled("dials");
}

#[test]
fn what_a_crowd_asks_for_stays_within_the_limits() {
    let mut victim = Victim::new();
    victim.gossip(MembershipEvent::Alive(record(1)));
    for number in 2..CROWD {
        let from = process(number, 1);
        victim.input(Input::LinkUp(from));
        victim.receive(from, Message::ClusterRequest);
        let (nonce, target) = (number, process(1, 1));
        victim.receive(from, Message::ProbeRequest { nonce, target });
    }
    victim.filled("founding.askers");
    victim.filled("probes.relayed");
    victim.receive(process(1, 1), Message::Cluster(foreign(1)));
    for number in 2..CROWD {
        victim.receive(process(number, 1), Message::Cluster(foreign(number)));
    }
    victim.filled("founding.conflicts");
    assert_eq!(victim.most["links"].0, victim.most["ungreeted"].0);
}

#[test]
fn greetings_of_a_crowd_stay_within_the_limits() {
    let mut victim = Victim::new();
    for number in 1..CROWD {
        let from = process(number, 1);
        victim.input(Input::LinkUp(from));
        victim.receive(
            from,
            Message::Greeting {
                record: Some(record(number)),
                digest: crate::message::Digest::default(),
                cluster: None,
            },
        );
        victim.receive(from, Message::Goodbye { sequence: 1 });
    }
    victim.filled("members");
    victim.filled("news.relays");
}

#[test]
fn refused_connections_of_a_crowd_stay_within_the_limits() {
    let mut victim = Victim::new();
    for number in 1..CROWD {
        let process = process(number, 1);
        victim.input(Input::LinkUp(process));
        victim.receive(
            process,
            Message::Greeting {
                record: Some(record(number)),
                digest: crate::message::Digest::default(),
                cluster: None,
            },
        );
        let reason = LinkDown::Refused;
        victim.input(Input::LinkDown { process, reason });
    }
    victim.filled("news.doubts");
}

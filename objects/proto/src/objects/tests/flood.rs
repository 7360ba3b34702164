//! A crowd that only wants to fill tables: each fills, and none overflows.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Incarnation, Input, Instant, LinkDown, Machine, PeerId, ProcessId};

use super::cluster::{Cluster, KIND, number};
use super::executor::Numbers;
use crate::caller::HandleId;
use crate::config::{Limits, ObjectsConfig};
use crate::execution::{CallChain, Codec, RootId};
use crate::machine::Event;
use crate::message::{
    Ask, CallRequest, Change, Message, Outbox, Position, RegisterMessage, Request, Sighting,
    Status, Value,
};
use crate::mode::Mode;
use crate::object::{Ballot, Configuration, Epoch, MethodId, ObjectId, Replica, Version};
use crate::objects::Objects;
use crate::outcome::Outcome;
use crate::session::Sessions;

/// More than fits into any table.
const CROWD: u64 = 200;

fn process(number: u64) -> ProcessId {
    let mut peer = [1; 32];
    peer[..8].copy_from_slice(&number.to_be_bytes());
    ProcessId {
        peer: PeerId(peer),
        incarnation: Incarnation(1),
    }
}

/// The victim.
fn me() -> ProcessId {
    process(0)
}

fn small() -> ObjectsConfig {
    let mut config = ObjectsConfig {
        limits: Limits {
            objects: 24,
            tombstones: 16,
            watches: 8,
            askers: 8,
            repairs: 4,
            moves: 8,
            creations: 4,
            leased: 4,
            survey_hosts: 8,
            recoveries: 2,
            deliveries: 2,
        },
        ..ObjectsConfig::default()
    };
    config.client.places = 8;
    config
}

struct Victim {
    machine: Objects,
    now: Instant,
    /// The most that each table ever had, and its limit.
    most: BTreeMap<&'static str, (usize, usize)>,
}

impl Victim {
    fn new() -> Self {
        let methods = Arc::new(Numbers::default());
        Self {
            machine: Objects::new(small(), me(), methods, 1),
            now: Instant::from_micros(1),
            most: BTreeMap::new(),
        }
    }

    fn receive(&mut self, from: ProcessId, message: Message) {
        let mut out = Vec::new();
        let input = Input::Received { from, message };
        self.machine.handle(self.now, input, &mut out);
        self.machine.check_invariants();
        for table in self.machine.tables() {
            let (most, _) = self.most.entry(table.name).or_insert((0, table.cap));
            *most = table.len.max(*most);
        }
    }

    fn filled(&self, name: &str) {
        let (most, cap) = self.most[name];
        assert_eq!(most, cap, "{name}: the flood must reach the limit");
    }
}

fn set(members: &[u64]) -> Configuration {
    let member = |number: &u64| Replica {
        process: process(*number),
        stamp: 1,
    };
    Configuration {
        epoch: Epoch::default(),
        members: members.iter().map(member).collect(),
        forks: Vec::new(),
        seal: None,
    }
}

fn install(object: u64, configuration: Configuration) -> Message {
    let value = Value {
        mode: Mode::Strong,
        kind: KIND.into(),
        kind_version: 1,
        factor: 3,
        state: number(0),
        sessions: Sessions::default(),
        outbox: Outbox::default(),
        status: Status::Live,
    };
    Message::Register {
        object: ObjectId(object.into()),
        message: RegisterMessage::Accept {
            epoch: configuration.epoch,
            ballot: Ballot {
                round: 1,
                member: 0,
            },
            version: Version(0),
            change: Change::Full {
                configuration,
                value,
            },
        },
    }
}

fn read(object: u64, id: u64) -> Message {
    Message::Request(Request {
        id,
        object: ObjectId(object.into()),
        kind: MethodId::of(KIND),
        attempt: 0,
        budget: Duration::from_secs(5),
        ask: Ask::Call(CallRequest {
            method: MethodId::of("get"),
            write: false,
            codec: Codec::Cbor,
            position: Position::Unordered,
            chain: CallChain {
                root: RootId {
                    began: id,
                    call: id.into(),
                },
                call: id.into(),
                holds: Vec::new(),
            },
            arguments: Bytes::new(),
        }),
    })
}

#[test]
fn objects_and_tombstones_of_a_crowd_stay_within_their_limits() {
    let mut victim = Victim::new();
    for one in 1..CROWD {
        victim.receive(process(one), install(one, set(&[one, 0, one + 1])));
    }
    victim.filled("replicas");
    victim.filled("replicas.by_primary");
    for one in 1..CROWD {
        let object = ObjectId(one.into());
        let message = RegisterMessage::Retire {
            epoch: Epoch::default(),
            sighting: Sighting::Deleted,
        };
        victim.receive(process(one), Message::Register { object, message });
        victim.receive(process(one), install(one + CROWD, set(&[one, 0, one + 1])));
    }
    let (most, cap) = victim.most["tombstones.graves"];
    assert!(most + 1 >= cap, "{most} of {cap}");
}

#[test]
fn doubts_that_a_crowd_tells_stay_within_their_limits() {
    let mut victim = Victim::new();
    for suspect in 1..CROWD {
        for asker in [suspect + 1, suspect + 2, 1_000] {
            let suspect = process(suspect + 500);
            victim.receive(process(asker), Message::AskSilence { suspect });
        }
    }
    victim.filled("watches");
    let suspect = process(501);
    for asker in 1..CROWD {
        victim.receive(process(asker), Message::AskSilence { suspect });
    }
    victim.filled("watches.askers");
    for silent in [true, false] {
        for one in 1..CROWD {
            victim.receive(process(one), Message::Silence { suspect, silent });
        }
    }
    victim.filled("watches.confirmed");
    victim.filled("watches.denied");
}

#[test]
fn calls_of_a_crowd_stay_within_the_queue() {
    let mut victim = Victim::new();
    victim.receive(process(1), install(1, set(&[0, 1, 2])));
    for id in 1..2_000 {
        victim.receive(process(1 + id % 50), read(1, id));
    }
    victim.filled("queue");
}

#[test]
fn grants_that_a_crowd_asks_for_stay_within_their_limits() {
    let mut victim = Victim::new();
    let term = Duration::from_secs(3);
    for one in 1..CROWD {
        victim.receive(process(one), install(one, set(&[one, 0, one + 1])));
        let number = one;
        victim.receive(process(one), Message::RenewLease { number, term });
        let message = RegisterMessage::Check {
            epoch: Epoch::default(),
            ballot: Ballot {
                round: 1,
                member: 0,
            },
            round: one,
            lease: term,
        };
        let object = ObjectId(one.into());
        victim.receive(process(one), Message::Register { object, message });
    }
    let (most, _) = victim.most["grants"];
    assert!((1..=24).contains(&most), "{most}: one per primary here");
}

#[test]
fn what_is_told_of_an_object_that_is_called_stays_within_the_limits() {
    let mut cluster = Cluster::new(1, 3);
    let (made, _) = cluster.create(0, 0);
    let node = cluster.members(made.id)[0];
    for other in 0..cluster.nodes.len() {
        if other != node {
            cluster.freeze(other);
        }
    }
    cluster.invoke(node, cluster.invocation(&made, "add", 1));
    let mut most: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in 1..400 {
        let mut configuration = set(&[one, one + 1, one + 2]);
        configuration.epoch.number = one;
        let sightings = [
            Sighting::Unknown,
            Sighting::Member {
                configuration,
                primary: None,
            },
        ];
        for sighting in sightings {
            let object = made.id;
            let message = Message::Here { object, sighting };
            let from = process(one);
            cluster.input(node, Input::Received { from, message });
        }
        let reason = LinkDown::Unreachable;
        let process = process(one);
        cluster.input(node, Input::LinkDown { process, reason });
        for table in cluster.nodes[node].machine.tables() {
            let (known, _) = most.entry(table.name).or_insert((0, table.cap));
            *known = table.len.max(*known);
        }
    }
    let (candidates, cap) = most["place.candidates"];
    assert_eq!(candidates, cap);
}

/// Reads run beside a method that takes long, and their answers wait for a round that does not
/// begin while it runs.
#[test]
fn answers_of_reads_beside_a_long_method_are_bounded_and_all_arrive() {
    let mut cluster = Cluster::new(1, 3);
    let (made, _) = cluster.create(0, 5);
    let primary = cluster.primary(made.id).unwrap();
    let slow = cluster.invoke(0, cluster.invocation(&made, "slow_add", 1));
    cluster.run(Duration::from_millis(5));
    let mut reads = Vec::new();
    for handle in 10..610 {
        let mut invocation = cluster.invocation(&made, "get", 0);
        invocation.handle = HandleId(handle);
        reads.push(cluster.invoke(0, invocation));
    }
    let mut most = 0;
    for _ in 0..40 {
        cluster.run(Duration::from_millis(1));
        let tables = cluster.nodes[primary].machine.tables();
        let answers = tables.filter(|table| table.name == "answers");
        most = answers.map(|table| table.len).fold(most, usize::max);
    }
    assert_eq!(most, 256, "the limit of answers that wait");
    assert!(matches!(cluster.wait(0, slow), Outcome::Returned(_)));
    for read in reads {
        assert!(matches!(cluster.wait(0, read), Outcome::Returned(_)));
    }
    let failed = |event: &Event| matches!(event, Event::Lost { .. });
    assert_eq!(cluster.count(primary, failed), 0);
}

//! What members say to each other, altered: no decoder and no machine comes to harm, no table
//! overflows, and nobody talks a member out of its own view.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use fuzz::{Dice, altered, dice, noisy, seeds, swollen};
use rand::RngExt;
use rand::seq::IndexedRandom;

use super::{Recorded, World, content};
use crate::directory::{Bundle, DirectoryRecord, ObjectKey, SignedDirectoryRecord};
use crate::interface::{Command, Event, LostCause, Role, Timer};
use crate::member::{Keys, MemberRecord, SignedRecord};
use crate::message::{GossipBatch, MembershipEvent};
use crate::plain_keys::PlainKeys;
use crate::registry::{Answer, Call, Leases, LeasesConfig, Request};
use crate::time::Duration;
use crate::{ClusterRecord, Input, Instant, LinkDown, Message, ProcessId};

/// Members of a world, a client besides.
const MEMBERS: u64 = 5;
/// Recorded messages of one form: otherwise most are probes.
const PER_FORM_MAX: usize = 64;

fn world() -> World {
    let mut world = World::new();
    world.recorded = Some(Recorded::default());
    let all = world.cluster(MEMBERS);
    world.start(MEMBERS, 1, Role::Client, Some(all[0]));
    world.input(all[1], Input::Command(Command::NeedCluster));
    world.run(Duration::from_secs(5));
    world
}

/// Everything that a cluster says while members come, die and leave.
fn recorded() -> Recorded {
    let mut world = world();
    let all: Vec<ProcessId> = world.nodes.keys().copied().collect();
    world.kill(all[2]);
    world.run(Duration::from_secs(10));
    world.input(all[1], Input::Command(Command::Leave));
    world.start(9, 1, Role::Member, Some(all[0]));
    world.run(Duration::from_secs(20));
    let mut forms: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    let Recorded { messages, batches } = world.recorded.unwrap();
    for message in messages {
        let words = alloc::format!("{message:?}");
        let name = words.split(|c: char| !c.is_alphanumeric()).next();
        let kept = forms.entry(name.unwrap_or_default().into()).or_default();
        if kept.len() < PER_FORM_MAX {
            kept.push(message);
        }
    }
    assert!(forms.len() >= 9, "{:?}", forms.keys());
    let messages = forms.into_values().flatten().collect();
    Recorded { messages, batches }
}

fn records(recorded: &Recorded) -> Vec<SignedRecord> {
    let events = recorded.batches.iter().flat_map(|batch| &batch.events);
    let records = events.filter_map(|event| match event {
        MembershipEvent::Alive(record) => Some(record.clone()),
        _ => None,
    });
    records.collect()
}

fn clusters(recorded: &Recorded) -> Vec<ClusterRecord> {
    let clusters = recorded.batches.iter();
    clusters.filter_map(|batch| batch.cluster.clone()).collect()
}

/// One decoder: what the bytes came to, encoded again, is the same; and the recordings for it.
struct Decoder {
    recordings: Vec<Vec<u8>>,
    again: fn(&[u8]),
}

macro_rules! decoder {
    ($recordings:expr, $type:ty, $encode:expr) => {
        Decoder {
            recordings: $recordings,
            again: |bytes| {
                if let Ok(value) = <$type>::decode(bytes) {
                    let encoded: Vec<u8> = $encode(&value).into();
                    assert_eq!(<$type>::decode(&encoded).as_ref(), Ok(&value));
                }
            },
        }
    };
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    crate::codec::encode(value).unwrap()
}

fn decoders() -> Vec<Decoder> {
    let recorded = recorded();
    let (records, clusters) = (records(&recorded), clusters(&recorded));
    let calls = records.iter().map(|record| Call {
        cluster_name: "pydo".into(),
        request: Request::Register {
            record: record.clone(),
            lease_s: 30,
            cluster: clusters.first().cloned(),
            limit: 8,
        },
    });
    let answers = records.chunks(3).map(|records| Answer::List {
        records: records.to_vec(),
        cluster: clusters.first().cloned(),
    });
    let bundle = Bundle {
        records: (0..3).map(directory_record).collect(),
    };
    vec![
        decoder!(
            recorded.messages.iter().map(Message::encode).collect(),
            Message,
            Message::encode
        ),
        decoder!(
            recorded.batches.iter().map(encoded).collect(),
            GossipBatch,
            GossipBatch::encode
        ),
        decoder!(
            clusters.iter().map(encoded).collect(),
            ClusterRecord,
            encoded
        ),
        decoder!(
            calls.map(|call| call.encode()).collect(),
            Call,
            Call::encode
        ),
        decoder!(
            answers.map(|one| one.encode()).collect(),
            Answer,
            Answer::encode
        ),
        decoder!(vec![bundle.encode()], Bundle, Bundle::encode),
    ]
}

fn directory_record(number: u64) -> SignedDirectoryRecord {
    let keys = PlainKeys::numbered(number);
    let record = DirectoryRecord {
        object: ObjectKey([7; 16]),
        signer: keys.peer(),
        sequence: number,
        epoch: vec![1].into(),
        value: vec![2, 3].into(),
    };
    SignedDirectoryRecord::sign(&record, &keys)
}

#[test]
fn altered_bytes_harm_no_decoder() {
    for decoder in decoders() {
        for recording in &decoder.recordings {
            (decoder.again)(recording);
        }
        for seed in seeds(60) {
            let mut dice = dice(seed);
            for _ in 0..60 {
                (decoder.again)(&noisy(&mut dice, &decoder.recordings));
                (decoder.again)(&swollen(&mut dice, &decoder.recordings));
            }
        }
    }
}

/// The registry's file on disk, damaged: what is taken from it is still within the limits.
#[test]
fn a_damaged_snapshot_is_refused_or_read_within_the_limits() {
    let config = LeasesConfig::default();
    let keys = PlainKeys::numbered(0);
    let now = Instant::from_micros(1);
    let mut leases = Leases::new(config.clone(), 1);
    for record in records(&recorded()) {
        let register = Request::Register {
            record,
            lease_s: 30,
            cluster: None,
            limit: 8,
        };
        leases.answer(now, "10.0.0.1", &register, &keys);
    }
    assert!(leases.len() > 3);
    let snapshot = [leases.snapshot()];
    for seed in seeds(200) {
        let mut dice = dice(seed);
        let mut restored = Leases::new(config.clone(), 1);
        let taken = restored.restore(now, &noisy(&mut dice, &snapshot), &keys);
        assert!(taken.unwrap_or_default() <= leases.len());
        let mut again = Leases::new(config.clone(), 1);
        assert_eq!(
            again.restore(now, &restored.snapshot(), &keys),
            Ok(restored.len())
        );
    }
}

/// A record that its member might sign if it were malicious.
fn forged(dice: &mut Dice, records: &[SignedRecord]) -> SignedRecord {
    let claims: Vec<MemberRecord> = records
        .iter()
        .filter_map(|record| record.claim().ok())
        .map(|record| MemberRecord::clone(record))
        .collect();
    let record = altered(dice, &claims);
    SignedRecord::sign(&record, &PlainKeys(record.process.peer))
}

fn any_input(
    dice: &mut Dice,
    recorded: &Recorded,
    from: ProcessId,
) -> Input<Command, Message, Timer> {
    let reasons = [LinkDown::Closed, LinkDown::Refused, LinkDown::Unreachable];
    let reason = *reasons.choose(dice).unwrap();
    let records = records(recorded);
    match dice.random_range(0..12) {
        0 => Input::LinkUp(from),
        1 => Input::LinkDown {
            process: from,
            reason,
        },
        2 => Input::Command(Command::Gossip(noise_of(dice, recorded).into())),
        3 | 4 => {
            let mut batch = altered(dice, &recorded.batches);
            batch
                .events
                .push(MembershipEvent::Alive(forged(dice, &records)));
            Input::Command(Command::Gossip(batch.encode()))
        }
        5 => Input::Command(Command::Introduce(vec![forged(dice, &records)])),
        6 => Input::Received {
            from,
            message: Message::List {
                records: vec![forged(dice, &records)],
                cluster: None,
            },
        },
        _ => {
            let message = altered(dice, &recorded.messages);
            Input::Received { from, message }
        }
    }
}

fn noise_of(dice: &mut Dice, recorded: &Recorded) -> Vec<u8> {
    let batches: Vec<Vec<u8>> = recorded.batches.iter().map(encoded).collect();
    noisy(dice, &batches)
}

/// The world checks after every input that no table overflows and that one input makes few
/// outputs.
#[test]
fn whatever_arrives_members_come_to_no_harm_and_stay_in_their_own_view() {
    let recorded = recorded();
    for seed in seeds(40) {
        let mut dice = dice(seed);
        let mut world = world();
        world.recorded = None;
        for _ in 0..100 {
            for _ in 0..4 {
                let all: Vec<ProcessId> = world.nodes.keys().copied().collect();
                let (to, from) = (
                    *all.choose(&mut dice).unwrap(),
                    *all.choose(&mut dice).unwrap(),
                );
                if to != from {
                    let input = any_input(&mut dice, &recorded, from);
                    world.input(to, input);
                }
            }
            world.run(Duration::from_millis(dice.random_range(0..1_000)));
        }
        for (process, node) in &world.nodes {
            let own = Event::Lost {
                process: *process,
                cause: LostCause::Dead,
            };
            assert!(
                !node.events.iter().any(|(_, event)| *event == own),
                "seed {seed}"
            );
            let in_view = node.overlay.view().process(process).is_some();
            assert_eq!(in_view, node.role == Role::Member, "seed {seed}");
        }
        let last = *world.nodes.keys().next().unwrap();
        world.input(last, Input::Command(Command::Announce(content(1))));
    }
}

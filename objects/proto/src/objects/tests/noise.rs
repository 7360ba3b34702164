//! What real runs say, altered: no decoder and no machine comes to harm, and no table overflows.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use fuzz::{Dice, altered, dice, noisy, seeds, swollen};
use overlay_proto::{Duration, Incarnation, Input, LinkDown, PeerId, ProcessId};
use rand::RngExt;
use rand::seq::IndexedRandom;

use super::cluster::{Cluster, State};
use crate::caller::HandleId;
use crate::directory::SlotRecord;
use crate::frame;
use crate::machine::{Command, Event, Ticket};
use crate::message::{Message, StateChange};
use crate::mode::Mode;
use crate::reads::Reads;
use crate::reference::RawRef;

const HOSTS: usize = 5;
const METHODS: [&str; 6] = ["add", "get", "refuse", "slow_add", "defer", "relay"];
/// Recorded messages of one form: otherwise most are pings.
const PER_FORM_MAX: usize = 48;

/// A cluster under load, of the kind that this seed has.
fn cluster(seed: u64) -> (Cluster, Vec<RawRef>) {
    let reads = [Reads::Quorum, Reads::Lease][usize::from(seed % 2 == 1)];
    let mut cluster = Cluster::reading(reads, seed, HOSTS);
    cluster.executor.deterministic = seed % 4 >= 2;
    if seed % 8 >= 6 {
        cluster.mode = Mode::Weak;
    }
    cluster.sent = Some(Vec::new());
    let made = (0..2).map(|_| cluster.create(0, 0).0).collect();
    (cluster, made)
}

fn call(cluster: &mut Cluster, dice: &mut Dice, made: &[RawRef]) {
    let callers: Vec<usize> = cluster.living().collect();
    let Some(caller) = callers.choose(dice).copied() else {
        return;
    };
    let target = made.choose(dice).unwrap();
    let argument = made.choose(dice).unwrap().id.0 as u64;
    let method = METHODS.choose(dice).unwrap();
    let mut invocation = cluster.invocation(target, method, argument);
    invocation.handle = HandleId(dice.random_range(1..4));
    cluster.invoke(caller, invocation);
}

fn trouble(cluster: &mut Cluster, dice: &mut Dice) {
    let victim = dice.random_range(1..cluster.nodes.len());
    match (cluster.nodes[victim].state, dice.random_range(0..4)) {
        (State::Running, 0) => {
            cluster.kill(victim);
            cluster.restart(victim);
        }
        (State::Running, 1) => cluster.freeze(victim),
        (State::Running, 2) => cluster.drain(victim),
        (State::Frozen, _) => cluster.thaw(victim),
        _ => {}
    }
}

/// Messages of some runs, of each form a few.
fn recorded() -> Vec<Message> {
    let mut forms: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    for seed in 0..8 {
        let mut dice = dice(seed);
        let (mut cluster, made) = cluster(seed);
        for _ in 0..30 {
            call(&mut cluster, &mut dice, &made);
            if dice.random_bool(0.2) {
                trouble(&mut cluster, &mut dice);
            }
            cluster.run(Duration::from_millis(dice.random_range(1..2_000)));
        }
        for message in cluster.sent.unwrap() {
            let kept = forms.entry(form(&message)).or_default();
            if kept.len() < PER_FORM_MAX {
                kept.push(message);
            }
        }
    }
    assert!(forms.len() >= 25, "{:?}", forms.keys());
    forms.into_values().flatten().collect()
}

/// The names of a message's variants.
fn form(message: &Message) -> String {
    let words = format!("{message:?}");
    let upper = |word: &&str| word.starts_with(char::is_uppercase);
    let names = words.split(|c: char| !c.is_alphanumeric()).filter(upper);
    names.take(5).collect()
}

fn survives(frame: Vec<u8>) {
    let Ok(message) = frame::decode(Bytes::from(frame)) else {
        return;
    };
    if let Ok(again) = frame::encode(&message) {
        assert_eq!(frame::decode(again), Ok(message));
    }
}

#[test]
fn frames_of_real_runs_survive_and_altered_ones_do_no_harm() {
    let recorded = recorded();
    let frames: Vec<Vec<u8>> = recorded
        .iter()
        .map(|message| frame::encode(message).unwrap().to_vec())
        .collect();
    for (message, frame) in recorded.iter().zip(&frames) {
        let frame = Bytes::copy_from_slice(frame);
        assert_eq!(frame::decode(frame).as_ref(), Ok(message));
    }
    for seed in seeds(60) {
        let mut dice = dice(seed);
        for _ in 0..500 {
            survives(noisy(&mut dice, &frames));
            survives(swollen(&mut dice, &frames));
        }
        for _ in 0..50 {
            if let Ok(frame) = frame::encode(&altered(&mut dice, &recorded)) {
                survives(frame.to_vec());
            }
        }
    }
}

#[test]
fn altered_references_and_directory_records_do_no_harm() {
    let (mut cluster, made) = cluster(0);
    cluster.run(Duration::from_secs(5));
    let references: Vec<Vec<u8>> = made
        .iter()
        .map(|one| serde_json::to_vec(one).unwrap())
        .collect();
    let record = |one: &RawRef| {
        let set = one.configuration.as_deref().unwrap();
        SlotRecord::new(one.id.slot(), set.processes())
    };
    let records: Vec<SlotRecord> = made.iter().map(record).collect();
    let encoded: Vec<Vec<u8>> = records
        .iter()
        .map(|one| one.encode().unwrap().to_vec())
        .collect();
    for seed in seeds(60) {
        let mut dice = dice(seed);
        for _ in 0..100 {
            let json = noisy(&mut dice, &references);
            if let Ok(reference) = serde_json::from_slice::<RawRef>(&json) {
                let again = serde_json::to_vec(&reference).unwrap();
                assert_eq!(serde_json::from_slice::<RawRef>(&again).unwrap(), reference);
            }
            let bytes = noisy(&mut dice, &encoded);
            if let Some(record) = SlotRecord::decode(made[0].id.slot(), &bytes) {
                let again = record.encode();
                let back = again.and_then(|bytes| SlotRecord::decode(record.slot, &bytes));
                assert_eq!(back, Some(record));
            }
        }
    }
}

/// A difference from another peer, applied to a state that it may not fit.
#[test]
fn altered_differences_make_no_state_that_was_not_meant() {
    let old: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
    let mut new = old.clone();
    new[20_000] ^= 1;
    new.splice(30_000..30_100, [7; 200]);
    let (old, new) = (Bytes::from(old), Bytes::from(new));
    let change = StateChange::between(&old, Some(&new));
    assert!(matches!(change, StateChange::Delta(_)));
    for seed in seeds(200) {
        let mut dice = dice(seed);
        let altered = altered(&mut dice, &[change.clone(), StateChange::Kept]);
        if let (StateChange::Delta(_), Some(state)) = (&altered, altered.applied_to(&old)) {
            assert_eq!(state, new, "the digest guards the difference");
        }
    }
}

fn any_command(cluster: &Cluster, dice: &mut Dice, made: &[RawRef]) -> Command {
    let target = made.choose(dice).unwrap().clone();
    let ticket = Ticket(dice.random_range(0..400));
    let timeout = Duration::from_millis(dice.random_range(0..3_000));
    let executions = cluster.nodes.iter().flat_map(|node| &node.events);
    let executions = executions.filter_map(|event| match event {
        Event::Execute(execution) => Some(execution),
        _ => None,
    });
    let executions: Vec<_> = executions.collect();
    match dice.random_range(0..9) {
        0 => Command::Cancel(ticket),
        1 => Command::Release(HandleId(dice.random_range(0..5))),
        2 => Command::Recover { ticket, target },
        3 => Command::Inspect {
            ticket,
            target,
            timeout,
        },
        4 if dice.random_bool(0.1) => Command::Delete {
            ticket,
            target,
            timeout,
        },
        5 => Command::DirectoryFound {
            object: target.id,
            records: vec![Bytes::from_static(b"noise"); 3],
        },
        6 => Command::Stopped,
        7 if !executions.is_empty() => {
            let execution = *executions.choose(dice).unwrap();
            Command::Executed(crate::execution::Executed {
                object: target.id,
                key: execution.key,
                ran: Vec::new(),
            })
        }
        _ => Command::ClockStopped,
    }
}

fn any_process(cluster: &Cluster, dice: &mut Dice) -> ProcessId {
    if dice.random_bool(0.1) {
        let number = dice.random_range(200..=255);
        return ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(dice.random_range(0..3)),
        };
    }
    cluster.nodes.choose(dice).unwrap().process
}

/// One input that nobody in the cluster would make.
fn disturb(cluster: &mut Cluster, dice: &mut Dice, made: &[RawRef], recorded: &[Message]) {
    let node = dice.random_range(0..cluster.nodes.len());
    let from = any_process(cluster, dice);
    if from == cluster.nodes[node].process {
        return;
    }
    let reasons = [LinkDown::Closed, LinkDown::Refused, LinkDown::Unreachable];
    let input = match dice.random_range(0..20) {
        0 => Input::Command(any_command(cluster, dice, made)),
        1 => Input::LinkUp(from),
        2 => Input::LinkDown {
            process: from,
            reason: *reasons.choose(dice).unwrap(),
        },
        _ => {
            let sent = cluster.sent.as_deref().unwrap_or_default();
            let live = sent.get(sent.len().saturating_sub(500)..).unwrap_or(sent);
            let pool = if dice.random_bool(0.1) || live.is_empty() {
                recorded
            } else {
                live
            };
            let message = altered(dice, pool);
            // What does not fit into a frame never arrives.
            let Ok(message) = frame::encode(&message).and_then(frame::decode) else {
                return;
            };
            Input::Received { from, message }
        }
    };
    cluster.input(node, input);
}

/// The cluster checks after every input that no record contradicts itself, that no table
/// overflows, and that one input makes few outputs.
#[test]
fn whatever_arrives_no_machine_comes_to_harm() {
    let recorded = recorded();
    for seed in seeds(60) {
        let mut dice = dice(seed);
        let (mut cluster, made) = cluster(seed);
        for _ in 0..60 {
            call(&mut cluster, &mut dice, &made);
            for _ in 0..10 {
                disturb(&mut cluster, &mut dice, &made, &recorded);
            }
            if dice.random_bool(0.1) {
                trouble(&mut cluster, &mut dice);
            }
            cluster.run(Duration::from_millis(dice.random_range(0..400)));
        }
        cluster.run(Duration::from_secs(20));
    }
}

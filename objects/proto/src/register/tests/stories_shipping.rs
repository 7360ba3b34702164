//! Stories of large states: what travels instead of them, and what a backup does with it.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::story::*;
use super::world::*;
use crate::frame;
use crate::message::{Change, Message, RegisterMessage, Reply, StateChange};
use crate::object::{MethodId, Version};
use crate::register::{Mutation, Note};

const STATE_BYTES: usize = 64 * 1024;

fn large(hosts: usize, members: &[usize]) -> Story {
    let mut story = Story::with_state(hosts, members, Bytes::from(vec![7; STATE_BYTES]));
    // The first value of an epoch always travels whole.
    returned(&story.append(0, 1, 1));
    story
}

/// What a state change on its way is, and the bytes of its frame.
fn shipped(message: &Message) -> Option<(&'static str, usize)> {
    let Message::Register {
        message: RegisterMessage::Accept { change, .. },
        ..
    } = message
    else {
        return None;
    };
    let form = match change {
        Change::Full { .. } => "full",
        Change::Kept { .. } => "none",
        Change::Step { state, .. } => match state {
            StateChange::Kept => "kept",
            StateChange::Whole(_) => "whole",
            StateChange::Delta(_) => "delta",
            StateChange::Replay(_) => "replay",
        },
    };
    Some((form, frame::encode(message).expect("a frame").len()))
}

/// What is on its way to a host.
fn under_way(story: &Story, to: usize) -> Vec<(&'static str, usize)> {
    let bag = story.world.bag.iter();
    bag.filter(|envelope| envelope.to == process(to))
        .filter_map(|envelope| shipped(&envelope.message))
        .collect()
}

/// Asks for a call and lets the primary run it, so that what it ships is under way.
fn ship(story: &mut Story, method: &str, number: u64, tag: u32) -> u64 {
    let id = story.ask(0, 0, call(method, numbered(number), tag));
    let request = story.world.bag.pop().expect("the request");
    story.world.deliver(request);
    story.world.execute(0);
    id
}

fn version(story: &Story, host: usize) -> Version {
    let held = story.world.replica(host).value();
    held.map(|(_, version, _)| version).expect("a value")
}

fn state(story: &Story, host: usize) -> Bytes {
    let held = story.world.replica(host).value();
    held.map(|(_, _, value)| value.state.clone())
        .expect("a value")
}

fn replayed(story: &Story, host: usize) -> usize {
    let notes = story.notes(host).iter();
    notes.filter(|note| **note == Note::Replayed).count()
}

fn differed(story: &Story, host: usize) -> usize {
    let differs = Note::ReplayDiffered(MethodId::of("guess"));
    story
        .notes(host)
        .iter()
        .filter(|note| **note == differs)
        .count()
}

#[test]
fn a_small_change_of_a_large_state_costs_a_small_frame() {
    let mut story = large(3, &[0, 1, 2]);
    let id = ship(&mut story, "append", 2, 9);
    for backup in [1, 2] {
        let [("delta", bytes)] = under_way(&story, backup)[..] else {
            panic!("{:?}", under_way(&story, backup));
        };
        assert!(bytes * 100 < STATE_BYTES, "{bytes} bytes");
    }
    story.flow();
    assert!(story.reply(id).is_some());
    for backup in [1, 2] {
        assert_eq!(state(&story, backup), state(&story, 0));
        assert!(story.notes(backup).contains(&Note::DeltaStored));
    }
}

#[test]
fn a_small_state_is_shipped_whole() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    ship(&mut story, "fill", 2, 9);
    assert!(matches!(under_way(&story, 1)[..], [("whole", _)]));
}

/// The second backup misses one step; gives its state and the primary's after the next one.
fn step_on_another_base(mutation: Option<Mutation>) -> (Bytes, Bytes) {
    let mut story = large(3, &[0, 1, 2]);
    story.cut = vec![2];
    ship(&mut story, "stamp", 2, 8);
    story.world.bag.retain(|envelope| envelope.to != process(2));
    story.flow();
    story.world.mutation = mutation;
    story.cut.clear();
    ship(&mut story, "stamp", 3, 9);
    assert!(matches!(under_way(&story, 2)[..], [("delta", _)]));
    let lost = |envelope: &Envelope| envelope.to == process(0) && envelope.from == process(2);
    while let Some(place) = story.world.bag.iter().position(|one| !lost(one)) {
        let envelope = story.world.bag.remove(place);
        story.world.deliver(envelope);
    }
    if mutation.is_none() {
        story.flow();
    }
    (state(&story, 2), state(&story, 0))
}

#[test]
fn a_difference_from_another_base_is_not_applied() {
    let (backup, primary) = step_on_another_base(None);
    assert_eq!(backup, primary);
    let (backup, primary) = step_on_another_base(Some(Mutation::DeltasUnchecked));
    assert_ne!(
        backup, primary,
        "the story does not test what it is told for"
    );
}

#[test]
fn calls_travel_instead_of_what_they_make_and_are_answered_once_run() {
    let mut story = large(3, &[0, 1, 2]);
    story.held = vec![1, 2];
    let id = ship(&mut story, "fill", 2, 9);
    for backup in [1, 2] {
        let [("replay", bytes)] = under_way(&story, backup)[..] else {
            panic!("{:?}", under_way(&story, backup));
        };
        assert!(bytes * 100 < STATE_BYTES, "{bytes} bytes");
    }
    story.flow();
    assert_eq!(
        story.reply(id),
        None,
        "a backup answered before it ran the call"
    );
    assert_eq!(version(&story, 1), Version(2));
    story.held = vec![2];
    story.flow();
    assert!(story.reply(id).is_some(), "a majority has run it");
    story.held.clear();
    story.flow();
    for backup in [1, 2] {
        assert_eq!(state(&story, backup), state(&story, 0));
        assert_eq!(version(&story, backup), Version(3));
        assert_eq!(replayed(&story, backup), 1);
    }
}

#[test]
fn a_call_that_is_not_deterministic_falls_back_to_the_state() {
    let mut story = large(3, &[0, 1, 2]);
    let id = ship(&mut story, "guess", 2, 9);
    assert!(matches!(under_way(&story, 1)[..], [("replay", _)]));
    story.flow();
    assert!(story.reply(id).is_some());
    for backup in [1, 2] {
        assert_eq!(state(&story, backup), state(&story, 0));
        assert_eq!((replayed(&story, backup), differed(&story, backup)), (0, 1));
    }
    ship(&mut story, "guess", 3, 9);
    assert!(
        matches!(under_way(&story, 1)[..], [("whole", _)]),
        "what differed once is not tried with every call"
    );
    story.flow();
    assert_eq!(differed(&story, 1), 1);
}

/// The states of primary and backup after a call that is not deterministic, the backup's answer
/// and nothing more.
fn states_behind_an_answer(mutation: Option<Mutation>) -> Option<(Bytes, Bytes)> {
    let mut story = large(3, &[0, 1, 2]);
    story.world.mutation = mutation;
    story.cut = vec![2];
    story.held = vec![1];
    let id = ship(&mut story, "guess", 2, 9);
    story.flow();
    let answered = story.reply(id).is_some();
    story.world.execute(1);
    answered.then(|| (state(&story, 1), state(&story, 0)))
}

#[test]
fn a_backup_that_answers_first_votes_for_another_state() {
    assert_eq!(states_behind_an_answer(None), None);
    let (backup, primary) = states_behind_an_answer(Some(Mutation::ReplayAnswersFirst))
        .expect("the story does not test what it is told for");
    assert_ne!(backup, primary);
}

#[test]
fn a_round_does_not_wait_for_a_backup_that_runs_nothing() {
    let mut story = large(3, &[0, 1, 2]);
    story.held = vec![1, 2];
    let id = ship(&mut story, "fill", 2, 9);
    story.flow();
    story.pass(300);
    assert!(
        story.reply(id).is_some(),
        "the state was sent after a while"
    );
    story.held.clear();
    story.flow();
    for backup in [1, 2] {
        assert_eq!(state(&story, backup), state(&story, 0));
        assert_eq!(replayed(&story, backup), 0, "its result came too late");
    }
}

#[test]
fn what_comes_behind_a_replay_waits_for_it() {
    let mut story = large(3, &[0, 1, 2]);
    story.held = vec![2];
    for number in 2..6 {
        let method = if number == 3 { "append" } else { "fill" };
        assert!(matches!(
            story.call(0, method, numbered(number), number as u32),
            Reply::Done { .. }
        ));
    }
    assert_eq!(version(&story, 2), Version(2));
    assert!(
        under_way(&story, 2).is_empty(),
        "nobody asked for the whole value"
    );
    story.held.clear();
    story.flow();
    assert_eq!(version(&story, 2), Version(6));
    assert_eq!(state(&story, 2), state(&story, 0));
    assert_eq!(replayed(&story, 2), 3);
}

#[test]
fn too_much_behind_a_replay_ends_it() {
    let mut story = large(3, &[0, 1, 2]);
    story.held = vec![2];
    for number in 2..14 {
        story.call(0, "fill", numbered(number), number as u32);
    }
    assert_eq!(state(&story, 2), state(&story, 0));
    story.held.clear();
    story.flow();
    assert_eq!(replayed(&story, 2), 0);
    assert_eq!(version(&story, 2), version(&story, 0));
}

#[test]
fn a_host_without_the_kind_gets_the_state() {
    let mut story = large(3, &[0, 1, 2]);
    story.world.hosts[2].hosts = false;
    story.call(0, "fill", numbered(2), 9);
    story.flow();
    assert_eq!(state(&story, 2), state(&story, 0));
    assert_eq!((replayed(&story, 1), replayed(&story, 2)), (1, 0));
}

#[test]
fn a_replay_counts_for_nothing_once_its_ballot_is_over() {
    let mut story = large(3, &[0, 1, 2]);
    story.held = vec![1, 2];
    let id = ship(&mut story, "fill", 2, 9);
    story.flow();
    story.cut = vec![0];
    story.stand(1);
    story.held.clear();
    story.flow();
    assert_eq!(story.world.active(), [0, 1]);
    assert_eq!(version(&story, 1), Version(2), "the call was not chosen");
    assert_eq!(story.reply(id), None);
    assert_eq!((replayed(&story, 1), replayed(&story, 2)), (0, 0));
}

/// What the second backup is sent by the first one once that has its promise, and the primary is
/// gone.
fn offered_by_a_successor(story: &mut Story) -> Vec<(&'static str, usize)> {
    story.cut = vec![0];
    story.world.at(1, |replica, env, fx| replica.stand(env, fx));
    for _ in ["prepare", "promise"] {
        for envelope in core::mem::take(&mut story.world.bag) {
            if ![envelope.from, envelope.to].contains(&process(0)) {
                story.world.deliver(envelope);
            }
        }
    }
    under_way(story, 2)
}

#[test]
fn a_successor_sends_no_state_to_who_promised_with_the_same_one() {
    let mut story = large(3, &[0, 1, 2]);
    let [("none", bytes)] = offered_by_a_successor(&mut story)[..] else {
        panic!("{:?}", under_way(&story, 2));
    };
    assert!(bytes * 100 < STATE_BYTES, "{bytes} bytes");
    story.flow();
    returned(&story.append(1, 2, 8));
    assert_eq!(state(&story, 2), state(&story, 1));
}

#[test]
fn a_successor_sends_the_state_to_who_promised_with_an_older_one() {
    let mut story = large(3, &[0, 1, 2]);
    story.cut = vec![2];
    returned(&story.append(0, 2, 8));
    let offered = offered_by_a_successor(&mut story);
    assert!(matches!(offered[..], [("full", _)]), "{offered:?}");
    story.flow();
    assert_eq!(state(&story, 2), state(&story, 1));
}

#[test]
fn a_successor_sends_again_what_it_holds_in_full() {
    let mut story = large(3, &[0, 1, 2]);
    offered_by_a_successor(&mut story);
    story.world.bag.clear();
    story.world.pass(300);
    story.world.at(1, |replica, env, fx| replica.tick(env, fx));
    assert!(matches!(under_way(&story, 2)[..], [("full", _)]));
    story.flow();
    returned(&story.append(1, 2, 8));
    assert_eq!(state(&story, 2), state(&story, 1));
}

//! Stories of hosts that forget: what was left is not entered again, what goes on goes on.

use alloc::vec::Vec;

use super::story::*;
use super::world::*;
use crate::message::{Ask, Change, Message, RegisterMessage, Value};
use crate::object::{Ballot, Configuration, Version};
use crate::register::{Mutation, Note};

/// The value and the set that a host holds, as its first primary would install them.
fn install(story: &Story, index: usize) -> RegisterMessage {
    let replica = story.world.replica(index);
    let (_, version, value) = replica.value().unwrap_or_else(|| panic!("no value"));
    accept(replica.configuration().clone(), version, value.clone())
}

fn accept(configuration: Configuration, version: Version, value: Value) -> RegisterMessage {
    RegisterMessage::Accept {
        epoch: configuration.epoch,
        ballot: Ballot {
            round: 1,
            member: 0,
        },
        version,
        change: Change::Full {
            configuration,
            value,
        },
    }
}

/// Epoch 1 is {0, 1, 2} and sleeps at 2; the object moves to {3, 4, 5}; 0 and 1 forget; 2 wakes
/// and stands. The hosts that are primaries then.
fn a_sleeper_wakes(mutation: Option<Mutation>) -> (Story, Vec<usize>) {
    let mut story = Story::new(6, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = Vec::from([2]);
    move_to(&mut story, 0, &[3, 4, 5]);
    story.append(3, 2, 8);
    for old in [0, 1] {
        assert!(story.world.forget(old));
    }
    story.cut.clear();
    story.world.mutation = mutation;
    story.stand(2);
    story.pass(500);
    let active = story.world.active();
    (story, active)
}

#[test]
fn a_sleeper_that_outlived_the_tombstones_does_not_revive_its_epoch() {
    let (mut story, active) = a_sleeper_wakes(None);
    assert_eq!(active, [3]);
    assert!((0..3).all(|old| story.world.hosts[old].replica.is_none()));
    let outlived = |note: &Note| matches!(note, Note::Outlived(_));
    assert!(story.notes(2).iter().any(outlived));
    assert_eq!(story.list(3), [7, 8]);
}

#[test]
fn without_the_floor_it_would() {
    let (_, active) = a_sleeper_wakes(Some(Mutation::FloorIgnored));
    assert_eq!(active, [2, 3], "one object, two primaries");
}

#[test]
fn an_install_that_comes_after_the_deletion_was_forgotten_makes_nothing() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let delayed = install(&story, 0);
    let position = numbered(1);
    story.ask(0, 0, Ask::Delete { position });
    story.flow();
    for member in 0..3 {
        assert!(story.world.forget(member));
        let install = delayed.clone();
        story
            .world
            .send_register(caller(), process(member), install);
    }
    let answers = story.world.bag.len();
    for _ in 0..answers {
        let envelope = story.world.bag.remove(0);
        story.world.deliver(envelope);
    }
    let refused = |envelope: &Envelope| {
        let Message::Register { message, .. } = &envelope.message else {
            return false;
        };
        matches!(message, RegisterMessage::Forgotten { .. }) && envelope.to == caller()
    };
    assert_eq!(story.world.bag.iter().filter(|one| refused(one)).count(), 3);
    assert!((0..3).all(|member| story.world.hosts[member].replica.is_none()));
}

#[test]
fn a_member_goes_from_set_to_set_whatever_its_floor() {
    let mut story = Story::new(4, &[0, 1, 2]);
    for host in &mut story.world.hosts {
        (host.floor, host.stamp) = (1_000, 1_000);
    }
    let mut next = prepare_next(&mut story, 0, &[0, 1, 3]);
    let mut members = next.members.to_vec();
    members[1].stamp = 1;
    next.members = members.into();
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    story.flow();
    for member in [0, 1, 3] {
        let epoch = story.world.replica(member).configuration().epoch;
        assert_eq!(epoch.number, 2, "{member}");
    }
    assert!(story.world.hosts[2].replica.is_none());
}

#[test]
fn a_learner_enters_under_the_stamp_that_it_was_issued_whatever_its_floor() {
    let mut story = Story::new(4, &[0, 1, 2]);
    let next = prepare_next(&mut story, 0, &[0, 1, 3]);
    let late = &mut story.world.hosts[3];
    (late.floor, late.stamp) = (1_000, 1_000);
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    story.flow();
    assert_eq!(story.world.replica(3).configuration().epoch.number, 2);
}

#[test]
fn a_learner_that_forgot_while_a_proposal_waited_is_not_sealed_in() {
    let mut story = Story::new(4, &[0, 1, 2]);
    story.append(0, 1, 7);
    let outdated = prepare_next(&mut story, 0, &[0, 3]);
    let issued = outdated.members[1].stamp;
    let epoch = story.world.replica(0).configuration().epoch;
    let stored = |stamp, story: &mut Story| {
        let (ballot, version, _) = story.world.replica(0).value().expect("a value");
        let stored = RegisterMessage::Stored {
            epoch,
            ballot,
            version,
            stamp,
        };
        story.world.send_register(process(3), process(0), stored);
        story.flow();
    };
    // The proposal waits for a call that no majority has answered yet, and the learner's
    // answers of now come after one from before it forgot.
    story.cut = Vec::from([1, 2]);
    story.ask(0, 0, call("append", numbered(2), 8));
    story.flow();
    story.world.at(0, |replica, env, fx| {
        assert_eq!(replica.propose(env, outdated, 0, fx), Ok(()));
    });
    stored(issued + 1, &mut story);
    stored(issued, &mut story);
    story.cut.clear();
    story.pass(3_000);
    assert_eq!(story.world.replica(0).configuration().epoch, epoch);
    let next = prepare_next(&mut story, 0, &[0, 3]);
    assert_eq!(next.members[1].stamp, issued + 1);
    assert_eq!(story.list(0), [7, 8]);
}

#[test]
fn a_copy_shipped_too_late_does_not_lead_back_into_an_epoch_that_was_left() {
    let mut story = Story::new(6, &[0, 1, 2]);
    let shipped = install(&story, 0);
    move_to(&mut story, 0, &[3, 4, 5]);
    let entered = install(&story, 4);
    move_to(&mut story, 3, &[0, 1, 2]);
    assert!(story.world.forget(4));
    // A frozen primary of epoch 1 makes a learner of 4, then the seal into epoch 2 arrives.
    story.world.send_register(process(0), process(4), shipped);
    let first = story.world.bag.remove(0);
    story.world.deliver(first);
    assert!(story.world.replica(4).is_learner());
    story.world.send_register(process(3), process(4), entered);
    story.flow();
    let entered = story.world.hosts[4].replica.as_ref();
    assert!(entered.is_none_or(|replica| replica.is_learner()));
    assert_eq!(story.world.active(), [0]);
}

#[test]
fn a_member_that_cannot_come_in_is_told_to_the_host() {
    let mut story = Story::new(4, &[0, 1, 2]);
    story.cut = Vec::from([2]);
    story.append(0, 1, 7);
    story.cut.clear();
    // Member 2 has never been installed, and has a floor above the stamp that the view had.
    story.world.hosts[2].replica = None;
    story.world.hosts[2].floor = 100;
    story.append(0, 2, 8);
    story.pass(1_000);
    assert!(story.notes(0).contains(&Note::MemberLost(process(2))));
    assert!(story.world.replica(0).has_lost(&process(2)));
    assert_eq!(story.list(0), [7, 8]);
}

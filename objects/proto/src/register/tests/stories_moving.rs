//! Stories of an object that moves: learners, seals, retirement, deletion, recovery.

use alloc::vec::Vec;

use super::story::*;
use super::world::*;
use crate::message::{Ask, Change, Message, Refusal, RegisterMessage, Reply, Sighting};
use crate::object::{Configuration, Epoch, Lineage};
use crate::outcome::{Cause, Outcome};
use crate::register::{Mutation, Note, ProposeError};

#[test]
fn an_object_moves_to_three_others_and_forgets_nothing() {
    let mut story = Story::new(6, &[0, 1, 2]);
    let first = story.append(0, 1, 7);
    move_to(&mut story, 0, &[3, 4, 5]);
    assert_eq!(story.world.active(), [3]);
    for old in 0..3 {
        assert!(
            story.world.hosts[old].replica.is_none(),
            "{old} keeps a copy"
        );
        assert!(story.world.hosts[old].tombstone.is_some());
    }
    assert_eq!(story.append(3, 1, 7), {
        let Reply::Done { outcome, witness } = first else {
            panic!("not done");
        };
        let epoch = story.world.replica(3).configuration().epoch;
        Reply::Done {
            outcome,
            witness: witness.map(|witness| crate::outcome::Witness { epoch, ..witness }),
        }
    });
    assert_eq!(returned(&story.append(3, 2, 8)), 2);
    let moved = story.append(0, 3, 9);
    let Reply::Refused(Refusal::Elsewhere(Sighting::Member { configuration, .. })) = moved else {
        panic!("a former member answered {moved:?}");
    };
    assert_eq!(configuration.epoch.number, 2);
}

#[test]
fn repetitions_after_two_changes_of_the_set_and_takeovers_run_once() {
    let mut story = Story::new(7, &[0, 1, 2]);
    let first = returned(&story.append(0, 1, 7));
    let failed = story.call(0, "refuse", numbered(2), 0);
    move_to(&mut story, 0, &[3, 1, 4]);
    story.stand(4);
    move_to(&mut story, 4, &[5, 6, 0]);
    story.stand(6);
    let runs = story.world.runs;
    assert_eq!(returned(&story.append(6, 1, 7)), first);
    let again = story.call(6, "refuse", numbered(2), 0);
    let outcome = |reply: &Reply| match reply {
        Reply::Done { outcome, .. } => outcome.clone(),
        other => panic!("not done: {other:?}"),
    };
    assert_eq!(outcome(&again), outcome(&failed));
    assert_eq!(story.world.runs, runs);
    assert_eq!(story.list(6), [7]);
}

#[test]
fn the_same_primary_keeps_its_queue_through_a_change() {
    let mut story = Story::new(4, &[0, 1, 2]);
    let next = prepare_next(&mut story, 0, &[0, 1, 3]);
    let slow = story.ask(0, 0, call("append_slow", numbered(1), 1));
    let queued = story.ask(0, 0, call("append", numbered(2), 2));
    while !story.world.bag.is_empty() {
        let envelope = story.world.bag.remove(0);
        story.world.deliver(envelope);
    }
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    assert!(story.world.replica(0).is_changing());
    story.flow();
    assert_eq!(story.reply(slow).map(returned), Some(1));
    assert_eq!(story.reply(queued).map(returned), Some(2));
    assert_eq!(story.world.replica(0).configuration().epoch.number, 2);
    assert!(story.world.hosts[2].replica.is_none());
}

#[test]
fn a_proposal_needs_a_whole_set_of_members_in_sync() {
    let mut story = Story::new(5, &[0, 1, 2]);
    let propose = |story: &mut Story, next: Configuration| {
        let result = story
            .world
            .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
        result.unwrap_or(Ok(()))
    };
    story.append(0, 1, 1);
    let not_in_sync = configuration(2, &[(0, 1), (1, 1), (3, 1)]);
    assert_eq!(
        propose(&mut story, not_in_sync),
        Err(ProposeError::NotInSync)
    );
    let twice = configuration(2, &[(0, 1), (0, 1)]);
    assert_eq!(propose(&mut story, twice), Err(ProposeError::Malformed));
    let skipped = configuration(3, &[(0, 1)]);
    assert_eq!(propose(&mut story, skipped), Err(ProposeError::Malformed));
    assert_eq!(propose(&mut story, configuration(2, &[(0, 1)])), Ok(()));
}

#[test]
fn a_seal_whose_primary_is_gone_is_finished_by_another() {
    let mut story = Story::new(6, &[0, 1, 2]);
    story.append(0, 1, 7);
    let next = prepare_next(&mut story, 0, &[3, 4, 5]);
    story.cut = Vec::from([3, 4, 5]);
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    story.flow();
    story.world.hosts[0].alive = false;
    story.cut.clear();
    story.pass(9_000);
    assert_eq!(story.world.active(), [3]);
    assert_eq!(story.list(3), [7]);
    assert!(story.world.hosts[1].replica.is_none());
    assert!(story.world.hosts[2].replica.is_none());
}

#[test]
fn a_first_primary_that_comes_late_finishes_and_may_stand_again() {
    let mut story = Story::new(4, &[0, 1, 2]);
    story.stand(1);
    story.append(1, 1, 7);
    let next = prepare_next(&mut story, 1, &[3, 1, 2]);
    story.world.at(1, |replica, env, fx| {
        assert_eq!(replica.propose(env, next, 1, fx), Ok(()));
    });
    // Its seal reaches the others, who see it through without it; member 3 takes over.
    while !story.world.bag.is_empty() {
        let envelope = story.world.bag.remove(0);
        if envelope.to != process(1) {
            story.world.deliver(envelope);
        }
    }
    story.cut = Vec::from([1]);
    story.stand(0);
    story.stand(3);
    assert_eq!(returned(&story.append(3, 2, 8)), 2);
    // It learns of the end of its set from member 2, and of its deposition there as well.
    story.cut = Vec::from([3]);
    story.pass(2_000);
    assert!(story.world.active().contains(&3));
    story.cut.clear();
    story.pass(2_000);
    assert!(!story.world.replica(1).is_changing());
    story.world.hosts[3].alive = false;
    story.stand(1);
    assert_eq!(story.list(1), [7, 8]);
}

/// Member 4 holds a seal that was never chosen. Then the others seal the object into the same
/// members, of which member 3 was to be primary before, and member 1 is now.
fn two_seals_into_one_set(mutation: Option<Mutation>) -> (Story, Configuration) {
    let into = [0, 1, 2, 3, 5];
    let mut story = Story::new(6, &[0, 1, 2, 3, 4]);
    story.world.mutation = mutation;
    assert_eq!(returned(&story.append(0, 1, 7)), 1);
    let next = prepare_next(&mut story, 0, &into);
    story.cut = Vec::from([1, 2, 3]);
    story.world.at(0, |replica, env, fx| {
        assert_eq!(replica.propose(env, next, 3, fx), Ok(()));
    });
    story.flow();
    story.cut = Vec::from([0, 4]);
    story.stand(1);
    assert_eq!(returned(&story.append(1, 2, 8)), 2);
    story.cut = Vec::from([4]);
    story.pass(1_000);
    let next = prepare_next(&mut story, 1, &into);
    story.world.at(1, |replica, env, fx| {
        assert_eq!(replica.propose(env, next, 1, fx), Ok(()));
    });
    story.flow();
    story.pass(100);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(returned(&story.append(1, 3, 9)), 3);
    let set = story.world.replica(1).configuration().clone();
    assert_eq!(set.epoch.number, 2);
    (story, set)
}

/// The same, and member 4 has heard of the set.
fn after_two_seals(mutation: Option<Mutation>) -> Story {
    let (mut story, set) = two_seals_into_one_set(mutation);
    story.cut.clear();
    let sighting = Sighting::Member {
        configuration: set,
        primary: Some(1),
    };
    story.world.at(4, |replica, env, fx| {
        replica.on_sighting(env, &sighting, fx);
    });
    story.flow();
    story.pass(500);
    story
}

#[test]
fn a_seal_that_was_not_chosen_is_not_finished_because_another_one_was() {
    let mut story = after_two_seals(None);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(story.list(1), [7, 8, 9]);
}

#[test]
fn two_seals_are_not_told_apart_by_their_members() {
    let story = after_two_seals(Some(Mutation::SealUnnamed));
    assert_ne!(story.world.active(), [1], "not noticed");
}

#[test]
fn the_next_set_takes_over_even_if_its_first_primary_was_never_installed() {
    let mut story = Story::new(6, &[0, 1, 2]);
    story.append(0, 1, 7);
    let next = prepare_next(&mut story, 0, &[3, 4, 5]);
    story.cut = Vec::from([3]);
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    story.flow();
    story.pass(3_000);
    let active = story.world.active();
    assert!(active == [4] || active == [5], "active: {active:?}");
    assert_eq!(story.list(active[0]), [7]);
}

#[test]
fn promises_without_a_value_do_not_shut_the_value_out() {
    let mut story = Story::new(6, &[0, 1, 2]);
    story.append(0, 1, 7);
    let next = prepare_next(&mut story, 0, &[3, 4, 5]);
    story.cut = Vec::from([3, 4]);
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    story.flow();
    // Only 5 is installed; it gets promises of the others and dies before it ships anything.
    story.world.at(5, |replica, env, fx| replica.stand(env, fx));
    let prepares: Vec<Envelope> = story.world.bag.drain(..).collect();
    for envelope in prepares {
        let to = index_of(envelope.to);
        if to == 3 || to == 4 {
            story.world.deliver(envelope);
        }
    }
    story.world.bag.clear();
    story.world.hosts[5].alive = false;
    story.cut.clear();
    story.pass(8_000);
    story.stand(4);
    story.pass(1_000);
    assert_eq!(story.world.active(), [4]);
    assert_eq!(story.list(4), [7]);
    assert!(story.world.hosts[0].replica.is_none());
}

#[test]
fn an_epoch_that_was_left_is_never_installed_again() {
    let mut story = Story::new(6, &[0, 1, 2]);
    story.append(0, 1, 7);
    let (_, version, value) = story
        .world
        .replica(0)
        .value()
        .map(|(ballot, version, value)| (ballot, version, value.clone()))
        .unwrap_or_else(|| panic!("no value"));
    let old = story.world.replica(0).configuration().clone();
    story.cut = Vec::from([2]);
    move_to(&mut story, 0, &[3, 4, 5]);
    story.cut.clear();
    // Member 2 slept through it, wakes and stands.
    story.stand(2);
    assert!(
        story.world.hosts[2].replica.is_none(),
        "it learns that the epoch is over"
    );
    assert_eq!(story.world.active(), [3]);
    let delayed = RegisterMessage::Accept {
        epoch: old.epoch,
        ballot: crate::object::Ballot {
            round: 1,
            member: 0,
        },
        version,
        change: Change::Full {
            configuration: old,
            value,
        },
    };
    for member in 0..3 {
        story
            .world
            .send_register(caller(), process(member), delayed.clone());
    }
    story.flow();
    assert!((0..3).all(|member| story.world.hosts[member].replica.is_none()));
}

#[test]
fn a_deleted_object_stays_deleted() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = Vec::from([2]);
    let delete = story.ask(
        0,
        0,
        Ask::Delete {
            position: numbered(2),
        },
    );
    let behind = story.ask(0, 0, call("append", numbered(3), 8));
    story.flow();
    assert!(matches!(
        story.reply(delete),
        Some(Reply::Done {
            outcome: Outcome::Returned(_),
            ..
        })
    ));
    let deleted = Reply::Refused(Refusal::Final(Cause::Deleted));
    assert_eq!(story.reply(behind), Some(&deleted));
    story.cut.clear();
    story.stand(2);
    assert!((0..3).all(|member| story.world.hosts[member].replica.is_none()));
    assert_eq!(story.append(1, 4, 9), deleted);
}

#[test]
fn the_only_member_waits_for_its_learner_while_it_answers() {
    let mut story = Story::new(2, &[0]);
    story.append(0, 1, 7);
    story.world.at(0, |replica, env, fx| {
        replica.add_learner(env, process(1), fx);
    });
    story.flow();
    assert!(story.notes(0).contains(&Note::LearnerSynced(process(1))));
    let write = story.ask(0, 0, call("append", numbered(2), 8));
    let held = |story: &Story| {
        story
            .world
            .replica(1)
            .value()
            .map(|(_, _, value)| tags(&value.state))
    };
    story.flow();
    assert_eq!(story.reply(write).map(returned), Some(2));
    assert_eq!(
        held(&story),
        Some(Vec::from([7, 8])),
        "acknowledged with the copy made"
    );
    story.cut = Vec::from([1]);
    let lost = story.ask(0, 0, call("append", numbered(3), 9));
    story.flow();
    assert_eq!(story.reply(lost), None, "it waits for the learner");
    story.pass(600);
    assert_eq!(story.reply(lost).map(returned), Some(3));
    let quick = story.ask(0, 0, call("append", numbered(4), 10));
    story.flow();
    assert_eq!(
        story.reply(quick).map(returned),
        Some(4),
        "no longer waited for"
    );
    story.cut.clear();
    story.world.at(0, |replica, env, fx| {
        replica.on_link(env, process(1), true, fx);
    });
    story.flow();
    assert_eq!(held(&story), Some(Vec::from([7, 8, 9, 10])));
}

#[test]
fn a_survivor_is_recovered_into_a_new_lineage_and_the_old_one_stops() {
    let mut story = Story::new(4, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = Vec::from([0, 1]);
    let epoch = Epoch {
        lineage: Lineage { number: 1, tag: 9 },
        number: 2,
    };
    let recovered = story
        .world
        .at(2, |replica, env, fx| replica.recover(env, epoch, fx));
    assert_eq!(recovered, Some(true));
    story.flow();
    assert_eq!(story.list(2), [7]);
    assert_eq!(returned(&story.append(2, 2, 8)), 2);
    // Meanwhile the majority lives, and acknowledges a call of its own.
    story.cut = Vec::from([2]);
    assert_eq!(returned(&story.append(0, 2, 99)), 2);
    story.cut.clear();
    // The old primary ships to the recovered one and learns that its line is over.
    story.ask(0, 0, call("append", numbered(3), 100));
    story.flow();
    story.pass(1_000);
    assert_eq!(story.world.active(), [2]);
    assert_eq!(story.list(2), [7, 8]);
    let elsewhere = story.call(0, "append", numbered(4), 101);
    assert!(matches!(elsewhere, Reply::Refused(Refusal::Elsewhere(_))));
    let lost = story.notes(0).iter().find_map(|note| match note {
        Note::Lost(lost) => Some(lost),
        _ => None,
    });
    let lost = lost.unwrap_or_else(|| panic!("the loss of 99 is not told"));
    assert!(lost.primary && tags(&lost.state).starts_with(&[7, 99]));
}

#[test]
fn a_dropped_learner_can_come_back() {
    let mut story = Story::new(2, &[0]);
    for _ in 0..2 {
        story.world.at(0, |replica, env, fx| {
            replica.add_learner(env, process(1), fx);
        });
        story.flow();
        assert!(story.world.replica(1).is_learner());
        story.world.at(0, |replica, env, fx| {
            replica.drop_learner(env, process(1), fx);
        });
        story.flow();
        assert!(story.world.hosts[1].replica.is_none());
    }
}

#[test]
fn a_slow_call_that_is_given_up_for_a_change_runs_in_the_next_set() {
    let mut story = Story::new(4, &[0, 1, 2]);
    let next = prepare_next(&mut story, 0, &[1, 2, 3]);
    let slow = story.ask(0, 0, call("append_slow", numbered(1), 1));
    let request = story.world.bag.remove(0);
    story.world.deliver(request);
    story.world.at(0, |replica, env, fx| {
        assert_eq!(replica.propose(env, next, 0, fx), Ok(()));
        replica.interrupt(env, fx);
    });
    let late = story.world.hosts[0].executions.remove(0);
    let mut hinted = false;
    for _ in 0..200 {
        if story.world.bag.is_empty() {
            break;
        }
        let envelope = story.world.bag.remove(0);
        hinted |= matches!(&envelope.message, Message::Here { .. });
        if let Some((_, id, reply)) = story.world.deliver(envelope) {
            story.replies.push((id, reply));
        }
    }
    assert!(hinted, "the caller is told where to ask");
    assert_eq!(story.reply(slow), None, "and not that the call did not run");
    story.world.hosts[0].executions.push(late);
    story.flow();
    assert_eq!(story.world.active(), [1]);
    assert_eq!(returned(&story.append(1, 1, 1)), 1);
    assert_eq!(story.list(1), [1]);
}

//! Stories of one replica set: writes, reads, takeovers, repetitions, no quorum.

use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::Duration;

use super::story::*;
use super::world::*;
use crate::execution::{Execution, ExecutionMode};
use crate::message::{Ask, Message, Position, Refusal, RegisterMessage, Reply, Sighting};
use crate::object::{Ballot, ObjectId, Version};
use crate::outcome::{Cause, Failure, Outcome};
use crate::register::snapshots::SNAPSHOTS_MAX;
use crate::register::{Mutation, Note, Replica};

fn outcome(reply: &Reply) -> &Outcome {
    match reply {
        Reply::Done { outcome, .. } => outcome,
        other => panic!("not done: {other:?}"),
    }
}

#[test]
fn one_member_writes_and_reads_alone() {
    let mut story = Story::new(1, &[0]);
    assert_eq!(returned(&story.append(0, 1, 7)), 1);
    assert_eq!(returned(&story.append(0, 2, 8)), 2);
    assert_eq!(story.list(0), [7, 8]);
    assert!(
        !story.world.replica(0).wants_tick(),
        "idle objects have no timer"
    );
}

#[test]
fn a_majority_is_enough_and_the_third_catches_up() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.cut = Vec::from([2]);
    assert_eq!(returned(&story.append(0, 1, 7)), 1);
    story.cut.clear();
    story.pass(2_000);
    let held = story
        .world
        .replica(2)
        .value()
        .map(|(_, version, _)| version);
    assert_eq!(held, Some(Version(2)));
    assert!(!story.world.replica(0).wants_tick());
}

#[test]
fn nothing_is_answered_without_a_majority() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = Vec::from([1, 2]);
    let write = story.ask(0, 0, call("append", numbered(2), 8));
    let read = story.ask(0, 0, call("list", Position::Unordered, 0));
    let behind = story.ask(0, 0, call("append", numbered(3), 9));
    story.flow();
    story.pass(4_000);
    assert_eq!(story.reply(write), None);
    assert_eq!(story.reply(behind), None);
    story.pass(2_000);
    let no_quorum = Reply::Refused(Refusal::Final(Cause::NoQuorum));
    assert_eq!(
        story.reply(write),
        None,
        "it was executed: its end is not known"
    );
    assert_eq!(story.reply(behind), Some(&no_quorum));
    assert_eq!(story.reply(read), Some(&no_quorum));
    story.cut.clear();
    story.pass(2_000);
    assert_eq!(story.reply(write).map(returned), Some(2));
}

#[test]
fn a_backup_takes_over_with_everything_acknowledged() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.append(0, 2, 8);
    story.cut = Vec::from([0]);
    story.stand(2);
    assert_eq!(story.list(2), [7, 8]);
    assert_eq!(returned(&story.append(2, 3, 9)), 3);
    assert_eq!(
        story.world.active(),
        [0, 2],
        "the old one does not know yet"
    );
    let stale = story.ask(0, 0, call("list", Position::Unordered, 0));
    story.cut.clear();
    let stale_write = story.ask(0, 0, call("append", numbered(9), 1));
    story.flow();
    story.pass(2_000);
    for id in [stale, stale_write] {
        assert!(
            !matches!(story.reply(id), Some(Reply::Done { .. })),
            "a deposed primary answered"
        );
    }
    assert_eq!(story.world.active(), [2]);
    assert_eq!(story.list(2), [7, 8, 9]);
}

#[test]
fn a_read_that_nobody_else_confirms_is_not_answered() {
    assert_eq!(read_of_a_deposed_primary(None), None);
    let stale = read_of_a_deposed_primary(Some(Mutation::ReadsUnchecked));
    assert!(
        matches!(stale, Some(Reply::Done { .. })),
        "the story does not test what it is told for"
    );
}

/// The primary is cut off from the other members, which elect another one; then it is read.
fn read_of_a_deposed_primary(mutation: Option<Mutation>) -> Option<Reply> {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = Vec::from([0]);
    story.stand(2);
    story.append(2, 2, 8);
    story.world.mutation = mutation;
    story.cut = Vec::from([1, 2]);
    let read = story.ask(0, 0, call("list", Position::Unordered, 0));
    story.flow();
    story.pass(1_000);
    story.reply(read).cloned()
}

#[test]
fn a_call_repeated_before_and_after_a_takeover_runs_once() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let first = story.append(0, 1, 7);
    let failed = story.call(0, "refuse", numbered(2), 0);
    assert_eq!(
        outcome(&failed),
        &Outcome::Failed(Failure::Returned(Bytes::from(1u32.to_be_bytes().to_vec())))
    );
    let runs = story.world.runs;
    assert_eq!(story.append(0, 1, 7), first);
    assert_eq!(story.call(0, "refuse", numbered(2), 0), failed);
    story.cut = Vec::from([0]);
    story.stand(1);
    assert_eq!(story.append(1, 1, 7), first);
    assert_eq!(story.call(1, "refuse", numbered(2), 0), failed);
    assert_eq!(story.world.runs, runs);
    assert_eq!(
        story.append(1, 1, 70),
        Reply::Refused(Refusal::Final(Cause::IdReused))
    );
    assert_eq!(story.list(1), [7]);
}

#[test]
fn a_call_shipped_but_not_answered_runs_once_across_a_takeover() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let id = story.ask(0, 0, call("append", numbered(1), 7));
    let request = story.world.bag.remove(0);
    story.world.deliver(request);
    story.world.execute(0);
    let shipped = story.world.bag.remove(0);
    assert_eq!(index_of(shipped.to), 1);
    story.world.bag.clear();
    story.world.deliver(shipped);
    story.cut = Vec::from([0]);
    story.stand(2);
    assert_eq!(story.reply(id), None);
    assert_eq!(returned(&story.append(2, 1, 7)), 1);
    assert_eq!(story.list(2), [7]);
    assert_eq!(story.world.runs, 2, "the write and the read");
}

#[test]
fn repetitions_of_a_running_call_share_its_answer() {
    let mut story = Story::new(1, &[0]);
    let slow = call("append_slow", numbered(1), 7);
    let first = story.ask(0, 0, slow.clone());
    let second = story.ask(0, 1, slow);
    story.flow();
    assert_eq!(story.reply(first), story.reply(second));
    assert_eq!(story.list(0), [7]);
}

#[test]
fn failures_leave_a_version_and_do_not_undo_their_batch() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let blocked = story.ask(0, 0, call("append", numbered(1), 1));
    let ids: Vec<u64> = ["append", "refuse", "append"]
        .iter()
        .zip(2..)
        .map(|(method, number)| story.ask(0, 0, call(method, numbered(number), 9)))
        .collect();
    story.flow();
    assert!(story.reply(blocked).is_some());
    assert!(matches!(
        story.reply(ids[1]).map(outcome),
        Some(Outcome::Failed(_))
    ));
    assert_eq!(story.list(0), [1, 9, 9]);
    let version = story
        .world
        .replica(1)
        .value()
        .map(|(_, version, _)| version);
    assert_eq!(version, Some(Version(5)));
}

#[test]
fn calls_of_a_handle_never_overtake_each_other() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let late = story.append(0, 2, 8);
    assert_eq!(late, Reply::Refused(Refusal::Gap));
    story.append(0, 1, 7);
    story.append(0, 2, 8);
    let skipping = Position::Numbered {
        session: BORN,
        number: 4,
        predecessor: 2,
        floor: 1,
    };
    story.call(0, "append", skipping, 10);
    assert_eq!(
        story.append(0, 3, 9),
        Reply::Refused(Refusal::Final(Cause::OutOfOrder))
    );
    assert_eq!(story.list(0), [7, 8, 10]);
}

#[test]
fn a_session_is_opened_once_per_attempt_and_closed_for_good() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let id = story.ask(0, 0, Ask::OpenSession);
    story.flow();
    let Some(Reply::Session(session)) = story.reply(id).cloned() else {
        panic!("no session");
    };
    assert_eq!(session.version, Version(2));
    let write = Position::Numbered {
        session,
        number: 1,
        predecessor: 0,
        floor: 1,
    };
    assert_eq!(returned(&story.call(0, "append", write, 7)), 1);
    story.ask(0, 0, Ask::CloseSession(session));
    story.flow();
    let again = story.call(0, "append", write, 7);
    assert_eq!(again, Reply::Refused(Refusal::UnknownSession));
    assert_eq!(story.list(0), [7]);
}

#[test]
fn reads_run_beside_a_slow_write_but_not_before_their_own_handles_writes() {
    let mut story = Story::new(1, &[0]);
    story.append(0, 1, 7);
    let write = story.ask(0, 0, call("append_slow", numbered(2), 8));
    let beside = story.ask(0, 0, call("list", Position::Unordered, 0));
    let own = Position::After {
        session: BORN,
        predecessor: 2,
        floor: 1,
    };
    let behind = story.ask(0, 0, call("list", own, 0));
    while let Some(envelope) = (!story.world.bag.is_empty()).then(|| story.world.bag.remove(0)) {
        story.world.deliver(envelope);
    }
    let snapshots = &story.world.hosts[0].executions;
    assert_eq!(snapshots.len(), 2, "the write and the other handle's read");
    assert_eq!(snapshots[1].mode, ExecutionMode::Snapshot);
    story.world.hosts[0].executions.swap(0, 1);
    story.flow();
    let list = |id| match story.reply(id).map(outcome) {
        Some(Outcome::Returned(bytes)) => tags(bytes),
        other => panic!("no list but {other:?}"),
    };
    assert_eq!(list(beside), [7]);
    assert_eq!(list(behind), [7, 8]);
    assert_eq!(story.reply(write).map(returned), Some(2));
}

#[test]
fn further_reads_start_as_those_beside_a_slow_write_end() {
    let mut story = Story::new(1, &[0]);
    story.append(0, 1, 7);
    story.ask(0, 0, call("append_slow", numbered(2), 8));
    for _ in 0..=SNAPSHOTS_MAX {
        story.ask(0, 0, call("list", Position::Unordered, 0));
    }
    while let Some(envelope) = (!story.world.bag.is_empty()).then(|| story.world.bag.remove(0)) {
        story.world.deliver(envelope);
    }
    assert_eq!(story.world.hosts[0].executions.len(), 1 + SNAPSHOTS_MAX);
    let ended = story.world.hosts[0].executions.remove(1);
    let executed = run(&ended, 0);
    story.world.at(0, |replica, env, fx| {
        replica.on_executed(env, executed, fx);
    });
    let running = &story.world.hosts[0].executions;
    assert_eq!(running.len(), 1 + SNAPSHOTS_MAX, "the last read");
    let beside = |running: &Execution| running.mode == ExecutionMode::Snapshot;
    assert!(running.iter().skip(1).all(beside));
}

#[test]
fn a_result_of_an_earlier_primaryship_is_dropped() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.ask(0, 0, call("append_slow", numbered(1), 7));
    let request = story.world.bag.remove(0);
    story.world.deliver(request);
    let execution = story.world.hosts[0].executions.remove(0);
    story.stand(1);
    story.stand(0);
    assert_eq!(story.world.active(), [0]);
    let executed = run(&execution, 0);
    story.world.at(0, |replica, env, fx| {
        replica.on_executed(env, executed, fx);
    });
    story.flow();
    assert_eq!(story.list(0), [] as [u32; 0]);
    assert_eq!(returned(&story.append(0, 1, 9)), 1);
}

#[test]
fn a_promise_without_a_record_loses_writes() {
    assert_eq!(story_of_an_uninstalled_member(None), [7, 8]);
    let broken = story_of_an_uninstalled_member(Some(Mutation::PromiseWithoutRecord));
    assert_ne!(
        broken,
        [7, 8],
        "the story does not test what it is told for"
    );
}

/// Member 2 is not installed when member 1 asks it for a promise; then the old primary, which
/// nobody told, ships to it.
fn story_of_an_uninstalled_member(mutation: Option<Mutation>) -> Vec<u32> {
    let mut world = World::new(1, 3);
    world.mutation = mutation;
    world.create(&[0, 1, 2], caller());
    world.bag.retain(|envelope| index_of(envelope.to) != 2);
    let mut story = Story {
        world,
        replies: Vec::new(),
        cut: Vec::from([2]),
        apart: false,
        held: Vec::new(),
        next_id: 0,
    };
    story.append(0, 1, 7);
    story.cut = Vec::from([0]);
    story.world.at(1, |replica, env, fx| replica.stand(env, fx));
    // The prepare arrives and is answered; what the new primary then ships is lost.
    let to_2 = |envelope: &Envelope| index_of(envelope.to) == 2;
    if let Some(place) = story.world.bag.iter().position(to_2) {
        let prepare = story.world.bag.remove(place);
        story.world.bag.clear();
        story.world.deliver(prepare);
        let answers = core::mem::take(&mut story.world.bag);
        for answer in answers {
            story.world.deliver(answer);
        }
        story.world.bag.clear();
    }
    // The old primary goes on with member 2.
    story.cut = Vec::from([1]);
    let write = story.ask(0, 0, call("append", numbered(2), 8));
    story.flow();
    story.pass(300);
    let acknowledged = story.reply(write).is_some();
    // It takes over anew with member 1.
    story.cut = Vec::from([2]);
    story.stand(0);
    story.pass(3_000);
    if !acknowledged {
        story.cut.clear();
        story.pass(5_000);
        let primary = story.world.active()[0];
        story.append(primary, 2, 8);
    }
    let primary = story.world.active()[0];
    story.list(primary)
}

#[test]
fn a_call_that_waits_for_itself_fails_and_leaves_its_trace() {
    let mut story = Story::new(1, &[0]);
    let nested = Position::Nested {
        source: ObjectId(4),
        id: 99,
    };
    let Ask::Call(mut request) = call("append", nested, 7) else {
        panic!("a call");
    };
    request.chain.holds.push(OBJECT);
    let id = story.ask(0, 0, Ask::Call(request.clone()));
    story.flow();
    let deadlock = Outcome::Failed(Failure::Deadlock);
    assert_eq!(story.reply(id).map(outcome), Some(&deadlock));
    request.chain.holds.clear();
    let again = story.ask(0, 1, Ask::Call(request));
    story.flow();
    assert_eq!(story.reply(again).map(outcome), Some(&deadlock));
    assert_eq!(story.list(0), [] as [u32; 0]);
}

#[test]
fn a_queued_nested_call_can_be_failed_and_a_cancelled_call_never_runs() {
    let mut story = Story::new(1, &[0]);
    story.ask(0, 0, call("append_slow", numbered(1), 1));
    let Ask::Call(mut request) = call(
        "append",
        Position::Nested {
            source: ObjectId(4),
            id: 99,
        },
        7,
    ) else {
        panic!("a call");
    };
    request.chain.call = 99;
    request.chain.holds.push(ObjectId(4));
    let nested = story.ask(0, 0, Ask::Call(request));
    let cancelled = story.ask(0, 0, call("append", numbered(2), 2));
    while !story.world.bag.is_empty() {
        let envelope = story.world.bag.remove(0);
        story.world.deliver(envelope);
    }
    let now = story.world.now;
    let waiting = story.world.replica(0).waiting_calls(now, Duration::ZERO);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].chain.call, 99);
    assert!(story.world.replica(0).holder().is_some());
    story.world.at(0, |replica, env, fx| {
        assert!(replica.fail_queued(env, 99, Failure::Deadlock, fx));
        replica.on_cancel(caller(), cancelled);
    });
    while !story.world.bag.is_empty() {
        let envelope = story.world.bag.remove(0);
        if let Some((_, id, reply)) = story.world.deliver(envelope) {
            story.replies.push((id, reply));
        }
    }
    assert!(
        story.reply(nested).is_some(),
        "answered while the holder runs"
    );
    story.flow();
    assert_eq!(story.list(0), [1]);
    assert_eq!(story.reply(cancelled), None);
}

#[test]
fn outbox_calls_are_shown_once_chosen_and_gone_once_completed() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.cut = Vec::from([1, 2]);
    story.ask(0, 0, call("push", numbered(1), 7));
    story.flow();
    assert!(story.world.replica(0).outbox().is_empty());
    story.cut = Vec::from([2]);
    story.pass(500);
    assert_eq!(story.world.replica(0).outbox().len(), 1);
    assert!(story.notes(0).contains(&Note::OutboxChanged));
    story.cut = Vec::from([0]);
    story.stand(1);
    assert_eq!(story.world.replica(1).outbox().len(), 1);
    story.world.at(1, |replica, env, fx| {
        replica.complete_outbox(env, 1, fx);
    });
    story.flow();
    assert!(story.world.replica(1).outbox().is_empty());
}

#[test]
fn wrong_kinds_unknown_methods_and_writes_as_reads_are_refused() {
    let mut story = Story::new(1, &[0]);
    let unknown = story.call(0, "clear", numbered(1), 0);
    assert!(matches!(
        unknown,
        Reply::Refused(Refusal::Final(Cause::UnknownMethod { .. }))
    ));
    let as_read = story.call(0, "append", Position::Unordered, 1);
    assert!(matches!(
        as_read,
        Reply::Refused(Refusal::Final(Cause::Arguments(_)))
    ));
    let id = story.ask(0, 0, Ask::Inspect);
    story.flow();
    let Some(Reply::Description(description)) = story.reply(id) else {
        panic!("no description");
    };
    assert_eq!(description.kind, KIND.to_string());
    assert_eq!(description.version, Version(1));
}

#[test]
fn a_backup_shows_the_way() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    let reply = story.append(1, 2, 8);
    let Reply::Refused(Refusal::Elsewhere(Sighting::Member { primary, .. })) = reply else {
        panic!("a backup answered {reply:?}");
    };
    assert_eq!(primary, Some(0));
}

#[test]
fn a_full_queue_refuses_and_nothing_waits_longer_than_its_budget() {
    let mut story = Story::new(1, &[0]);
    story.ask(0, 0, call("append_slow", numbered(1), 1));
    let reads: Vec<u64> = (0..crate::register::QUEUE_CALLS_MAX + 1)
        .map(|_| story.ask(0, 0, Ask::OpenSession))
        .collect();
    while !story.world.bag.is_empty() {
        let envelope = story.world.bag.remove(0);
        if let Some((_, id, reply)) = story.world.deliver(envelope) {
            story.replies.push((id, reply));
        }
    }
    let overloaded = reads.last().and_then(|id| story.reply(*id));
    assert!(matches!(
        overloaded,
        Some(Reply::Refused(Refusal::Final(Cause::Overloaded(_))))
    ));
    for _ in 0..41 {
        story.world.pass(250);
    }
    assert!(story.world.bag.iter().all(|envelope| matches!(
        &envelope.message,
        Message::Reply {
            reply: Reply::Refused(Refusal::Final(Cause::Deadline)),
            ..
        }
    )));
    assert_eq!(story.world.bag.len(), crate::register::QUEUE_CALLS_MAX);
}

#[test]
fn a_promise_only_member_never_stands() {
    let mut story = Story::new(3, &[0, 1]);
    let configuration = story.world.replica(0).configuration().clone();
    let mut with_2 = configuration;
    let added = crate::object::Replica {
        process: process(2),
        stamp: 1,
    };
    with_2.members = with_2.members.iter().copied().chain([added]).collect();
    story.world.send_register(
        process(1),
        process(2),
        RegisterMessage::Prepare {
            configuration: with_2,
            ballot: Ballot {
                round: 2,
                member: 1,
            },
            accepted: (Ballot::default(), Version(1)),
        },
    );
    let prepare = story.world.bag.remove(0);
    story.world.deliver(prepare);
    assert!(!story.world.replica(2).is_installed_member());
    story.world.bag.clear();
    story.stand(2);
    assert!(story.world.bag.is_empty());
    assert!(
        !story.world.hosts[2]
            .replica
            .as_ref()
            .is_some_and(Replica::is_primary)
    );
}

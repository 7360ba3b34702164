//! Stories of one client and one object.

mod random;
mod world;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::sync::Arc;

use bytes::Bytes;
use overlay_proto::member::{HostedKind, MemberRecord, MemberState};
use overlay_proto::view::{Member, MembershipView};
use overlay_proto::{Duration, LinkDown};

use self::world::{HANDLE, OBJECT, World, configuration, done, process, reference, returned};
use super::ClientConfig;
use crate::caller::{HandleId, Invocation, Parent};
use crate::directory::{HOLDERS_MAX, SlotRecord};
use crate::execution::{CallChain, Deferred, RootId};
use crate::machine::Ticket;
use crate::message::{Ask, Message, Position, Refusal, Reply, Sighting};
use crate::object::{Lineage, MethodId, ObjectId, Version};
use crate::outcome::{Cause, Failure, Outcome};
use crate::session::{SessionId, SessionOp};

const SECOND: Duration = Duration::from_secs(1);

fn session(version: u64) -> SessionId {
    SessionId {
        lineage: Lineage::default(),
        version: Version(version),
    }
}

fn member(number: u8) -> Member {
    let record = MemberRecord {
        process: process(number),
        sequence: 1,
        addresses: vec![],
        kinds: vec![HostedKind {
            name: String::from("Log"),
            version: 1,
            weak: false,
            methods: vec![],
        }],
        capacity: 1,
        load: 0,
        primaries: 0,
        labels: vec![],
        leaving: false,
        stamp: 1,
    };
    Member {
        record: Arc::new(record),
        state: MemberState::Alive,
    }
}

#[test]
fn the_first_write_opens_a_session_and_calls_are_numbered_from_one() {
    let mut world = World::new();
    let tickets: Vec<Ticket> = (1..=3).map(|argument| world.write(argument)).collect();
    assert!(world.calls().is_empty(), "no write without a session");
    world.settle();
    for (ticket, argument) in tickets.iter().zip(1..) {
        assert_eq!(world.outcome(*ticket), returned(argument));
    }
    assert_eq!(world.object.log, [1, 2, 3]);
    assert_eq!(world.object.requests, 4, "one opening, three calls");
    assert!(!world.client.needs_tick(), "nothing waits any more");
    world.client.release(HANDLE, &mut world.fx);
    world.collect();
    world.settle();
    assert!(
        world.object.sessions.open.is_empty(),
        "the released handle's session is closed"
    );
}

#[test]
fn the_creators_handle_needs_no_opening() {
    let mut world = World::new();
    let id = session(0);
    world.object.sessions.apply(&SessionOp::Open {
        id,
        owner: world.me,
    });
    world
        .client
        .adopt_session(world.now, HANDLE, id, &world.reference());
    let ticket = world.write(5);
    assert_eq!(
        world.calls()[0].position,
        Position::Numbered {
            session: id,
            number: 1,
            predecessor: 0,
            floor: 1
        }
    );
    world.settle();
    assert_eq!(world.outcome(ticket), returned(5));
}

#[test]
fn reads_come_after_the_writes_of_their_handle() {
    let mut world = World::new();
    let alone = world.read();
    assert_eq!(
        world.calls()[0].position,
        Position::Unordered,
        "no session for a read"
    );
    world.settle();
    assert_eq!(world.outcome(alone), returned(0));
    world.write(1);
    let behind = world.read();
    world.settle();
    assert_eq!(
        world.outcome(behind),
        returned(1),
        "the read saw the write before it"
    );
}

#[test]
fn a_lost_reply_does_not_make_a_call_run_twice() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let ticket = world.write(2);
    let (from, to, message) = world.wire.pop_front().unwrap();
    world.deliver(from, to, message);
    assert_eq!(world.object.log, [1, 2], "it ran");
    world.cut(process(1));
    world.run(SECOND);
    assert_eq!(world.outcome(ticket), returned(2), "the stored outcome");
    assert_eq!(world.object.log, [1, 2], "and not again");
}

#[test]
fn one_answer_to_a_repeated_call_brings_all_that_was_lost_with_it() {
    let mut world = World::new();
    let first = world.write(0);
    world.settle();
    let lost: Vec<Ticket> = (1..=50).map(|argument| world.write(argument)).collect();
    world.wire.clear();
    world.run(Duration::from_millis(1_600));
    for (argument, ticket) in (0..).zip([first].into_iter().chain(lost)) {
        assert_eq!(world.outcome(ticket), returned(argument));
    }
    assert_eq!(world.object.log, (0..=50).collect::<Vec<u8>>());
}

#[test]
fn a_slow_call_that_was_repeated_does_not_repeat_those_behind_it() {
    let mut world = World::new();
    world.write(0);
    world.settle();
    let before = world.object.requests;
    let slow = [1, 2, 3].map(|argument| world.write(argument));
    let mut arrived = core::mem::take(&mut world.wire);
    for _ in 0..60 {
        world.tick();
    }
    let repeated = world.calls().len();
    assert!(repeated > 0, "the oldest one was sent once more");
    arrived.append(&mut world.wire);
    world.wire = arrived;
    world.settle();
    assert!(slow.iter().all(|ticket| world.ended.contains_key(ticket)));
    let requests = world.object.requests - before;
    assert_eq!(requests, slow.len() + repeated, "and no other");
}

#[test]
fn calls_keep_their_order_over_a_takeover() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let tickets: Vec<Ticket> = (2..=4).map(|argument| world.write(argument)).collect();
    let (from, to, message) = world.wire.pop_front().unwrap();
    world.deliver(from, to, message);
    world.gone.insert(process(1));
    world.cut(process(1));
    world.run(Duration::from_millis(200));
    assert!(!world.ended.contains_key(&tickets[2]));
    world.object.primary = 3;
    world.run(SECOND);
    for (ticket, argument) in tickets.iter().zip(2..) {
        assert_eq!(world.outcome(*ticket), returned(argument));
    }
    assert_eq!(world.object.log, [1, 2, 3, 4]);
}

#[test]
fn a_primary_that_takes_over_late_is_found_soon() {
    for took in (500..=2_900).step_by(150) {
        let mut world = World::new();
        world.write(1);
        world.settle();
        let ticket = world.write(2);
        world.gone.insert(process(1));
        world.cut(process(1));
        world.run(Duration::from_millis(took));
        assert!(!world.ended.contains_key(&ticket), "after {took} ms");
        world.object.primary = 3;
        world.run(Duration::from_millis(400));
        assert!(world.ended.contains_key(&ticket), "after {took} ms");
    }
}

#[test]
fn calls_of_two_handles_on_a_dead_primary_are_both_answered() {
    for successor in [2, 3] {
        let mut world = World::new();
        world.write(1);
        world.settle();
        world.gone.insert(process(1));
        world.cut(process(1));
        world.object.primary = successor;
        let on_its_way = world.write(2);
        let passing_over = world.invoke(Invocation {
            handle: HandleId(2),
            ..world.invocation(true, 3)
        });
        world.run(SECOND);
        assert_eq!(world.outcome(on_its_way), returned(2));
        assert_eq!(world.outcome(passing_over), returned(3));
    }
}

#[test]
fn a_frozen_primary_is_complained_of_and_left() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    world.frozen.insert(process(1));
    let ticket = world.write(2);
    world.run(Duration::from_millis(250));
    assert!(world.wire.is_empty());
    for _ in 0..3 {
        world.tick();
    }
    let suspects: Vec<_> = world
        .wire
        .iter()
        .filter_map(|(_, _, message)| match message {
            Message::Where { suspect, .. } => Some(*suspect),
            _ => None,
        })
        .collect();
    assert_eq!(
        suspects,
        [Some(process(1)); 3],
        "all members hear the complaint"
    );
    world.object.primary = 2;
    world.run(SECOND);
    assert_eq!(world.outcome(ticket), returned(2));
}

#[test]
fn a_redirect_is_followed_at_once_and_remembered() {
    let mut world = World::new();
    world.object.primary = 2;
    let ticket = world.write(1);
    world.settle();
    assert_eq!(world.outcome(ticket), returned(1));
    let before = world.object.requests;
    world.write(2);
    world.read();
    world.settle();
    assert_eq!(world.object.requests, before + 2, "no further detour");
}

#[test]
fn redirects_in_a_circle_are_slowed_down() {
    let mut world = World::new();
    world.write(1);
    for turn in 0..100u8 {
        let away = |primary| {
            Reply::Refused(Refusal::Elsewhere(Sighting::Member {
                configuration: configuration(1, &[1, 2, 3]),
                primary: Some(primary),
            }))
        };
        while !world.requests().is_empty() {
            let to = world.requests()[0].0;
            world.answer_oldest(away(u8::from(to == process(1))));
        }
        world.wire.clear();
        world.tick();
        assert!(world.requests().len() <= 1, "turn {turn}");
    }
    assert!(world.object.requests < 20);
}

#[test]
fn a_gap_makes_the_client_send_everything_again_in_order() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let tickets: Vec<Ticket> = (2..=4).map(|argument| world.write(argument)).collect();
    world.wire.pop_front();
    world.settle();
    for (ticket, argument) in tickets.iter().zip(2..) {
        assert_eq!(world.outcome(*ticket), returned(argument));
    }
    assert_eq!(world.object.log, [1, 2, 3, 4]);
}

#[test]
fn a_refused_call_leaves_no_gap() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let refused = world.write(2);
    let next = world.write(3);
    let cause = Cause::Overloaded(String::from("queue"));
    world.answer_oldest(Reply::Refused(Refusal::Final(cause.clone())));
    assert_eq!(world.outcome(refused), Outcome::NotExecuted(cause));
    world.run(SECOND);
    assert_eq!(world.outcome(next), returned(3));
    assert_eq!(world.object.log, [1, 3]);
}

#[test]
fn a_call_refused_by_an_isolated_primary_is_made_again_for_a_while() {
    let isolated = || Outcome::NotExecuted(Cause::Isolated);
    for (alone, expected) in [(200, returned(2)), (5_000, isolated())] {
        let mut world = World::new();
        world.write(1);
        world.settle();
        let ticket = world.write(2);
        let until = world.now + Duration::from_millis(alone);
        while world.now < until {
            if !world.requests().is_empty() {
                world.answer_oldest(Reply::Refused(Refusal::Final(Cause::Isolated)));
            }
            world.settle_all_but_requests();
            world.tick();
        }
        world.run(SECOND);
        assert_eq!(world.outcome(ticket), expected);
    }
}

#[test]
fn a_refusal_after_a_lost_attempt_says_nothing_about_that_attempt() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let ticket = world.write(2);
    world.cut(process(1));
    world
        .wire
        .retain(|(_, _, m)| !matches!(m, Message::Request(_)));
    world.settle();
    world.run(Duration::from_millis(100));
    assert_eq!(world.outcome(ticket), returned(2));

    let unlucky = world.write(3);
    world.wire.clear();
    world.cut(process(1));
    let (from, to, message) = world.wire.pop_front().unwrap();
    world.deliver(from, to, message);
    let heard = world.wire.pop_back().unwrap();
    world.wire.clear();
    world.deliver(heard.0, heard.1, heard.2);
    let cause = Cause::Arguments(String::from("too few"));
    world.answer_oldest(Reply::Refused(Refusal::Final(cause.clone())));
    assert_eq!(world.outcome(unlucky), Outcome::Indeterminate(cause));
}

#[test]
fn a_closed_number_is_known_not_to_have_run() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let ticket = world.write(2);
    world.wire.clear();
    world.cut(process(1));
    world.object.sessions.open[0].next = 3;
    world.run(SECOND);
    assert_eq!(
        world.outcome(ticket),
        Outcome::NotExecuted(Cause::OutOfOrder)
    );
}

#[test]
fn an_expired_session_is_replaced_if_nothing_can_have_run() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    world.object.sessions.open.clear();
    let tickets: Vec<Ticket> = (2..=4).map(|argument| world.write(argument)).collect();
    world.run(SECOND);
    for (ticket, argument) in tickets.iter().zip(2..) {
        assert_eq!(world.outcome(*ticket), returned(argument));
    }
    assert_eq!(world.object.log, [1, 2, 3, 4]);
    assert_eq!(world.object.sessions.open.len(), 1);
}

#[test]
fn an_expired_session_with_a_lost_attempt_is_indeterminate() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let ticket = world.write(2);
    world.wire.clear();
    world.cut(process(1));
    world.object.sessions.open.clear();
    let next = world.write(3);
    world.run(SECOND);
    assert_eq!(
        world.outcome(ticket),
        Outcome::Indeterminate(Cause::SessionExpired)
    );
    assert_eq!(world.outcome(next), returned(3));
    assert_eq!(world.object.log, [1, 3], "the lost one never ran");
}

#[test]
fn a_rested_handle_goes_on_under_another_session() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let first = world.object.sessions.open[0].id;
    world.now = world.now + Duration::from_secs(299);
    world.write(2);
    world.settle();
    assert_eq!(world.object.sessions.open[0].id, first, "that was no rest");
    // Its place knows a primary that is gone: under the old session, which the object has closed
    // by now, nobody could tell whether the call ran there.
    world.now = world.now + Duration::from_secs(601);
    world.object.sessions.apply(&SessionOp::Close(first));
    world.gone.insert(process(1));
    world.object.primary = 2;
    let ticket = world.write(3);
    world.run(6 * SECOND);
    assert_eq!(world.outcome(ticket), returned(3));
    let open: Vec<SessionId> = world
        .object
        .sessions
        .open
        .iter()
        .map(|one| one.id)
        .collect();
    assert!(open.len() == 1 && open[0] != first, "{open:?}");
}

#[test]
fn a_handle_with_a_write_in_doubt_keeps_its_session() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let first = world.object.sessions.open[0].id;
    world.frozen.insert(process(1));
    let timeout = Duration::from_millis(100);
    let doubtful = world.invoke(Invocation {
        timeout,
        ..world.invocation(true, 2)
    });
    world.run(Duration::from_millis(150));
    assert!(matches!(world.outcome(doubtful), Outcome::Indeterminate(_)));
    world.frozen.clear();
    world.now = world.now + Duration::from_secs(301);
    let ticket = world.write(3);
    world.settle();
    assert_eq!(world.outcome(ticket), returned(3));
    assert_eq!(world.object.sessions.open[0].id, first);
}

#[test]
fn deadlines_say_what_is_known() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    for number in 1..=3 {
        world.frozen.insert(process(number));
    }
    let silent = world.write(2);
    world.run(6 * SECOND);
    assert_eq!(
        world.outcome(silent),
        Outcome::Indeterminate(Cause::Unreachable)
    );

    world.frozen.clear();
    let mut world = World::new();
    world.gone.extend([process(1), process(2), process(3)]);
    let never = world.write(1);
    world.run(6 * SECOND);
    assert_eq!(
        world.outcome(never),
        Outcome::NotExecuted(Cause::Unreachable)
    );

    let mut world = World::new();
    world.write(1);
    world.settle();
    world.gone.extend([process(1), process(2)]);
    let alone = world.write(2);
    world.run(6 * SECOND);
    assert_eq!(
        world.outcome(alone),
        Outcome::Indeterminate(Cause::NoQuorum)
    );
    let later = world.write(3);
    world.run(6 * SECOND);
    assert_eq!(world.outcome(later), Outcome::NotExecuted(Cause::NoQuorum));
}

#[test]
fn a_short_deadline_of_a_primary_that_is_not_doubted_is_a_deadline() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    world.frozen.insert(process(1));
    let timeout = Duration::from_millis(100);
    let ticket = world.invoke(Invocation {
        timeout,
        ..world.invocation(true, 2)
    });
    world.run(Duration::from_millis(150));
    assert_eq!(
        world.outcome(ticket),
        Outcome::Indeterminate(Cause::Deadline)
    );
}

#[test]
fn a_call_whose_time_is_up_opens_no_further_sessions() {
    let mut world = World::new();
    let ticket = world.write(1);
    world.now = world.now + 20 * SECOND;
    let refused = Reply::Refused(Refusal::Final(Cause::Deadline));
    world.answer_oldest(refused);
    assert_eq!(world.requests(), []);
    world.tick();
    assert!(matches!(world.outcome(ticket), Outcome::NotExecuted(_)));
}

#[test]
fn a_withdrawn_call_leaves_no_gap_and_no_answer() {
    let mut world = World::new();
    let first = world.write(1);
    let second = world.write(2);
    let third = world.write(3);
    world.client.cancel(world.now, second, &mut world.fx);
    world.collect();
    world.settle();
    assert_eq!(world.outcome(first), returned(1));
    assert_eq!(world.outcome(third), returned(3));
    assert!(!world.ended.contains_key(&second));
    assert_eq!(world.object.log, [1, 3]);

    let started = world.write(4);
    let next = world.write(5);
    world.client.cancel(world.now, started, &mut world.fx);
    world.collect();
    assert!(matches!(
        world.wire.back(),
        Some((_, _, Message::Cancel { .. }))
    ));
    world.wire.pop_front();
    world.run(SECOND);
    assert_eq!(world.outcome(next), returned(5), "although 4 never arrived");
    assert_eq!(world.object.log, [1, 3, 5]);
}

#[test]
fn a_one_way_call_goes_on_when_its_future_is_dropped() {
    let mut world = World::new();
    let ticket = world.invoke(Invocation {
        one_way: true,
        ..world.invocation(true, 1)
    });
    world.client.cancel(world.now, ticket, &mut world.fx);
    world.settle();
    assert_eq!(world.outcome(ticket), returned(1));
}

#[test]
fn a_deleted_object_ends_its_calls() {
    let mut world = World::new();
    let ticket = world.read();
    let away = Refusal::Elsewhere(Sighting::Deleted);
    world.answer_oldest(Reply::Refused(away));
    assert_eq!(world.outcome(ticket), Outcome::NotExecuted(Cause::Deleted));
    let later = world.write(1);
    assert_eq!(world.outcome(later), Outcome::NotExecuted(Cause::Deleted));
    assert!(world.wire.is_empty(), "a deleted object is not asked again");
}

#[test]
fn the_directory_finds_an_object_whose_members_all_changed() {
    let mut world = World::new();
    let target = world.reference();
    world.object.configuration = configuration(5, &[4, 5, 6]);
    world.object.primary = 5;
    world.gone.extend([process(1), process(2), process(3)]);
    let ticket = world.invoke(Invocation {
        target,
        ..world.invocation(true, 1)
    });
    world.run(SECOND);
    assert_eq!(world.fx.lookups.first(), Some(&OBJECT));
    let stale = configuration(9, &[7, 8, 9]);
    let records: Vec<Bytes> = [stale, world.object.configuration.clone()]
        .iter()
        .map(|set| SlotRecord::new(OBJECT.slot(), set.processes()))
        .map(|record| record.encode().unwrap())
        .collect();
    world
        .client
        .on_directory(world.now, OBJECT, &records, &mut world.fx);
    world
        .client
        .on_directory(world.now, OBJECT, &[Bytes::from("?")], &mut world.fx);
    world.collect();
    world.run(SECOND);
    assert_eq!(
        world.outcome(ticket),
        returned(1),
        "a record that names nobody who knows is no obstacle"
    );
    assert_eq!(world.client.place_of(OBJECT).unwrap().epoch.number, 5);
}

#[test]
fn where_nobody_is_known_this_process_is_asked_first() {
    let mut world = World::new();
    world.invoke(Invocation {
        target: reference(None),
        ..world.invocation(true, 1)
    });
    let asked = world.wire.iter().map(|(_, to, message)| (*to, message));
    let question = Message::Where {
        object: OBJECT,
        suspect: None,
    };
    assert_eq!(asked.collect::<Vec<_>>(), [(world.me, &question)]);
}

#[test]
fn a_hint_of_one_handle_serves_those_that_search() {
    let mut world = World::new();
    let searching = world.invoke(Invocation {
        target: reference(None),
        ..world.invocation(true, 1)
    });
    world.settle();
    assert!(!world.ended.contains_key(&searching), "nobody knows where");
    let hinted = world.invoke(Invocation {
        handle: HandleId(2),
        ..world.invocation(true, 2)
    });
    world.run(Duration::from_millis(50));
    assert!(world.ended.contains_key(&hinted));
    assert!(world.ended.contains_key(&searching));
}

#[test]
fn a_call_that_was_turned_away_follows_one_that_was_answered() {
    let mut world = World::new();
    world.write(1);
    world.settle();
    let turned_away = world.read();
    let answered = world.invoke(Invocation {
        handle: HandleId(2),
        ..world.invocation(false, 0)
    });
    world.answer_oldest(Reply::Refused(Refusal::Elsewhere(Sighting::Member {
        configuration: configuration(1, &[1, 2, 3]),
        primary: None,
    })));
    world.answer_oldest(done(returned(7), 1));
    assert_eq!(world.outcome(answered), returned(7));
    world.run(Duration::from_millis(50));
    assert_eq!(world.outcome(turned_away), returned(1));
}

#[test]
fn in_a_small_cluster_everybody_is_asked_in_the_end() {
    let mut world = World::new();
    world
        .client
        .on_view(MembershipView::new(1, (1..=6).map(member).collect()));
    let target = reference(None);
    let ticket = world.invoke(Invocation {
        target,
        ..world.invocation(true, 1)
    });
    world.settle();
    assert_eq!(world.fx.lookups, [OBJECT]);
    world
        .client
        .on_directory_exhausted(world.now, OBJECT, &mut world.fx);
    world.collect();
    assert_eq!(world.wire.len(), 6);
    world.settle();
    assert_eq!(world.outcome(ticket), returned(1));
}

#[test]
fn a_host_that_only_knows_where_an_object_once_went_does_not_end_the_search() {
    let mut world = World::new();
    let hosts = [3, 4, 5, 6].into_iter().map(member).collect();
    world.client.on_view(MembershipView::new(1, hosts));
    let target = world.reference();
    world.object.configuration = configuration(5, &[4, 5, 6]);
    world.object.primary = 5;
    world.gone.extend([1, 2, 7].map(process));
    let ticket = world.invoke(Invocation {
        target,
        ..world.invocation(true, 1)
    });
    for _ in 0..30 {
        let once = Sighting::Member {
            configuration: configuration(2, &[1, 2, 7]),
            primary: Some(0),
        };
        let (now, fx) = (world.now, &mut world.fx);
        world.client.on_here(now, process(3), OBJECT, once, fx);
        if !world.fx.lookups.is_empty() {
            let (now, fx) = (world.now, &mut world.fx);
            world.client.on_directory_exhausted(now, OBJECT, fx);
        }
        world.collect();
        world.run(SECOND / 10);
    }
    assert_eq!(world.outcome(ticket), returned(1));
}

#[test]
fn an_object_that_nobody_knows_is_not_found_early() {
    let mut world = World::new();
    world
        .client
        .on_view(MembershipView::new(1, (4..=6).map(member).collect()));
    let target = reference(None);
    let timeout = 30 * SECOND;
    let ticket = world.invoke(Invocation {
        target,
        timeout,
        ..world.invocation(false, 0)
    });
    world
        .client
        .on_directory_exhausted(world.now, OBJECT, &mut world.fx);
    world.run(3 * SECOND);
    assert_eq!(world.outcome(ticket), Outcome::NotExecuted(Cause::NotFound));
}

#[test]
fn a_slot_in_which_nobody_who_lives_knows_the_object_does_not_hold_up_the_answer() {
    let mut world = World::new();
    let hosts = (4..=6).map(member).collect();
    world.client.on_view(MembershipView::new(1, hosts));
    world.gone.insert(process(9));
    let ticket = world.invoke(Invocation {
        target: reference(None),
        timeout: 30 * SECOND,
        ..world.invocation(false, 0)
    });
    world.settle();
    let holders = SlotRecord::new(OBJECT.slot(), [9, 4, 5].map(process));
    let (now, record) = (world.now, holders.encode().unwrap());
    let (client, fx) = (&mut world.client, &mut world.fx);
    client.on_directory(now, OBJECT, &[record.clone(), record], fx);
    client.on_directory_exhausted(now, OBJECT, fx);
    world.collect();
    assert_eq!(world.wire.len(), 3, "each holder is asked once");
    world.run(3 * SECOND);
    assert_eq!(world.outcome(ticket), Outcome::NotExecuted(Cause::NotFound));
}

#[test]
fn of_many_holders_so_many_are_remembered_as_a_record_has() {
    let mut world = World::new();
    let reference = reference(None);
    world.invoke(Invocation {
        target: reference,
        ..world.invocation(false, 0)
    });
    for first in (10..200).step_by(HOLDERS_MAX) {
        let holders = (first..).take(HOLDERS_MAX).map(process);
        let record = SlotRecord::new(OBJECT.slot(), holders).encode().unwrap();
        let (now, fx) = (world.now, &mut world.fx);
        world.client.on_directory(now, OBJECT, &[record], fx);
        let table = world
            .client
            .tables()
            .find(|one| one.name == "place.holders");
        assert_eq!(table.map(|one| (one.len, one.cap)), Some((32, HOLDERS_MAX)));
    }
}

fn nested(world: &World, ordinal: u32, holds: &[u128]) -> Invocation {
    let chain = CallChain {
        root: RootId { began: 3, call: 9 },
        call: 77,
        holds: holds.iter().map(|id| ObjectId(*id)).collect(),
    };
    Invocation {
        parent: Some(Parent { chain, ordinal }),
        handle: HandleId(2),
        ..world.invocation(true, 1)
    }
}

#[test]
fn nested_calls_carry_an_id_that_names_exactly_them() {
    let mut world = World::new();
    let first = world.invoke(nested(&world, 0, &[1, 2]));
    let waiting = world.invoke(nested(&world, 1, &[1, 2]));
    let calls = world.calls();
    assert_eq!(calls.len(), 1, "in the order made, without a session");
    let Position::Nested { source, id } = calls[0].position else {
        panic!("{:?}", calls[0].position)
    };
    assert_eq!((source, calls[0].chain.call), (ObjectId(2), id));
    assert_eq!(calls[0].chain.root, RootId { began: 3, call: 9 });
    let open = world.client.open_nested_of(ObjectId(2));
    assert_eq!(open.len(), 2);
    assert_eq!(
        (open[0].target, open[0].primary, open[0].call),
        (OBJECT, Some(process(1)), id)
    );
    world.settle();
    assert!(world.client.open_nested_of(ObjectId(2)).is_empty());
    assert_eq!(
        (world.outcome(first), world.outcome(waiting)),
        (returned(1), returned(1))
    );

    world.invoke(nested(&world, 0, &[1, 2]));
    let again = world.calls()[0].position;
    assert_eq!(
        again,
        Position::Nested { source, id },
        "a re-run of the parent repeats the id"
    );
    world.settle();
    assert_eq!(world.object.log, [1, 1]);
    let other = Invocation {
        arguments: Bytes::from(vec![2]),
        ..nested(&world, 0, &[1, 2])
    };
    world.invoke(other);
    assert_ne!(
        world.calls()[0].position,
        again,
        "another branch makes another call"
    );
}

#[test]
fn a_chain_that_comes_back_is_a_deadlock() {
    let mut world = World::new();
    let ticket = world.invoke(nested(&world, 0, &[1, OBJECT.0, 2]));
    assert_eq!(world.outcome(ticket), Outcome::Failed(Failure::Deadlock));
}

#[test]
fn an_outbox_call_is_delivered_once_and_its_end_reported() {
    let mut world = World::new();
    let call = Deferred {
        target: world.reference(),
        method: MethodId::of("push"),
        name: String::from("push"),
        arguments: Bytes::from(vec![8]),
    };
    for _ in 0..2 {
        world
            .client
            .deliver_outbox(world.now, ObjectId(3), 4, &call, &mut world.fx);
    }
    world.collect();
    assert_eq!(world.calls().len(), 1);
    world.settle();
    assert_eq!(world.fx.outbox_done, [(ObjectId(3), 4, returned(8))]);
    world
        .client
        .deliver_outbox(world.now, ObjectId(3), 4, &call, &mut world.fx);
    world.collect();
    world.settle();
    assert_eq!(
        world.object.log,
        [8],
        "another primary's delivery finds that it ran"
    );
}

#[test]
fn deletions_and_inspections_end() {
    let mut world = World::new();
    let target = world.reference();
    world
        .client
        .delete(world.now, Ticket(50), &target, SECOND, &mut world.fx);
    world
        .client
        .inspect(world.now, Ticket(51), &target, SECOND, &mut world.fx);
    world.collect();
    let asks: Vec<Ask> = world
        .requests()
        .into_iter()
        .map(|(_, request)| request.ask)
        .collect();
    assert_eq!(
        asks,
        [
            Ask::Delete {
                position: Position::Unordered
            },
            Ask::Inspect
        ]
    );
    world.settle();
    assert_eq!(world.outcome(Ticket(50)), Outcome::Returned(Bytes::new()));
    assert!(matches!(
        world.fx.inspected[..],
        [(Ticket(51), Err(Cause::UnknownKind(_)))]
    ));
}

#[test]
fn more_calls_than_the_caps_are_refused() {
    let config = ClientConfig {
        calls_per_handle: 2,
        calls: 3,
        ..ClientConfig::default()
    };
    let mut world = World::with(config);
    world.read();
    world.read();
    let third = world.read();
    assert!(matches!(
        world.outcome(third),
        Outcome::NotExecuted(Cause::Overloaded(_))
    ));
    world.settle();
    let fourth = world.read();
    world.settle();
    assert_eq!(world.outcome(fourth), returned(0));
    let arguments = Bytes::from(vec![0; super::ARGUMENT_BYTES_MAX + 1]);
    let fifth = world.invoke(Invocation {
        arguments,
        ..world.invocation(true, 1)
    });
    assert!(matches!(
        world.outcome(fifth),
        Outcome::NotExecuted(Cause::TooLarge { .. })
    ));
}

#[test]
fn a_surplus_session_is_closed() {
    let mut world = World::new();
    world.write(1);
    let (_, _, message) = world.wire.pop_front().unwrap();
    let Some(late) = world.object.answer(process(1), message) else {
        panic!("no session")
    };
    world
        .client
        .on_link_down(world.now, process(1), LinkDown::Closed, &mut world.fx);
    world.collect();
    world.settle();
    assert_eq!(world.object.sessions.open.len(), 2);
    world.deliver(process(1), world.me, late);
    world.settle();
    assert_eq!(world.object.sessions.open.len(), 1);
}

#[test]
fn answers_of_strangers_are_ignored() {
    let mut world = World::new();
    let ticket = world.read();
    let id = world.requests()[0].1.id;
    let forged = done(returned(9), 1);
    for from in [process(2), process(50)] {
        world
            .client
            .on_reply(world.now, from, id, forged.clone(), &mut world.fx);
        world
            .client
            .on_reply(world.now, from, id ^ 1, forged.clone(), &mut world.fx);
    }
    world
        .client
        .on_reply(world.now, process(1), u64::MAX, forged, &mut world.fx);
    world.collect();
    world.settle();
    assert_eq!(world.outcome(ticket), returned(0));
}

#[test]
fn the_hosts_budget_ends_before_the_callers() {
    let mut world = World::new();
    world.read();
    let budget = world.requests()[0].1.budget;
    assert_eq!(budget, Duration::from_millis(4900));
}

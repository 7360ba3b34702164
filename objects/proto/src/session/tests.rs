//! Which calls run, by the session table alone.

use bytes::Bytes;
use overlay_proto::{Incarnation, PeerId};

use super::Position;
use super::*;
use crate::outcome::Failure;

const ID: SessionId = SessionId {
    lineage: Lineage { number: 0, tag: 0 },
    version: Version(1),
};

fn owner() -> ProcessId {
    ProcessId {
        peer: PeerId([1; 32]),
        incarnation: Incarnation(1),
    }
}

fn table() -> Sessions {
    let mut table = Sessions::default();
    table.apply(&SessionOp::Open {
        id: ID,
        owner: owner(),
    });
    table
}

fn numbered(number: u64, predecessor: u64, floor: u64) -> Position {
    Position::Numbered {
        session: ID,
        number,
        predecessor,
        floor,
    }
}

fn run(table: &mut Sessions, position: Position, result: &'static [u8]) {
    let version = Version(100);
    let Some(origin) = Origin::of(&position) else {
        panic!("a call without origin leaves nothing");
    };
    table.apply(&SessionOp::Ran {
        origin,
        version,
        hash: 9,
        outcome: Outcome::Returned(Bytes::from_static(result)),
    });
}

#[test]
fn a_repeat_gets_the_first_answer_and_another_call_under_its_number_none() {
    let mut table = table();
    assert_eq!(table.decide(&numbered(1, 0, 1), 9, 0), Decision::Run);
    run(&mut table, numbered(1, 0, 1), b"one");
    let Decision::Repeat(entry) = table.decide(&numbered(1, 0, 1), 9, 0) else {
        panic!("the call ran");
    };
    assert_eq!(entry.outcome, Outcome::Returned(Bytes::from_static(b"one")));
    assert_eq!(table.decide(&numbered(1, 0, 1), 8, 0), Decision::IdReused);
}

#[test]
fn a_call_waits_for_its_predecessor_and_closes_what_is_below() {
    let mut table = table();
    assert_eq!(table.decide(&numbered(3, 2, 1), 9, 0), Decision::Gap);
    assert_eq!(table.decide(&numbered(3, 2, 1), 9, 2), Decision::Run);
    assert_eq!(table.decide(&numbered(3, 2, 3), 9, 0), Decision::Run);
    run(&mut table, numbered(3, 0, 1), b"three");
    assert_eq!(table.decide(&numbered(2, 1, 1), 9, 0), Decision::Closed);
    assert_eq!(table.decide(&numbered(4, 3, 1), 9, 0), Decision::Run);
}

#[test]
fn a_settled_call_is_forgotten_and_never_runs_again() {
    let mut table = table();
    run(&mut table, numbered(1, 0, 1), b"one");
    run(&mut table, numbered(2, 1, 2), b"two");
    assert_eq!(table.open[0].entries.len(), 1);
    assert_eq!(table.decide(&numbered(1, 0, 1), 9, 0), Decision::Closed);
}

#[test]
fn nothing_runs_under_a_session_that_is_not_known() {
    let mut table = table();
    table.apply(&SessionOp::Close(ID));
    let read = Position::After {
        session: ID,
        predecessor: 0,
        floor: 0,
    };
    assert_eq!(
        table.decide(&numbered(1, 0, 1), 9, 0),
        Decision::UnknownSession
    );
    assert_eq!(table.decide(&read, 9, 0), Decision::UnknownSession);
}

#[test]
fn an_outbox_call_below_the_newest_is_known_to_have_run() {
    let mut table = Sessions::default();
    let call = |number| Position::Outbox {
        source: ObjectId(5),
        number,
    };
    run(&mut table, call(4), b"four");
    let Decision::Repeat(older) = table.decide(&call(3), 1, 0) else {
        panic!("a lower number ran");
    };
    assert_eq!(older.outcome, Outcome::Executed);
    assert_eq!(table.decide(&call(5), 1, 0), Decision::Run);
}

#[test]
fn nested_calls_are_known_by_their_id_and_bounded() {
    let mut table = Sessions::default();
    let call = |id| Position::Nested {
        source: ObjectId(5),
        id,
    };
    for id in 0..=NESTED_KEPT_MAX as u128 {
        run(&mut table, call(id), b"");
    }
    assert_eq!(table.callers[0].nested.len(), NESTED_KEPT_MAX);
    assert!(matches!(table.decide(&call(64), 9, 0), Decision::Repeat(_)));
    assert_eq!(table.decide(&call(64), 8, 0), Decision::IdReused);
}

#[test]
fn a_large_answer_is_kept_while_there_is_room_and_a_failure_stays_a_failure() {
    let large = Outcome::Returned(Bytes::from(alloc::vec![0; 2048]));
    assert_eq!(Sessions::kept(&large, 0), large);
    assert_eq!(Sessions::kept(&large, SESSION_BYTES_MAX), Outcome::Executed);
    let error = Outcome::Failed(Failure::Returned(Bytes::from(alloc::vec![0; 2048])));
    assert!(matches!(
        Sessions::kept(&error, SESSION_BYTES_MAX),
        Outcome::Failed(_)
    ));
}

#[test]
fn a_full_table_admits_only_calls_that_settle_others() {
    let mut table = table();
    let mut number = 1;
    loop {
        let position = numbered(number, number - 1, 1);
        if !Origin::of(&position).is_some_and(|origin| table.may_run(&origin)) {
            break;
        }
        run(&mut table, position, &[0; 512]);
        number += 1;
    }
    assert!(table.bytes() <= SESSION_BYTES_MAX + OUTCOME_KEPT_MAX);
    let settling = numbered(number, number - 1, number);
    assert!(Origin::of(&settling).is_some_and(|origin| table.may_run(&origin)));
    run(&mut table, settling, b"");
    assert_eq!(table.open[0].entries.len(), 1);
}

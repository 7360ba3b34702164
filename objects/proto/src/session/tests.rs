//! Which calls run, by the session table alone.

use alloc::vec::Vec;

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
    let numbered = numbered(1, 0, 1);
    let origin = Origin::of(&numbered).expect("a write");
    let large = Outcome::Returned(Bytes::from(alloc::vec![0; 2048]));
    let kept = |outcome: &Outcome, held| Sessions::kept(&origin, outcome, held);
    assert_eq!(kept(&large, 0), large);
    assert_eq!(kept(&large, SESSION_BYTES_MAX), Outcome::Executed);
    let error = Outcome::Failed(Failure::Returned(Bytes::from(alloc::vec![0; 2048])));
    let failed = kept(&error, SESSION_BYTES_MAX);
    assert!(matches!(failed, Outcome::Failed(_)));
    let source = ObjectId(5);
    let outbox = Origin::Outbox { source, number: 1 };
    let small = Outcome::Returned(Bytes::from_static(b"small"));
    assert_eq!(Sessions::kept(&outbox, &small, 0), Outcome::Executed);
}

#[test]
fn dropped_answers_leave_it_known_that_their_calls_ran() {
    let mut table = table();
    run(&mut table, numbered(1, 0, 1), &[1; 2000]);
    run(&mut table, numbered(2, 1, 1), b"two");
    let drop = |until, larger_than| SessionOp::DropAnswers {
        until: Version(until),
        larger_than,
    };
    let full = table.bytes();
    table.apply(&drop(99, 0));
    assert_eq!(table.bytes(), full, "they are newer");
    table.apply(&drop(100, OUTCOME_KEPT_MAX as u32));
    assert_eq!(table.bytes(), full - 2000);
    let outcome = |table: &Sessions, number| match table.decide(&numbered(number, 0, 1), 9, 0) {
        Decision::Repeat(entry) => entry.outcome,
        other => panic!("{other:?}: an expired answer is no leave to run"),
    };
    assert_eq!(outcome(&table, 1), Outcome::Executed);
    assert_eq!(
        outcome(&table, 2),
        Outcome::Returned(Bytes::from_static(b"two"))
    );
    table.apply(&drop(100, 0));
    assert_eq!(outcome(&table, 2), Outcome::Executed);
}

#[test]
fn forgetting_awaited_calls_leaves_what_an_outbox_reached() {
    let mut table = Sessions::default();
    let nested = |source, id| Position::Nested {
        source: ObjectId(source),
        id,
    };
    run(&mut table, nested(5, 1), b"");
    run(&mut table, nested(6, 1), b"");
    let source = ObjectId(6);
    run(&mut table, Position::Outbox { source, number: 4 }, b"");
    for source in [5, 6, 7] {
        table.apply(&SessionOp::Forget {
            source: ObjectId(source),
            until: Version(100),
        });
    }
    assert_eq!(table.decide(&nested(6, 1), 9, 0), Decision::Run);
    let sources: Vec<ObjectId> = table.callers.iter().map(|caller| caller.source).collect();
    assert_eq!(sources, [ObjectId(6)]);
    let before = Position::Outbox { source, number: 3 };
    assert!(matches!(table.decide(&before, 9, 0), Decision::Repeat(_)));
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

//! Stories of what is forgotten: by a version, on all replicas alike, and never so that a call
//! runs twice.

use alloc::vec;

use bytes::Bytes;

use super::story::*;
use super::world::*;
use crate::message::{Ask, Position, Refusal, Reply};
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome};
use crate::register::{Mutation, Note};
use crate::session::{SESSION_BYTES_MAX, SessionId, Sessions};

const IDLE_MILLIS: u64 = 601_000;

fn open(story: &mut Story, to: usize) -> Option<SessionId> {
    let id = story.ask(to, 0, Ask::OpenSession);
    story.flow();
    match story.reply(id) {
        Some(Reply::Session(session)) => Some(*session),
        Some(Reply::Refused(Refusal::Final(Cause::Overloaded(_)))) => None,
        other => panic!("{other:?}"),
    }
}

fn under(session: SessionId, number: u64) -> Position {
    Position::Numbered {
        session,
        number,
        predecessor: number - 1,
        floor: 1,
    }
}

const fn nested(id: u128) -> Position {
    Position::Nested {
        source: ObjectId(5),
        id,
    }
}

fn sessions(story: &Story, host: usize) -> &Sessions {
    let held = story.world.replica(host).value();
    held.map(|(_, _, value)| &value.sessions).expect("a value")
}

/// Nothing happens for so long.
fn rest(story: &mut Story, millis: u64) {
    story.world.pass(millis);
    story.flow();
}

#[test]
fn an_idle_session_is_closed_with_the_next_version_and_runs_nothing_anywhere() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let busy = open(&mut story, 0).expect("room");
    story.append(0, 1, 7);
    rest(&mut story, IDLE_MILLIS);
    for host in 0..3 {
        assert!(
            sessions(&story, host).session(BORN).is_some(),
            "time alone closes nothing"
        );
    }
    let runs = story.world.runs;
    story.call(0, "append", under(busy, 1), 8);
    assert_eq!(story.world.runs, runs + 1);
    assert!(story.notes(0).contains(&Note::Expired(1)));
    for host in 0..3 {
        assert!(sessions(&story, host).session(BORN).is_none());
        assert!(sessions(&story, host).session(busy).is_some());
    }
    story.cut = vec![0];
    story.stand(1);
    let repeated = story.append(1, 1, 7);
    assert_eq!(repeated, Reply::Refused(Refusal::UnknownSession));
    assert_eq!(story.list(1), [7, 8]);
}

#[test]
fn what_is_forgotten_and_not_shipped_makes_copies_differ() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let busy = open(&mut story, 0).expect("room");
    story.world.mutation = Some(Mutation::ExpiryUnshipped);
    rest(&mut story, IDLE_MILLIS);
    story.call(0, "append", under(busy, 1), 8);
    assert_ne!(sessions(&story, 0), sessions(&story, 1));
}

#[test]
fn a_new_primary_takes_nobody_for_idle_before_it_has_waited_itself() {
    let mut story = Story::new(3, &[0, 1, 2]);
    let other = open(&mut story, 0).expect("room");
    rest(&mut story, IDLE_MILLIS);
    story.cut = vec![0];
    story.stand(1);
    story.call(1, "append", under(other, 1), 8);
    assert!(sessions(&story, 1).session(BORN).is_some());
    rest(&mut story, IDLE_MILLIS);
    story.call(1, "append", under(other, 2), 8);
    assert!(sessions(&story, 1).session(BORN).is_none());
}

#[test]
fn a_full_table_refuses_sessions_until_some_are_idle() {
    let mut story = Story::new(1, &[0]);
    let mut opened = 0;
    while open(&mut story, 0).is_some() {
        opened += 1;
    }
    assert!(opened > 400);
    rest(&mut story, IDLE_MILLIS);
    assert!(open(&mut story, 0).is_some());
    assert_eq!(sessions(&story, 0).open.len(), 1);
}

#[test]
fn a_call_finds_room_where_an_opening_does() {
    let mut story = Story::new(1, &[0]);
    let active = open(&mut story, 0).expect("room");
    while open(&mut story, 0).is_some() {}
    let mut number = 0;
    let full = loop {
        number += 1;
        let reply = story.call(0, "append", under(active, number), 1);
        if !matches!(reply, Reply::Done { .. }) {
            break reply;
        }
    };
    assert!(
        matches!(&full, Reply::Refused(Refusal::Final(Cause::Overloaded(_)))),
        "{full:?}"
    );
    rest(&mut story, IDLE_MILLIS);
    story.ask(0, 0, call("list", after(active), 0));
    story.flow();
    let reply = story.call(0, "append", under(active, number), 1);
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    assert_eq!(sessions(&story, 0).open.len(), 1, "the active one is used");
}

const fn after(session: SessionId) -> Position {
    Position::After {
        session,
        predecessor: 0,
        floor: 1,
    }
}

#[test]
fn large_answers_make_room_and_their_calls_are_known_to_have_run() {
    let mut story = Story::with_state(1, &[0], Bytes::from(vec![7; 40 * 1024]));
    let session = open(&mut story, 0).expect("room");
    // A read in a numbered place answers with the whole list, and that is remembered.
    for number in 1..=2 {
        let reply = story.call(0, "list", under(session, number), 1);
        assert!(matches!(reply, Reply::Done { .. }));
    }
    assert!(sessions(&story, 0).bytes() > 40 * 1024);
    while open(&mut story, 0).is_some() {
        assert!(sessions(&story, 0).bytes() <= SESSION_BYTES_MAX);
        if sessions(&story, 0).open.len() > 300 {
            break;
        }
    }
    assert!(sessions(&story, 0).open.len() > 300, "the answers gave way");
    let runs = story.world.runs;
    let repeated = story.call(0, "list", under(session, 1), 1);
    assert!(
        matches!(
            &repeated,
            Reply::Done {
                outcome: Outcome::Executed,
                ..
            }
        ),
        "{repeated:?}"
    );
    assert_eq!(story.world.runs, runs);
}

#[test]
fn awaited_calls_are_forgotten_by_a_version_once_they_are_too_old() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.call(0, "append", nested(1), 7);
    rest(&mut story, 300_000);
    story.append(0, 1, 8);
    let runs = story.world.runs;
    story.call(0, "append", nested(1), 7);
    assert_eq!(story.world.runs, runs, "it is not too old yet");
    rest(&mut story, IDLE_MILLIS);
    story.append(0, 2, 9);
    for host in 0..3 {
        assert!(sessions(&story, host).callers.is_empty());
    }
    assert_eq!(story.list(0), [7, 8, 9]);
}

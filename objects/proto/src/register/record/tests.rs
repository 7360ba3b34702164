//! The acceptor's rules, one by one.

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Incarnation, PeerId, ProcessId};

use super::*;
use crate::message::Outbox;
use crate::mode::Mode;
use crate::object::{Lineage, Replica as Member};
use crate::session::Sessions;

fn value(state: &'static [u8]) -> Value {
    Value {
        mode: Mode::Strong,
        kind: "List".into(),
        kind_version: 1,
        factor: 3,
        state: Bytes::from_static(state),
        sessions: Sessions::default(),
        outbox: Outbox::default(),
        status: Status::Live,
    }
}

fn set() -> Configuration {
    Configuration {
        epoch: Epoch {
            lineage: Lineage::default(),
            number: 1,
        },
        members: (0..3)
            .map(|index| Member {
                process: ProcessId {
                    peer: PeerId([index; 32]),
                    incarnation: Incarnation(0),
                },
                stamp: 1,
            })
            .collect(),
        forks: Vec::new(),
        seal: None,
    }
}

fn full(state: &'static [u8]) -> Change {
    Change::Full {
        configuration: set(),
        value: value(state),
    }
}

fn step(base: u64, state: &'static [u8]) -> Change {
    Change::Step {
        base: Version(base),
        state: StateChange::Whole(Bytes::from_static(state)),
        sessions: Vec::new(),
        outbox: Vec::new(),
        status: None,
    }
}

const fn ballot(round: u32, member: u8) -> Ballot {
    Ballot { round, member }
}

fn record() -> Record {
    let held = Held {
        ballot: ballot(1, 0),
        version: Version(5),
        value: value(b"five"),
    };
    Record::holding(set(), Some(1), 1, held)
}

fn state(record: &Record) -> &[u8] {
    record
        .accepted
        .as_ref()
        .map_or(b"", |held| &held.value.state)
}

#[test]
fn a_step_is_taken_only_from_its_base_under_its_ballot() {
    let mut record = record();
    let need = AcceptAnswer::NeedFull;
    assert_eq!(
        record.accept(ballot(1, 0), Version(7), step(6, b"no"), None),
        need
    );
    assert_eq!(
        record.accept(ballot(2, 2), Version(6), step(5, b"no"), None),
        need
    );
    assert_eq!(
        record.promised,
        ballot(1, 0),
        "what is not stored promises nothing"
    );
    let stored = AcceptAnswer::Stored(Version(6));
    assert_eq!(
        record.accept(ballot(1, 0), Version(6), step(5, b"six"), None),
        stored
    );
    assert_eq!(
        record.accept(ballot(1, 0), Version(6), step(5, b"again"), None),
        stored
    );
    assert_eq!(state(&record), b"six");
}

#[test]
fn only_the_named_value_is_kept_for_a_later_ballot() {
    let kept = |from| Change::Kept { from };
    let need = AcceptAnswer::NeedFull;
    let mut record = record();
    let (mine, other, next) = (ballot(1, 0), ballot(1, 2), ballot(2, 2));
    assert_eq!(record.accept(next, Version(5), kept(other), None), need);
    assert_eq!(record.accept(next, Version(4), kept(mine), None), need);
    assert_eq!(record.promised, mine, "what is not stored promises nothing");
    let broken = Some(Mutation::KeptByVersion);
    let taken = record.clone().accept(next, Version(5), kept(other), broken);
    assert_eq!(taken, AcceptAnswer::Stored(Version(5)), "not told apart");
    let stored = AcceptAnswer::Stored(Version(5));
    assert_eq!(record.accept(next, Version(5), kept(mine), None), stored);
    assert_eq!(record.newest(), (next, Version(5)));
    assert_eq!(record.accept(next, Version(5), kept(mine), None), stored);
    let lower = record.accept(ballot(2, 1), Version(5), kept(next), None);
    assert_eq!(lower, AcceptAnswer::Rejected(next));
}

/// Two members may have different values at one version under the lowest ballot.
#[test]
fn a_value_that_came_too_late_is_not_kept_for_a_later_ballot() {
    let mut record = Record::empty(set(), Some(1), 1);
    assert_eq!(record.prepare(ballot(2, 2), Default::default()), Ok(None));
    record.accept(ballot(1, 0), Version(5), full(b"five"), None);
    let kept = Change::Kept {
        from: Ballot::default(),
    };
    let answer = record.accept(ballot(2, 2), Version(5), kept, None);
    assert_eq!(answer, AcceptAnswer::NeedFull);
}

#[test]
fn a_promise_is_kept_against_lower_ballots() {
    let mut record = record();
    let known = (ballot(1, 0), Version(4));
    let accepted = record.prepare(ballot(2, 2), known).unwrap_or_default();
    assert!(accepted.is_some_and(|accepted| accepted.value.is_some()));
    let rejected = AcceptAnswer::Rejected(ballot(2, 2));
    assert_eq!(
        record.accept(ballot(1, 0), Version(6), step(5, b"no"), None),
        rejected
    );
    assert_eq!(
        record.accept(ballot(2, 1), Version(9), full(b"no"), None),
        rejected
    );
    assert_eq!(record.prepare(ballot(2, 1), known), Err(ballot(2, 2)));
    assert!(
        record.prepare(ballot(2, 2), known).is_ok(),
        "the same candidate asks again"
    );
    assert_eq!(state(&record), b"five");
}

#[test]
fn a_value_of_a_higher_ballot_replaces_even_a_higher_version() {
    let mut record = record();
    let stored = AcceptAnswer::Stored(Version(4));
    assert_eq!(
        record.accept(ballot(2, 2), Version(4), full(b"four"), None),
        stored
    );
    assert_eq!(state(&record), b"four");
}

#[test]
fn a_late_full_value_of_the_same_ballot_does_not_go_back() {
    let mut record = record();
    let stored = AcceptAnswer::Stored(Version(5));
    assert_eq!(
        record.accept(ballot(1, 0), Version(3), full(b"three"), None),
        stored
    );
    assert_eq!(state(&record), b"five");
}

#[test]
fn a_value_that_the_candidate_has_is_not_sent_back() {
    let mut record = record();
    let known = (ballot(1, 0), Version(5));
    let accepted = record.prepare(ballot(2, 2), known).unwrap_or_default();
    assert!(accepted.is_some_and(|accepted| accepted.value.is_none()));
}

#[test]
fn an_empty_record_keeps_a_value_that_comes_too_late_without_a_vote() {
    let mut record = Record::empty(set(), Some(1), 1);
    assert_eq!(record.prepare(ballot(2, 2), Default::default()), Ok(None));
    let rejected = AcceptAnswer::Rejected(ballot(2, 2));
    assert_eq!(
        record.accept(ballot(1, 0), Version(5), full(b"five"), None),
        rejected
    );
    assert_eq!(record.newest(), (Ballot::default(), Version(5)));
    assert_eq!(
        record.accept(ballot(1, 0), Version(6), full(b"six"), None),
        rejected
    );
    assert_eq!(state(&record), b"five", "the first one stays");
    let stored = AcceptAnswer::Stored(Version(3));
    assert_eq!(
        record.accept(ballot(2, 2), Version(3), full(b"three"), None),
        stored
    );
}

#[test]
fn configurations_from_the_network_are_checked() {
    assert!(well_formed(&set()));
    let mut twice = set();
    twice.members = [twice.members[0]; 2].into();
    assert!(!well_formed(&twice));
    let mut empty = set();
    empty.members = [].into();
    assert!(!well_formed(&empty));
}

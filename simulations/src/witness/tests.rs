//! Hand-made histories of a counter: good ones pass, each kind of violation is caught.

use overlay_proto::Instant;

use super::*;
use crate::oracle::{End, Witness};

#[derive(Clone)]
struct Counter(u64);

#[derive(Clone, Copy)]
enum Operation {
    Add(u64),
    Read,
}

impl Model for Counter {
    type Operation = Operation;
    type Output = u64;

    fn apply(&mut self, operation: &Operation) -> u64 {
        if let Operation::Add(by) = operation {
            self.0 += by;
        }
        self.0
    }
}

#[derive(Default)]
struct Story(HistoryOf<Counter>);

impl Story {
    fn add(self, id: CallId, by: u64, times: (u64, u64), ok: Option<(u64, u64)>) -> Self {
        self.call(id, Operation::Add(by), times, ok)
    }

    fn read(self, id: CallId, times: (u64, u64), seen: u64, version: u64) -> Self {
        self.call(id, Operation::Read, times, Some((seen, version)))
    }

    /// `ok` is result and version; without it the call is indeterminate.
    fn call(
        mut self,
        id: CallId,
        operation: Operation,
        (invoked, returned): (u64, u64),
        ok: Option<(u64, u64)>,
    ) -> Self {
        let write = matches!(operation, Operation::Add(_));
        let invoked = Instant::from_micros(invoked);
        self.0.invoke(Call {
            id,
            handle: id,
            operation,
            write,
            invoked,
            end: None,
        });
        let class = ok.map_or(Class::Indeterminate, |(result, _)| Class::Ok(result));
        let witness = ok.map(|(_, version)| Witness { epoch: 1, version });
        let end = End {
            at: Instant::from_micros(returned),
            class,
            witness,
        };
        self.0.finish(id, end).unwrap();
        self
    }

    fn check(&self, log: &[CallId]) -> Result<(), &'static str> {
        self.0
            .check_effects(log)
            .map_err(|anomaly| anomaly.property)?;
        check(&Counter(0), &self.0, log).map_err(|anomaly| anomaly.property)
    }
}

#[test]
fn accepts_a_sequential_history() {
    let story = Story::default()
        .add(1, 5, (0, 10), Some((5, 2)))
        .read(2, (11, 20), 5, 2)
        .add(3, 7, (21, 30), Some((12, 4)))
        .read(4, (31, 40), 12, 4);
    assert_eq!(story.check(&[1, 3]), Ok(()));
}

#[test]
fn accepts_overlapping_calls_in_either_order() {
    let early = Story::default()
        .add(1, 5, (0, 50), Some((5, 2)))
        .read(2, (10, 20), 0, 1);
    assert_eq!(early.check(&[1]), Ok(()));
    let late = Story::default()
        .add(1, 5, (0, 50), Some((5, 2)))
        .read(2, (10, 20), 5, 2);
    assert_eq!(late.check(&[1]), Ok(()));
}

#[test]
fn an_indeterminate_write_may_take_effect_late_or_never() {
    let story = |seen, version| {
        Story::default()
            .add(1, 5, (0, 10), None)
            .add(2, 1, (20, 30), Some((1, 2)))
            .read(3, (40, 50), seen, version)
    };
    assert_eq!(story(1, 2).check(&[2]), Ok(()));
    assert_eq!(story(6, 3).check(&[2, 1]), Ok(()));
    assert_eq!(story(1, 2).check(&[2, 1]), Ok(()));
}

#[test]
fn catches_a_stale_read_by_its_version() {
    let story = Story::default()
        .add(1, 5, (0, 10), Some((5, 2)))
        .read(2, (11, 20), 0, 1);
    assert_eq!(story.check(&[1]), Err("no_stale_read"));
}

#[test]
fn catches_a_stale_read_whose_version_lies() {
    let story = Story::default()
        .add(1, 5, (0, 10), Some((5, 2)))
        .read(2, (11, 20), 0, 2);
    assert_eq!(story.check(&[1]), Err("results_of_the_model"));
}

#[test]
fn catches_a_stale_read_between_writes_of_unknown_version() {
    let story = Story::default()
        .add(1, 5, (0, 10), None)
        .read(2, (11, 20), 5, 2)
        .read(3, (21, 30), 0, 2);
    assert_eq!(story.check(&[1]), Err("no_stale_read"));
}

#[test]
fn catches_a_value_that_never_was() {
    let story = Story::default()
        .add(1, 5, (0, 10), Some((5, 2)))
        .read(2, (5, 20), 3, 1);
    assert_eq!(story.check(&[1]), Err("results_of_the_model"));
    let story = Story::default().add(1, 5, (0, 10), Some((6, 2)));
    assert_eq!(story.check(&[1]), Err("results_of_the_model"));
}

#[test]
fn catches_effects_against_real_time() {
    let story = Story::default()
        .add(1, 5, (0, 10), Some((6, 3)))
        .add(2, 1, (20, 30), None);
    assert_eq!(story.check(&[2, 1]), Err("real_time_order"));
}

#[test]
fn catches_one_version_claimed_twice_and_versions_against_the_log() {
    let twice = Story::default()
        .add(1, 5, (0, 10), Some((5, 2)))
        .add(2, 1, (0, 10), Some((6, 2)));
    assert_eq!(twice.check(&[1, 2]), Err("versions_follow_the_log"));
    let against =
        Story::default()
            .add(1, 5, (0, 10), Some((5, 3)))
            .add(2, 1, (0, 10), Some((6, 2)));
    assert_eq!(against.check(&[1, 2]), Err("versions_follow_the_log"));
}

/// A retried call is answered by a later replica set than the one that ran it.
#[test]
fn an_old_version_may_be_answered_by_a_new_replica_set() {
    let mut story = Story::default()
        .add(1, 5, (0, 50), None)
        .add(2, 1, (0, 10), Some((6, 3)));
    let end = |at, epoch, version, result| End {
        at: Instant::from_micros(at),
        class: Class::Ok(result),
        witness: Some(Witness { epoch, version }),
    };
    let mut history = HistoryOf::<Counter>::default();
    for call in story.0.calls() {
        history.invoke(Call {
            end: None,
            ..call.clone()
        });
    }
    history.finish(1, end(50, 2, 2, 5)).unwrap();
    history.finish(2, end(10, 1, 3, 6)).unwrap();
    story.0 = history;
    assert_eq!(story.check(&[1, 2]), Ok(()));
}

#[test]
fn catches_an_answer_by_a_replica_set_that_is_over() {
    let mut story = Story::default()
        .add(1, 5, (0, 10), None)
        .add(2, 1, (20, 30), None);
    let mut history = HistoryOf::<Counter>::default();
    for call in story.0.calls() {
        history.invoke(Call {
            end: None,
            ..call.clone()
        });
    }
    for (id, at, epoch, version, result) in [(1, 10, 2, 2, 5), (2, 30, 1, 3, 6)] {
        let end = End {
            at: Instant::from_micros(at),
            class: Class::Ok(result),
            witness: Some(Witness { epoch, version }),
        };
        history.finish(id, end).unwrap();
    }
    story.0 = history;
    assert_eq!(story.check(&[1, 2]), Err("no_stale_read"));
}

/// Two primaries of one object: both acknowledge, one history wins.
#[test]
fn catches_a_split_brain() {
    let story = Story::default()
        .add(1, 1, (0, 10), Some((1, 2)))
        .add(2, 1, (0, 10), Some((1, 2)))
        .read(3, (20, 30), 1, 2);
    assert_eq!(story.check(&[1]), Err("acknowledged_never_lost"));
    assert_eq!(story.check(&[1, 2]), Err("versions_follow_the_log"));
}

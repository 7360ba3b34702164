//! Delivery of calls that objects recorded with `after_commit`: per target one at a time, in
//! order, again until a definite end is known.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, Table};

use super::Host;
use super::effects::Effects;
use crate::execution::Deferred;
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome};
use crate::value::OUTBOX_CALLS_MAX;

/// Pauses grow up to this multiple of the first one.
const PAUSE_FACTOR_MAX: u32 = 20;

/// One call on its way.
#[derive(Debug)]
struct Delivery {
    target: ObjectId,
    number: u64,
    attempts: u32,
    /// `None` while it is under way.
    again_at: Option<Instant>,
}

/// What one object's outbox is doing here.
#[derive(Debug, Default)]
struct Source {
    deliveries: Vec<Delivery>,
    /// Delivered, but not yet taken out of the object's outbox.
    completed: Vec<u64>,
    /// Too much was under way: when to look again.
    capped: Option<Instant>,
}

impl Source {
    fn next_due(&self) -> Option<Instant> {
        let again = self.deliveries.iter().filter_map(|one| one.again_at).min();
        match (again, self.capped) {
            (Some(again), Some(capped)) => Some(again.min(capped)),
            (again, capped) => again.or(capped),
        }
    }
}

/// The deliveries of the objects whose primary this process is.
#[derive(Debug)]
pub(crate) struct Deliveries {
    sources: BTreeMap<ObjectId, Source>,
    under_way: usize,
    limit: usize,
    retry: Duration,
}

impl Deliveries {
    /// None under way, at most `limit` at a time.
    #[must_use]
    pub(crate) fn new(limit: usize, retry: Duration) -> Self {
        Self {
            sources: BTreeMap::new(),
            under_way: 0,
            limit,
            retry,
        }
    }

    /// How full its tables are, if `objects` may be held here.
    pub(crate) fn tables(&self, objects: usize) -> [Table; 4] {
        let most = |of: fn(&Source) -> usize| self.sources.values().map(of).max().unwrap_or(0);
        let known = most(|source| source.deliveries.len());
        let completed = most(|source| source.completed.len());
        [
            Table::new("deliveries.sources", self.sources.len(), objects),
            Table::new("deliveries.under_way", self.under_way, self.limit),
            Table::new("deliveries.known", known, OUTBOX_CALLS_MAX),
            Table::new("deliveries.completed", completed, OUTBOX_CALLS_MAX),
        ]
    }

    /// Objects with something that is due.
    #[must_use]
    pub(crate) fn due(&self, now: Instant) -> Vec<ObjectId> {
        self.sources
            .iter()
            .filter(|(_, source)| source.next_due().is_some_and(|at| at <= now))
            .map(|(object, _)| *object)
            .collect()
    }

    /// Whether a delivery waits for time to pass.
    #[must_use]
    pub(crate) fn waits(&self) -> bool {
        self.sources
            .values()
            .any(|source| source.next_due().is_some())
    }

    /// Chooses from an object's outbox what is to be delivered now.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        object: ObjectId,
        outbox: &[(u64, Deferred)],
    ) -> Vec<(u64, Deferred)> {
        if outbox.is_empty() {
            self.forget(&object);
            return Vec::new();
        }
        let source = self.sources.entry(object).or_default();
        let listed = |number: &u64| outbox.iter().any(|(other, _)| other == number);
        source.completed.retain(listed);
        let before = count_under_way(&source.deliveries);
        source.deliveries.retain(|one| listed(&one.number));
        self.under_way -= before - count_under_way(&source.deliveries);
        source.capped = None;
        let mut started = Vec::new();
        for (number, call) in outbox {
            if self.under_way >= self.limit {
                source.capped = Some(now + self.retry);
                break;
            }
            if source.completed.contains(number) {
                continue;
            }
            let target = call.target.id;
            let open = source
                .deliveries
                .iter_mut()
                .find(|one| one.target == target);
            match open {
                Some(one) if one.number == *number && one.again_at.is_some_and(|at| at <= now) => {
                    one.again_at = None;
                }
                Some(_) => continue,
                None => source.deliveries.push(Delivery {
                    target,
                    number: *number,
                    attempts: 0,
                    again_at: None,
                }),
            }
            self.under_way += 1;
            started.push((*number, call.clone()));
        }
        started
    }

    /// A delivery ended. Whether the call is to be taken out of the outbox.
    pub(crate) fn ended(
        &mut self,
        now: Instant,
        object: ObjectId,
        number: u64,
        outcome: &Outcome,
    ) -> bool {
        let Some(source) = self.sources.get_mut(&object) else {
            return false;
        };
        let is_it = |one: &Delivery| one.number == number && one.again_at.is_none();
        let Some(index) = source.deliveries.iter().position(is_it) else {
            return false;
        };
        self.under_way = self.under_way.saturating_sub(1);
        if is_definite(outcome) {
            source.deliveries.remove(index);
            source.completed.push(number);
            return true;
        }
        if let Some(delivery) = source.deliveries.get_mut(index) {
            let factor = 1_u32.checked_shl(delivery.attempts).unwrap_or(u32::MAX);
            delivery.attempts = delivery.attempts.saturating_add(1);
            delivery.again_at = Some(now + self.retry * factor.min(PAUSE_FACTOR_MAX));
        }
        false
    }

    /// The object is no longer this process's to deliver for.
    pub(crate) fn forget(&mut self, object: &ObjectId) {
        if let Some(source) = self.sources.remove(object) {
            self.under_way -= count_under_way(&source.deliveries);
        }
    }
}

fn count_under_way(deliveries: &[Delivery]) -> usize {
    deliveries
        .iter()
        .filter(|one| one.again_at.is_none())
        .count()
}

/// Whether a call that ended like this needs no further attempt.
fn is_definite(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Returned(_) | Outcome::Failed(_) | Outcome::Executed => true,
        Outcome::Indeterminate(_) => false,
        Outcome::NotExecuted(cause) => !matches!(
            cause,
            Cause::NoQuorum
                | Cause::Unreachable
                | Cause::Deadline
                | Cause::Overloaded(_)
                | Cause::NotFound
                | Cause::SessionExpired
                | Cause::ShuttingDown
        ),
    }
}

impl Host {
    /// Outbox calls that are to be delivered now.
    pub fn take_deliveries(&mut self, now: Instant) -> Vec<(ObjectId, u64, Deferred)> {
        let mut started = Vec::new();
        while let Some(object) = self.outboxes.pop_first() {
            let slot = self.slots.get(&object);
            let outbox = slot.map_or(&[][..], |slot| slot.replica.outbox());
            let calls = self.deliveries.start(now, object, outbox);
            started.extend(
                calls
                    .into_iter()
                    .map(|(number, call)| (object, number, call)),
            );
        }
        started
    }

    /// The delivery of an outbox call has ended.
    pub fn delivered(
        &mut self,
        now: Instant,
        (source, number): (ObjectId, u64),
        outcome: &Outcome,
        fx: &mut Effects,
    ) {
        if self.deliveries.ended(now, source, number, outcome) {
            self.counters.deliveries += 1;
            self.with(now, source, fx, |replica, env, out| {
                replica.complete_outbox(env, number, out);
            });
        }
        self.outboxes.insert(source);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use bytes::Bytes;

    use super::*;
    use crate::object::MethodId;
    use crate::reference::RawRef;

    const SOURCE: ObjectId = ObjectId(1);

    fn call(number: u64, target: u128) -> (u64, Deferred) {
        let deferred = Deferred {
            target: RawRef::bare(ObjectId(target), "Counter"),
            method: MethodId::of("add"),
            name: String::from("add"),
            arguments: Bytes::new(),
        };
        (number, deferred)
    }

    fn numbers(started: &[(u64, Deferred)]) -> Vec<u64> {
        started.iter().map(|(number, _)| *number).collect()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn deliveries(limit: usize) -> Deliveries {
        Deliveries::new(limit, Duration::from_millis(100))
    }

    #[test]
    fn one_call_per_target_is_under_way_in_order() {
        let mut deliveries = deliveries(10);
        let outbox = vec![call(1, 7), call(2, 7), call(3, 8)];
        assert_eq!(numbers(&deliveries.start(at(0), SOURCE, &outbox)), [1, 3]);
        assert!(deliveries.start(at(0), SOURCE, &outbox).is_empty());
        let returned = Outcome::Returned(Bytes::new());
        assert!(deliveries.ended(at(1), SOURCE, 1, &returned));
        assert!(!deliveries.ended(at(1), SOURCE, 1, &returned), "twice");
        assert_eq!(numbers(&deliveries.start(at(1), SOURCE, &outbox)), [2]);
    }

    #[test]
    fn an_end_that_is_not_definite_is_tried_again_later() {
        let mut deliveries = deliveries(10);
        let outbox = vec![call(1, 7)];
        deliveries.start(at(0), SOURCE, &outbox);
        let unclear = Outcome::Indeterminate(Cause::NoQuorum);
        assert!(!deliveries.ended(at(0), SOURCE, 1, &unclear));
        assert!(deliveries.due(at(99)).is_empty() && deliveries.waits());
        assert_eq!(deliveries.due(at(100)), [SOURCE]);
        assert_eq!(numbers(&deliveries.start(at(100), SOURCE, &outbox)), [1]);
        let deleted = Outcome::NotExecuted(Cause::Deleted);
        assert!(deliveries.ended(at(101), SOURCE, 1, &deleted));
    }

    #[test]
    fn deliveries_are_bounded_and_go_on_later() {
        let mut deliveries = deliveries(1);
        let outbox = vec![call(1, 7), call(2, 8)];
        assert_eq!(numbers(&deliveries.start(at(0), SOURCE, &outbox)), [1]);
        assert!(deliveries.ended(at(1), SOURCE, 1, &Outcome::Executed));
        assert_eq!(deliveries.due(at(100)), [SOURCE]);
        assert_eq!(numbers(&deliveries.start(at(100), SOURCE, &outbox)), [2]);
    }

    #[test]
    fn a_source_that_moved_away_frees_its_place() {
        let mut deliveries = deliveries(1);
        deliveries.start(at(0), SOURCE, &[call(1, 7)]);
        deliveries.forget(&SOURCE);
        let other = deliveries.start(at(0), ObjectId(2), &[call(1, 7)]);
        assert_eq!(numbers(&other), [1]);
    }
}

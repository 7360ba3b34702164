//! What this process granted to primaries.

use alloc::collections::{BTreeMap, BTreeSet};

use overlay_proto::{Duration, Instant, ProcessId, Table};

use super::TERM_MAX;
use crate::object::ObjectId;

/// Holders of grants at a time; others get none.
const HOLDERS_MAX: usize = 4_096;

/// The grants of one process, by holder.
#[derive(Debug)]
pub struct Given {
    grants: BTreeMap<ProcessId, Grant>,
    /// The newest generation; never used twice, whoever it is for.
    generation: u64,
    objects_max: usize,
}

#[derive(Debug)]
struct Grant {
    generation: u64,
    until: Instant,
    /// What was confirmed in this generation.
    objects: BTreeSet<ObjectId>,
}

impl Given {
    /// No grants; each is for at most `objects_max` objects.
    #[must_use]
    pub const fn new(objects_max: usize) -> Self {
        Self {
            grants: BTreeMap::new(),
            generation: 0,
            objects_max,
        }
    }

    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// How full its tables are.
    pub fn tables(&self) -> [Table; 2] {
        let covered = self.grants.values().map(|grant| grant.objects.len()).max();
        let covered = covered.unwrap_or_default();
        [
            Table::new("grants", self.grants.len(), HOLDERS_MAX),
            Table::new("grants.objects", covered, self.objects_max),
        ]
    }

    /// Prolongs a holder's grant, or begins a new generation of it. Returns the generation; 0 if
    /// the term is longer than anybody grants, or there are too many holders.
    pub fn extend(&mut self, now: Instant, holder: ProcessId, term: Duration) -> u64 {
        if term > TERM_MAX {
            return 0;
        }
        let lasts = self
            .grants
            .get(&holder)
            .is_some_and(|grant| now < grant.until);
        if !lasts {
            if self.grants.len() >= HOLDERS_MAX && !self.grants.contains_key(&holder) {
                return 0;
            }
            self.generation += 1;
            let grant = Grant {
                generation: self.generation,
                until: now,
                objects: BTreeSet::new(),
            };
            self.grants.insert(holder, grant);
        }
        self.grants.get_mut(&holder).map_or(0, |grant| {
            grant.until = grant.until.max(now + term);
            grant.generation
        })
    }

    /// Prolongs a holder's grant and confirms an object. Returns the generation; 0 if it cannot
    /// be confirmed.
    pub fn confirm(
        &mut self,
        now: Instant,
        holder: ProcessId,
        object: ObjectId,
        term: Duration,
    ) -> u64 {
        let generation = self.extend(now, holder, term);
        let objects_max = self.objects_max;
        let Some(grant) = self.grants.get_mut(&holder).filter(|_| generation > 0) else {
            return 0;
        };
        if grant.objects.len() >= objects_max && !grant.objects.contains(&object) {
            return 0;
        }
        grant.objects.insert(object);
        generation
    }

    /// When the last grant to somebody other than `candidate` that covers this object ends, if
    /// one does.
    #[must_use]
    pub fn covered_until(
        &self,
        now: Instant,
        object: &ObjectId,
        candidate: &ProcessId,
    ) -> Option<Instant> {
        let covering = self.grants.iter().filter(|(holder, grant)| {
            *holder != candidate && now < grant.until && grant.objects.contains(object)
        });
        covering.map(|(_, grant)| grant.until).max()
    }

    /// The object is covered no more: its holder gave it up, or it has another primary.
    pub fn release(&mut self, object: &ObjectId) {
        for grant in self.grants.values_mut() {
            grant.objects.remove(object);
        }
    }

    /// Ends a grant before its time. No rule of the protocol does that.
    pub fn end(&mut self, holder: &ProcessId) {
        self.grants.remove(holder);
    }

    /// Forgets what has lapsed.
    pub fn prune(&mut self, now: Instant) {
        self.grants.retain(|_, grant| now < grant.until);
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    const TERM: Duration = Duration::from_secs(3);
    const A: ObjectId = ObjectId(1);
    const B: ObjectId = ObjectId(2);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn process(number: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn given() -> Given {
        Given::new(2)
    }

    #[test]
    fn only_confirmed_objects_are_covered_and_only_against_others() {
        let mut given = given();
        given.confirm(at(0), process(1), A, TERM);
        assert_eq!(given.covered_until(at(1), &A, &process(2)), Some(at(3_000)));
        assert_eq!(given.covered_until(at(1), &A, &process(1)), None);
        assert_eq!(given.covered_until(at(1), &B, &process(2)), None);
        assert_eq!(given.covered_until(at(3_000), &A, &process(2)), None);
    }

    #[test]
    fn a_grant_that_lapsed_comes_back_as_another_generation_that_covers_nothing() {
        let mut given = given();
        let first = given.confirm(at(0), process(1), A, TERM);
        assert_eq!(given.extend(at(2_999), process(1), TERM), first);
        let second = given.extend(at(5_999), process(1), TERM);
        assert!(second > first);
        assert_eq!(given.covered_until(at(6_000), &A, &process(2)), None);
    }

    #[test]
    fn a_generation_is_not_used_again_after_the_grant_was_forgotten() {
        let mut given = given();
        let first = given.confirm(at(0), process(1), A, TERM);
        given.prune(at(3_000));
        assert!(given.is_empty());
        assert!(given.extend(at(3_001), process(1), TERM) > first);
    }

    #[test]
    fn a_grant_is_never_made_shorter() {
        let mut given = given();
        given.confirm(at(0), process(1), A, TERM);
        given.extend(at(1), process(1), Duration::from_millis(10));
        assert_eq!(given.covered_until(at(2), &A, &process(2)), Some(at(3_000)));
    }

    #[test]
    fn terms_and_objects_are_bounded() {
        let mut given = given();
        let (holder, later) = (process(1), TERM_MAX + Duration::from_micros(1));
        assert_eq!(given.extend(at(0), holder, later), 0);
        assert!(given.is_empty());
        for object in [A, B] {
            assert_ne!(given.confirm(at(0), holder, object, TERM), 0);
        }
        assert_eq!(given.confirm(at(0), holder, ObjectId(3), TERM), 0);
        assert_ne!(given.confirm(at(0), holder, A, TERM), 0);
    }

    #[test]
    fn holders_are_bounded_and_lapsed_ones_make_room() {
        let mut given = given();
        let holder = |number: u64| ProcessId {
            peer: PeerId([1; 32]),
            incarnation: Incarnation(number),
        };
        let crowd = 0..HOLDERS_MAX as u64 + 9;
        let granted = |given: &mut Given, now| {
            let terms = crowd
                .clone()
                .map(|number| given.extend(now, holder(number), TERM));
            terms.filter(|generation| *generation > 0).count()
        };
        assert_eq!(granted(&mut given, at(0)), HOLDERS_MAX);
        assert_eq!(
            granted(&mut given, at(1)),
            HOLDERS_MAX,
            "those that hold are prolonged"
        );
        given.prune(at(3_001));
        assert_eq!(granted(&mut given, at(3_001)), HOLDERS_MAX);
    }

    #[test]
    fn what_is_released_is_free_at_once() {
        let mut given = given();
        given.confirm(at(0), process(1), A, TERM);
        given.confirm(at(0), process(1), B, TERM);
        given.release(&A);
        assert_eq!(given.covered_until(at(1), &A, &process(2)), None);
        assert!(given.covered_until(at(1), &B, &process(2)).is_some());
    }
}

//! What is left of replicas that are gone, and the install floor that lets it be forgotten.

use alloc::collections::{BTreeMap, VecDeque};

use overlay_proto::{Duration, Instant, ProcessId, Table};

use crate::message::Sighting;
use crate::object::ObjectId;
use crate::register::{Mutation, Tombstone};

/// So many stamps share the age and the number of tombstones that are kept: a raise of the floor
/// refuses only memberships that were named long before.
const STAMPS: u32 = 8;

/// Tombstones forgotten with one burial, so that no burial takes long.
const FORGOTTEN_AT_ONCE: usize = 2;

/// What a host issues and what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    /// The stamp for replica sets that name this process from now on.
    pub(crate) stamp: u64,
    /// Memberships with a stamp below this begin no more; at most the stamp.
    pub(crate) floor: u64,
}

/// A process that has left nothing refuses nothing.
impl Default for Issue {
    fn default() -> Self {
        Self { stamp: 1, floor: 0 }
    }
}

/// A tombstone, and the stamp that was issued when it was made: no membership that it refuses
/// has a higher one.
#[derive(Debug)]
struct Grave {
    tombstone: Tombstone,
    stamp: u64,
}

/// One burial.
#[derive(Debug)]
struct Burial {
    at: Instant,
    stamp: u64,
    object: ObjectId,
}

/// The tombstones of a process, and its stamps.
#[derive(Debug)]
pub(crate) struct Tombstones {
    graves: BTreeMap<ObjectId, Grave>,
    /// In order of time; an object that was buried again is listed again.
    burials: VecDeque<Burial>,
    me: ProcessId,
    issue: Issue,
    /// Burials under the stamp of now, and when they began.
    fresh: usize,
    fresh_since: Instant,
    age: Duration,
    limit: usize,
    forgotten: u64,
}

impl Tombstones {
    /// None. Each is kept for `age`, and at most `limit` of them.
    #[must_use]
    pub(crate) fn new(me: ProcessId, age: Duration, limit: usize) -> Self {
        Self {
            me,
            graves: BTreeMap::new(),
            burials: VecDeque::new(),
            issue: Issue::default(),
            fresh: 0,
            fresh_since: Instant::ZERO,
            age,
            limit,
            forgotten: 0,
        }
    }

    /// What is issued and what is refused now.
    #[must_use]
    pub(crate) const fn issue(&self) -> Issue {
        self.issue
    }

    /// The tombstone of an object.
    #[must_use]
    pub(crate) fn get(&self, object: &ObjectId) -> Option<&Tombstone> {
        self.graves.get(object).map(|grave| &grave.tombstone)
    }

    /// How full its tables are. A burial is listed before an older one is forgotten for it.
    pub(crate) fn tables(&self) -> [Table; 2] {
        let cap = self.limit.max(1) + 1;
        [
            Table::new("tombstones.graves", self.graves.len(), cap),
            Table::new("tombstones.burials", self.burials.len(), cap),
        ]
    }

    /// How many were forgotten.
    #[must_use]
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// A replica ended. An older tombstone of its object gives way, unless it says more.
    pub(crate) fn bury(
        &mut self,
        now: Instant,
        object: ObjectId,
        tombstone: Tombstone,
        mutation: Option<Mutation>,
    ) {
        self.expire(now, mutation);
        let says_more = |known: &Tombstone| known.refuses(tombstone.epoch);
        let deleted = matches!(tombstone.sighting, Sighting::Deleted);
        if deleted || !self.get(&object).is_some_and(says_more) {
            let stamp = self.issue.stamp;
            self.graves.insert(object, Grave { tombstone, stamp });
            let at = now;
            self.burials.push_back(Burial { at, stamp, object });
            if self.fresh == 0 {
                self.fresh_since = now;
            }
            self.fresh += 1;
        }
        self.forget(now, mutation);
    }

    /// Forgets what is old enough, also while nothing is buried.
    pub(crate) fn expire(&mut self, now: Instant, mutation: Option<Mutation>) {
        self.turn(now);
        self.forget(now, mutation);
    }

    /// Issues the next stamp once the one of now has served for long, or for many.
    fn turn(&mut self, now: Instant) {
        let share = self.limit.div_ceil(STAMPS as usize);
        let old = now.since(self.fresh_since) >= self.age / STAMPS;
        if self.fresh > 0 && (old || self.fresh >= share) {
            self.issue_next();
        }
    }

    fn issue_next(&mut self) {
        self.issue.stamp += 1;
        self.fresh = 0;
    }

    /// Forgets the oldest tombstones if they are too old or too many, and with each of them, in
    /// the same step, every membership that it refused: they are below the floor from then on.
    fn forget(&mut self, now: Instant, mutation: Option<Mutation>) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let crowded = self.burials.len() > self.limit;
            let due = |burial: &Burial| crowded || now.since(burial.at) >= self.age;
            if !self.burials.front().is_some_and(due) {
                return;
            }
            let Some(Burial { stamp, object, .. }) = self.burials.pop_front() else {
                return;
            };
            if !crowded && self.awaits(&object, stamp) {
                self.burials.push_back(Burial {
                    at: now,
                    stamp,
                    object,
                });
                continue;
            }
            if stamp == self.issue.stamp {
                self.issue_next();
            }
            if mutation != Some(Mutation::FloorNotRaised) {
                self.issue.floor = self.issue.floor.max(stamp + 1);
            }
            let newer = |grave: &Grave| grave.stamp > stamp;
            if !self.graves.get(&object).is_some_and(newer) {
                self.graves.remove(&object);
                self.forgotten += 1;
            }
        }
    }

    /// Whether this burial's tombstone lets the process into a set that it has yet to enter.
    fn awaits(&self, object: &ObjectId, stamp: u64) -> bool {
        let grave = self.graves.get(object);
        grave.is_some_and(|grave| grave.stamp == stamp && grave.tombstone.awaits(&self.me))
    }

    /// Whether floor, stamps and tables fit together.
    ///
    /// # Panics
    /// If they do not: a bug. For tests and simulations.
    pub(crate) fn check_invariants(&self) {
        assert!(self.issue.floor <= self.issue.stamp, "nobody may come in");
        assert!(self.graves.len() <= self.burials.len());
        assert!(self.burials.len() <= self.limit.max(1) + 1);
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec;

    use overlay_proto::{Incarnation, PeerId};

    use super::*;
    use crate::object::{Configuration, Epoch, Lineage, Replica};

    fn tombstone(number: u64) -> Tombstone {
        let lineage = Lineage::default();
        Tombstone {
            epoch: Epoch { lineage, number },
            sighting: Sighting::Unknown,
            member: true,
        }
    }

    fn me() -> ProcessId {
        ProcessId {
            peer: PeerId([7; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn bury(tombstones: &mut Tombstones, seconds: u64, object: u128) {
        let object = ObjectId(object);
        tombstones.bury(at(seconds), object, tombstone(1), None);
        tombstones.check_invariants();
    }

    #[test]
    fn nothing_is_forgotten_before_the_floor_is_above_it() {
        let mut tombstones = Tombstones::new(me(), Duration::from_secs(80), 1_000);
        let mut issued = BTreeMap::new();
        for second in 0..1_000 {
            issued.insert(second, tombstones.issue().stamp);
            bury(&mut tombstones, second, u128::from(second));
            for (object, stamp) in &issued {
                let kept = tombstones.get(&ObjectId(u128::from(*object))).is_some();
                assert!(
                    kept || *stamp < tombstones.issue().floor,
                    "{object} at {second}"
                );
            }
        }
        assert!(tombstones.forgotten() > 900);
        let Issue { stamp, floor } = tombstones.issue();
        assert!(stamp - floor >= u64::from(STAMPS) - 2, "{floor} of {stamp}");
    }

    #[test]
    fn what_is_forgotten_without_a_floor_is_let_in_again() {
        for (broken, let_in) in [(None, false), (Some(Mutation::FloorNotRaised), true)] {
            let mut tombstones = Tombstones::new(me(), Duration::from_secs(80), 1_000);
            let left_under = tombstones.issue().stamp;
            for second in 0..1_000 {
                let object = ObjectId(u128::from(second));
                tombstones.bury(at(second), object, tombstone(1), broken);
            }
            assert_eq!(tombstones.get(&ObjectId(0)), None);
            assert_eq!(left_under >= tombstones.issue().floor, let_in, "{broken:?}");
        }
    }

    #[test]
    fn a_full_table_makes_room_and_refuses_nobody_new() {
        let mut tombstones = Tombstones::new(me(), Duration::from_secs(1_000_000), 16);
        for object in 0..1_000 {
            bury(&mut tombstones, 1, object);
            let Issue { stamp, floor } = tombstones.issue();
            assert!(floor + 6 <= stamp || floor == 0);
        }
        assert_eq!(tombstones.graves.len(), 16);
        for limit in [0, 1] {
            let mut tombstones = Tombstones::new(me(), Duration::from_secs(1), limit);
            (0..9).for_each(|object| bury(&mut tombstones, 1, object));
        }
    }

    #[test]
    fn an_object_buried_again_is_remembered_for_its_whole_age() {
        let mut tombstones = Tombstones::new(me(), Duration::from_secs(80), 1_000);
        bury(&mut tombstones, 0, 7);
        tombstones.bury(at(70), ObjectId(7), tombstone(5), None);
        bury(&mut tombstones, 90, 8);
        let epoch = tombstones.get(&ObjectId(7)).map(|kept| kept.epoch.number);
        assert_eq!(epoch, Some(5));
        (151..153).for_each(|second| bury(&mut tombstones, second, 9));
        assert_eq!(tombstones.get(&ObjectId(7)), None);
    }

    #[test]
    fn what_says_more_stays() {
        let mut tombstones = Tombstones::new(me(), Duration::from_secs(80), 1_000);
        tombstones.bury(at(0), ObjectId(7), tombstone(5), None);
        tombstones.bury(at(1), ObjectId(7), tombstone(3), None);
        let epoch = tombstones.get(&ObjectId(7)).map(|kept| kept.epoch.number);
        assert_eq!(epoch, Some(5));
        let sighting = Sighting::Deleted;
        let deleted = Tombstone {
            sighting,
            ..tombstone(3)
        };
        tombstones.bury(at(2), ObjectId(7), deleted.clone(), None);
        assert_eq!(tombstones.get(&ObjectId(7)), Some(&deleted));
    }

    #[test]
    fn what_lets_the_process_in_is_kept_until_room_is_needed() {
        let mut tombstones = Tombstones::new(me(), Duration::from_secs(80), 16);
        let process = me();
        let mut awaited = tombstone(5);
        awaited.sighting = Sighting::Member {
            configuration: Configuration {
                epoch: tombstone(6).epoch,
                members: Arc::new([Replica { process, stamp: 1 }]),
                forks: vec![],
                seal: None,
            },
            primary: None,
        };
        tombstones.bury(at(0), ObjectId(7), awaited, None);
        (1..90).for_each(|second| bury(&mut tombstones, second * 20, second.into()));
        assert!(tombstones.get(&ObjectId(7)).is_some());
        (100..120).for_each(|object| bury(&mut tombstones, 1_800, object));
        assert!(tombstones.get(&ObjectId(7)).is_none());
        assert!(tombstones.forgotten() > 80);
    }
}

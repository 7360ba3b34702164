//! The replicas at this process and the indices that keep idle ones free of cost.

mod resting;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Bound, RangeInclusive};

use overlay_proto::{Instant, ProcessId, Table};

use crate::config::Pace;
use crate::host::shared::Shared;
use crate::object::{Epoch, ObjectId};
use crate::register::Replica;

/// One replica and what the host remembers about it.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The record.
    pub(crate) replica: Replica,
    /// The last epoch that was announced as a new replica set.
    pub(crate) announced: Option<Box<Epoch>>,
    /// When this backup last stood for primary, and when it first doubted the one before.
    pub(crate) stood: Option<Box<Stood>>,
    primary: Option<Arc<ProcessId>>,
    /// It is among those that wait for time to pass.
    busy: bool,
    /// It is among those in weak mode whose primary this process is.
    weak_primary: bool,
    /// It is among the primaries that do not rest.
    awake: bool,
    /// It was called since it was last looked at whether it may rest.
    used: bool,
}

/// An attempt to become primary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stood {
    /// When it began.
    pub(crate) at: Instant,
    /// When the primary before was first doubted.
    pub(crate) doubted: Instant,
}

/// The replicas by object, by believed primary, and those that wait for time to pass.
#[derive(Debug)]
pub(crate) struct Slots {
    pace: Pace,
    /// Boxed: a map moves its neighbours with each that comes or goes, and is never full.
    map: BTreeMap<ObjectId, Box<Slot>>,
    by_primary: BTreeMap<Arc<ProcessId>, BTreeSet<ObjectId>>,
    /// Primaries that do not rest, the longest unused first.
    awake: VecDeque<ObjectId>,
    /// How many of them were looked at since the last one rested, or anything was called.
    in_vain: usize,
    shared: Shared,
    busy: BTreeSet<ObjectId>,
    /// The busy ones whose turn it is.
    turn: Vec<ObjectId>,
    /// Those in weak mode whose primary this process is.
    weak_primaries: BTreeSet<ObjectId>,
}

impl Slots {
    /// No replicas.
    #[must_use]
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            map: BTreeMap::new(),
            by_primary: BTreeMap::new(),
            awake: VecDeque::new(),
            in_vain: 0,
            shared: Shared::default(),
            busy: BTreeSet::new(),
            turn: Vec::new(),
            weak_primaries: BTreeSet::new(),
        }
    }

    /// How many replicas there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// How full its tables are, if `objects` may be held here.
    pub(crate) fn tables(&self, objects: usize) -> [Table; 7] {
        let (replicas, primaries) = (self.map.len(), self.by_primary.len());
        let [sets, kinds] = self.shared.tables();
        // Some may be of replicas that are gone.
        let awake = objects.saturating_add(self.pace.awake);
        [
            Table::new("replicas", replicas, objects),
            Table::new("replicas.by_primary", primaries, objects),
            Table::new("replicas.busy", self.busy.len(), objects),
            Table::new("replicas.weak", self.weak_primaries.len(), objects),
            Table::new("replicas.awake", self.awake.len(), awake),
            sets,
            kinds,
        ]
    }

    /// The replica of this object.
    #[must_use]
    pub(crate) fn get(&self, object: &ObjectId) -> Option<&Slot> {
        self.map.get(object).map(Box::as_ref)
    }

    /// The replica of this object; [`refresh`](Self::refresh) is due after a change.
    pub(crate) fn get_mut(&mut self, object: &ObjectId) -> Option<&mut Slot> {
        self.map.get_mut(object).map(Box::as_mut)
    }

    /// All replicas in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectId, &Slot)> {
        self.map.iter().map(|(object, slot)| (object, &**slot))
    }

    /// Adds a replica; [`refresh`](Self::refresh) is due.
    pub(crate) fn insert(&mut self, object: ObjectId, replica: Replica) {
        let slot = Slot {
            replica,
            announced: None,
            stood: None,
            primary: None,
            busy: false,
            weak_primary: false,
            awake: false,
            used: false,
        };
        self.remove(&object);
        self.map.insert(object, Box::new(slot));
    }

    /// Removes a replica.
    pub(crate) fn remove(&mut self, object: &ObjectId) {
        self.busy.remove(object);
        self.weak_primaries.remove(object);
        if let Some(slot) = self.map.remove(object)
            && let Some(primary) = slot.primary
        {
            self.unlist(object, &primary);
        }
    }

    /// Lets a replica share what it has in common with others.
    pub(crate) fn share(&mut self, object: &ObjectId) {
        if let Some(slot) = self.map.get_mut(object) {
            self.shared.share(&mut slot.replica);
        }
    }

    /// Brings the indices up to date after the replica changed.
    pub(crate) fn refresh(&mut self, now: Instant, object: &ObjectId) {
        let Some(slot) = self.map.get_mut(object) else {
            return;
        };
        let replica = &slot.replica;
        let (busy, weak) = (
            replica.wants_tick(),
            replica.is_weak() && replica.is_primary(),
        );
        list(&mut self.busy, object, &mut slot.busy, busy);
        list(
            &mut self.weak_primaries,
            object,
            &mut slot.weak_primary,
            weak,
        );
        slot.used = true;
        if !slot.awake && slot.replica.is_awake() && !slot.replica.rest_unused(now) {
            slot.awake = true;
            self.awake.push_back(*object);
        }
        let primary = slot.replica.believed_primary();
        if primary.as_ref() != slot.primary.as_deref() {
            self.list_primary(object, primary);
        }
        self.end_burst(now);
    }

    fn list_primary(&mut self, object: &ObjectId, primary: Option<ProcessId>) {
        let known = primary.map(|primary| match self.by_primary.get_key_value(&primary) {
            Some((known, _)) => known.clone(),
            None => Arc::new(primary),
        });
        let slot = self.map.get_mut(object);
        let before = slot.and_then(|slot| core::mem::replace(&mut slot.primary, known.clone()));
        if let Some(before) = before {
            self.unlist(object, &before);
        }
        if let Some(primary) = known {
            self.by_primary.entry(primary).or_default().insert(*object);
        }
    }

    /// Objects whose primary this process is believed to be.
    #[must_use]
    pub(crate) fn objects_of(&self, primary: &ProcessId) -> Vec<ObjectId> {
        self.by_primary
            .get(primary)
            .map(|objects| objects.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Up to `most` objects with this primary, in order, after another one.
    #[must_use]
    pub(crate) fn part_of(
        &self,
        primary: &ProcessId,
        after: Option<ObjectId>,
        most: usize,
    ) -> Vec<ObjectId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let objects = self.by_primary.get(primary);
        let part = objects.map(|objects| objects.range((from, Bound::Unbounded)).take(most));
        part.map(|part| part.copied().collect()).unwrap_or_default()
    }

    /// The object with this primary that comes after another one; after the last the first.
    #[must_use]
    pub(crate) fn next_of(&self, primary: &ProcessId, after: Option<ObjectId>) -> Option<ObjectId> {
        let objects = self.by_primary.get(primary)?;
        let beyond = |after| {
            objects
                .range((Bound::Excluded(after), Bound::Unbounded))
                .next()
        };
        after.and_then(beyond).or_else(|| objects.first()).copied()
    }

    /// Objects with this primary whose ids are in a range, in order.
    pub(crate) fn range_of(
        &self,
        primary: &ProcessId,
        ids: RangeInclusive<ObjectId>,
    ) -> impl Iterator<Item = &ObjectId> {
        let objects = self.by_primary.get(primary);
        objects
            .into_iter()
            .flat_map(move |one| one.range(ids.clone()))
    }

    /// The replica that comes after another one; after the last the first.
    #[must_use]
    pub(crate) fn next(&self, after: Option<ObjectId>) -> Option<ObjectId> {
        let beyond = |after| {
            let mut range = self.map.range((Bound::Excluded(after), Bound::Unbounded));
            range.next()
        };
        let next = after.and_then(beyond);
        next.or_else(|| self.map.first_key_value())
            .map(|(object, _)| *object)
    }

    /// Whether any object has this primary.
    #[must_use]
    pub(crate) fn has_primary(&self, primary: &ProcessId) -> bool {
        self.by_primary.contains_key(primary)
    }

    /// How many objects have this primary.
    #[must_use]
    pub(crate) fn count_of(&self, primary: &ProcessId) -> usize {
        self.by_primary.get(primary).map_or(0, BTreeSet::len)
    }

    /// Every process that is believed to be some object's primary.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = &ProcessId> {
        self.by_primary.keys().map(Arc::as_ref)
    }

    /// Replicas in which something waits for time to pass.
    #[must_use]
    pub(crate) fn busy(&self) -> Vec<ObjectId> {
        self.busy.iter().copied().collect()
    }

    /// Those of them that one input may look at: all, unless they are very many.
    pub(crate) fn some_busy(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.busy.iter().take(self.pace.turn).copied()
    }

    /// Those whose turn it is with this tick: a part, if they are very many.
    pub(crate) fn turn(&self) -> Vec<ObjectId> {
        self.turn.clone()
    }

    /// It is the turn of the next ones; after the last of the first again.
    pub(crate) fn next_turn(&mut self) {
        let most = self.pace.turn;
        let last = self.turn.last().filter(|_| self.turn.len() == most);
        let from = last.map_or(Bound::Unbounded, |last| Bound::Excluded(*last));
        let next = self.busy.range((from, Bound::Unbounded)).take(most);
        self.turn = next.copied().collect();
    }

    /// How many replicas wait for time to pass.
    pub(crate) fn busy_len(&self) -> usize {
        self.busy.len()
    }

    /// Objects in weak mode whose primary this process is.
    pub(crate) fn weak_primaries(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.weak_primaries.iter().copied()
    }

    /// Whether any replica waits for time to pass.
    #[must_use]
    pub(crate) fn any_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Whether the indices fit the replicas.
    ///
    /// # Panics
    /// If they do not: a bug. For tests and simulations.
    pub(crate) fn check_invariants(&self) {
        let listed: usize = self.by_primary.values().map(BTreeSet::len).sum();
        let known = self.map.values().filter(|slot| slot.primary.is_some());
        assert_eq!(listed, known.count(), "each known primary is listed once");
        for (object, slot) in &self.map {
            slot.replica.check_invariants();
            assert_eq!(slot.replica.object(), *object);
            assert_eq!(
                slot.primary.as_deref().copied(),
                slot.replica.believed_primary()
            );
            assert!(
                slot.awake || !slot.replica.is_awake(),
                "awake and not listed"
            );
            assert_eq!(self.busy.contains(object), slot.replica.wants_tick());
        }
    }

    fn unlist(&mut self, object: &ObjectId, primary: &ProcessId) {
        let Some(objects) = self.by_primary.get_mut(primary) else {
            return;
        };
        objects.remove(object);
        if objects.is_empty() {
            self.by_primary.remove(primary);
        }
    }
}

/// Brings an object's place in an index up to date, which is looked at only if that changed.
fn list(index: &mut BTreeSet<ObjectId>, object: &ObjectId, listed: &mut bool, belongs: bool) {
    if *listed == belongs {
        return;
    }
    *listed = belongs;
    if belongs {
        index.insert(*object);
    } else {
        index.remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn an_idle_replica_is_small() {
        assert!(size_of::<Slot>() <= 320, "{} bytes", size_of::<Slot>());
    }
}

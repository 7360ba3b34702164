//! Where objects are, is published again and again: those who keep the records come and go, and
//! records expire. There is one for each slot of ids, so their number has a limit.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use overlay_proto::ProcessId;

use super::Host;
use super::effects::Effects;
use crate::directory::SlotRecord;
use crate::machine::Event;
use crate::object::{ObjectId, Slot};
use crate::register::Replica;

/// Parts of the period in which each slot with an object of this primary is published once.
pub(crate) const PARTS: u32 = 20;
/// Slots published with one tick: more than a driver comes to put in the directory meanwhile.
const PER_TICK: usize = 8;
/// Slots published again in one part. With more, the period becomes longer: for all slots three
/// times as long, which is half of a record's life.
const AT_ONCE_MAX: usize = 1_024;
/// Objects of a slot that are looked at for its holders. Of further ones only that for whose sake
/// the slot is published counts.
const SLOT_OBJECTS_MAX: usize = 256;

impl Host {
    /// Whether there is anything to publish again, or to ask about.
    #[must_use]
    pub fn publishes(&self) -> bool {
        self.slots.len() > 0
    }

    /// Publishes the next part of the slots with objects of which this process is the primary.
    pub fn republish(&mut self) {
        let me = self.world.me;
        let slots_at_most = self.slots.count_of(&me).min(Slot::COUNT);
        let part = self.republished.part as usize;
        let until = |part: usize| slots_at_most * part / PARTS as usize;
        let share = until(part + 1) - until(part);
        self.republished.part = (self.republished.part + 1) % PARTS;
        if part == 0 {
            self.republished.first = None;
        }
        for _ in 0..share.min(AT_ONCE_MAX) {
            let last = self.republished.last.map(|slot| *slot.ids().end());
            let Some(object) = self.slots.next_of(&me, last) else {
                return;
            };
            let slot = object.slot();
            if self.republished.first == Some(slot) {
                return;
            }
            self.republished.first.get_or_insert(slot);
            self.republished.last = Some(slot);
            self.publish(object);
        }
    }

    /// The directory is to be told who has the objects of this one's slot, with one of the next
    /// ticks: what many objects need at once it needs once.
    pub(super) fn publish(&mut self, object: ObjectId) {
        self.unpublished.due.insert(object.slot(), object);
    }

    /// Tells the directory of the next slots that are due.
    pub(super) fn tick_publications(&mut self, fx: &mut Effects) {
        for _ in 0..PER_TICK {
            let Some(object) = self.unpublished.next() else {
                return;
            };
            let replica = self.replica(&object);
            if replica.is_some_and(Replica::is_primary) {
                self.counters.publishes += 1;
                fx.emit(Event::Publish {
                    slot: object.slot(),
                    holders: self.holders_beside(&object),
                });
            }
        }
    }

    /// Who holds this object, and others of its slot whose primary this process is.
    pub(super) fn holders_beside(&self, object: &ObjectId) -> Vec<ProcessId> {
        let (me, slot) = (self.world.me, object.slot());
        let others = self.slots.range_of(&me, slot.ids());
        let objects = core::iter::once(object).chain(others.take(SLOT_OBJECTS_MAX));
        let replicas = objects.filter_map(|one| self.replica(one));
        let members = replicas.flat_map(|replica| replica.configuration().processes());
        SlotRecord::new(slot, core::iter::once(me).chain(members)).holders
    }
}

/// Slots of which the directory is to be told, each with the object for whose sake.
#[derive(Debug, Default)]
pub(super) struct Unpublished {
    due: BTreeMap<Slot, ObjectId>,
    /// The slot that was told last: they have their turns.
    last: Slot,
}

impl Unpublished {
    /// Whether any slot is due.
    pub(super) fn waits(&self) -> bool {
        !self.due.is_empty()
    }

    fn next(&mut self) -> Option<ObjectId> {
        let after = self.due.range(self.last.next()..).next();
        let (&slot, _) = after.or_else(|| self.due.first_key_value())?;
        self.last = slot;
        self.due.remove(&slot)
    }
}

/// How far the present period is.
#[derive(Debug, Default)]
pub(super) struct Republished {
    part: u32,
    /// The slot that was published again first in this period.
    first: Option<Slot>,
    /// The slot that was published again last.
    last: Option<Slot>,
}

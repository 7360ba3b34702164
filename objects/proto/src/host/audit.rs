//! Replicas that were left behind: each asks another member of its set, from time to time, whether
//! the set still stands.
//!
//! A member that slept, or was cut off, while the object moved on or was deleted is told when it
//! speaks; a backup of an object that nobody calls does not speak. So for some minutes of each hour
//! each host names, to one member after the other of each set, the replicas that it holds in vain,
//! perhaps, many in one message (design review, Orphans). Whoever knows better answers with `Gone`,
//! as it would answer a primary of that epoch; to be up to date costs no answer.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use overlay_proto::{Instant, ProcessId};

use super::Host;
use super::effects::Effects;
use crate::message::{AUDIT_MAX, Message, RegisterMessage};
use crate::object::{Epoch, ObjectId};

/// Parts of an hour, which is six of the periods in which objects are published again.
const PARTS: usize = 120;
/// One in so many replicas is named in an hour: all of them four times while a tombstone is kept.
const HOURS: usize = 6;
/// Replicas named in one part.
const AT_ONCE_MAX: usize = 8_192;

/// How far the present hour is.
#[derive(Debug, Default)]
pub(super) struct Audited {
    part: usize,
    /// How many hours there were.
    hours: usize,
    /// Replicas that are still to be named in this hour.
    left: usize,
    /// The object that was named last.
    last: Option<ObjectId>,
}

impl Host {
    /// Asks about the next of the replicas whose primary is another process, if it is time to.
    pub fn audit(&mut self, fx: &mut Effects) {
        self.audited.part = (self.audited.part + 1) % PARTS;
        if self.audited.part == 0 {
            self.audited.hours += 1;
            self.audited.left = self.slots.len().div_ceil(HOURS);
        }
        let share = self.audited.left.min(AT_ONCE_MAX);
        self.audited.left -= share;
        let mut asked: BTreeMap<ProcessId, Vec<(ObjectId, Epoch)>> = BTreeMap::new();
        for _ in 0..share {
            self.audited.last = self.slots.next(self.audited.last);
            let Some(object) = self.audited.last else {
                return;
            };
            if let Some((process, epoch)) = self.whom_to_ask(&object) {
                asked.entry(process).or_default().push((object, epoch));
            }
        }
        for (process, replicas) in asked {
            for replicas in replicas.chunks(AUDIT_MAX) {
                let replicas = replicas.to_vec();
                fx.send(process, Message::Audit { replicas });
            }
        }
    }

    fn whom_to_ask(&self, object: &ObjectId) -> Option<(ProcessId, Epoch)> {
        let replica = self.replica(object).filter(|one| !one.is_primary())?;
        let me = self.world.me;
        let set = replica.configuration();
        let mut others: Vec<ProcessId> = set.processes().filter(|one| *one != me).collect();
        if let Some(primary) = replica.believed_primary() {
            others.retain(|one| *one != primary);
            others.insert(0, primary);
        }
        let at = (self.audited.hours / HOURS).checked_rem(others.len())?;
        Some((*others.get(at)?, set.epoch))
    }

    /// Another host names replicas of which this process may know better.
    pub(super) fn on_audit(
        &mut self,
        now: Instant,
        from: ProcessId,
        replicas: Vec<(ObjectId, Epoch)>,
        fx: &mut Effects,
    ) {
        self.expire_tombstones(now);
        for (object, epoch) in replicas {
            let left = match self.slots.get(&object) {
                Some(slot) => slot.replica.configuration().epoch > epoch,
                None => self
                    .tombstones
                    .get(&object)
                    .is_some_and(|tombstone| tombstone.refuses(epoch)),
            };
            if left {
                let sighting = self.sighting(&object);
                let message = RegisterMessage::Gone { epoch, sighting };
                fx.send(from, Message::Register { object, message });
            }
        }
    }
}

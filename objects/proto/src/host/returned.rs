//! Members that could not be reached and are back: what they missed is sent to them, object by
//! object, a part with each tick.

use alloc::collections::BTreeMap;

use overlay_proto::{Instant, ProcessId, Table};

use super::Host;
use super::effects::Effects;
use crate::object::ObjectId;

/// Objects that are looked at with one tick.
const AT_ONCE: usize = 1_024;
/// Members that are brought up to date at a time. A further one learns what it missed with the
/// next version of each object.
const RETURNED_MAX: usize = 1_024;

/// Who is back, and the object that was looked at last.
#[derive(Debug, Default)]
pub(super) struct Returned {
    after: BTreeMap<ProcessId, Option<ObjectId>>,
}

impl Returned {
    pub(super) fn table(&self) -> Table {
        Table::new("returned", self.after.len(), RETURNED_MAX)
    }

    pub(super) fn waits(&self) -> bool {
        !self.after.is_empty()
    }

    pub(super) fn add(&mut self, process: ProcessId) {
        if self.after.len() < RETURNED_MAX || self.after.contains_key(&process) {
            self.after.insert(process, None);
        }
    }

    pub(super) fn remove(&mut self, process: &ProcessId) {
        self.after.remove(process);
    }
}

impl Host {
    /// Sends a member that is back what it missed of the next part of this primary's objects.
    pub(super) fn tick_returned(&mut self, now: Instant, fx: &mut Effects) {
        let Some((&process, &after)) = self.returned.after.first_key_value() else {
            return;
        };
        let part = self.slots.part_of(&self.world.me, after, AT_ONCE);
        if part.len() < AT_ONCE {
            self.returned.remove(&process);
        } else {
            self.returned.after.insert(process, part.last().copied());
        }
        for object in part {
            let replica = self.replica(&object);
            if replica.is_some_and(|replica| replica.lags(&process)) {
                self.with(now, object, fx, |replica, env, out| {
                    replica.on_link(env, process, true, out);
                });
            }
        }
    }
}

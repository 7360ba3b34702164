//! Where an object is, is published again and again: those who keep the record come and go, and
//! records expire.

use super::Host;
use super::effects::Effects;
use crate::object::ObjectId;

/// Parts of the period in which each object of this primary is published once.
pub(crate) const PARTS: u32 = 20;
/// Objects published again in one part. With more, the period becomes longer.
const AT_ONCE_MAX: usize = 256;

impl Host {
    /// Whether there is anything to publish again, or to ask about.
    #[must_use]
    pub fn publishes(&self) -> bool {
        self.slots.len() > 0
    }

    /// Publishes the next part of the objects of which this process is the primary.
    pub fn republish(&mut self, fx: &mut Effects) {
        let me = self.world.me;
        let (objects, part) = (self.slots.count_of(&me), self.republished.part as usize);
        let until = |part: usize| objects * part / PARTS as usize;
        let share = until(part + 1) - until(part);
        self.republished.part = (self.republished.part + 1) % PARTS;
        for _ in 0..share.min(AT_ONCE_MAX) {
            self.republished.last = self.slots.next_of(&me, self.republished.last);
            if let Some(object) = self.republished.last {
                self.publish(object, fx);
            }
        }
    }
}

/// How far the present period is.
#[derive(Debug, Default)]
pub(super) struct Republished {
    part: u32,
    /// The object that was published again last.
    last: Option<ObjectId>,
}

//! Handing over every replica before this process leaves.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant};

use crate::host::Host;
use crate::host::effects::Effects;
use crate::machine::Event;
use crate::object::ObjectId;

/// A method that is still running after this time is given up, and run again elsewhere.
const METHODS: Duration = Duration::from_secs(2);

/// A hand-over under way.
#[derive(Debug)]
pub(super) struct Drain {
    since: Instant,
    done: bool,
    /// Objects that no other host can take.
    untakeable: BTreeSet<ObjectId>,
}

impl Drain {
    pub(super) fn untakeable(&self) -> usize {
        self.untakeable.len()
    }
}

impl Host {
    /// Begins to hand over every replica; [`Event::Drained`] follows. Nothing new is installed
    /// from now on.
    pub fn drain(&mut self, now: Instant) {
        if self.drain.is_none() {
            self.rebalance.stop();
            self.drain = Some(Drain {
                since: now,
                done: false,
                untakeable: BTreeSet::new(),
            });
            self.attention.extend(self.slots.objects_of(&self.world.me));
        }
    }

    /// Whether this process hands over, or has done so.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub(super) fn drains(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| !drain.done)
    }

    /// No other host can take this object now.
    pub(super) fn note_untakeable(&mut self, object: ObjectId) {
        if let Some(drain) = &mut self.drain {
            drain.untakeable.insert(object);
        }
    }

    pub(super) fn tick_drain(&mut self, now: Instant, fx: &mut Effects) {
        let Some(drain) = self.drain.as_ref().filter(|drain| !drain.done) else {
            return;
        };
        let impatient = now.since(drain.since) >= METHODS;
        let ours = self.slots.objects_of(&self.world.me);
        if impatient {
            let held = |object: &ObjectId| {
                let replica = self.replica(object);
                replica.is_some_and(|replica| replica.holder().is_some())
            };
            let stuck: Vec<ObjectId> = ours.iter().copied().filter(held).collect();
            for object in stuck {
                self.with(now, object, fx, |replica, env, out| {
                    replica.interrupt(env, out);
                });
            }
        }
        self.attention.extend(ours);
        if let Some(drain) = &mut self.drain {
            drain.untakeable.clear();
        }
    }

    /// Tells the driver once nothing is left to hand over, or nobody can take it.
    pub(super) fn check_drained(&mut self, now: Instant, fx: &mut Effects) {
        let Some(drain) = self.drain.as_ref().filter(|drain| !drain.done) else {
            return;
        };
        let late = now.since(drain.since) >= self.config.timings.drain;
        let mut left = self.slots.iter();
        let moves = left.any(|(object, _)| !drain.untakeable.contains(object));
        if moves && !late {
            return;
        }
        let left = self.slots.count_of(&self.world.me);
        let left_behind = u32::try_from(left).unwrap_or(u32::MAX);
        if let Some(drain) = &mut self.drain {
            drain.done = true;
        }
        fx.emit(Event::Drained { left_behind });
    }
}

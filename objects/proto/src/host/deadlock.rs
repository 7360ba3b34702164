//! Follows who waits for whom (Chandy, Misra, Haas 1983): a call that waits for itself through
//! other objects is ended instead of waiting for its deadline.

use alloc::vec::Vec;

use overlay_proto::{Instant, ProcessId};

use crate::client::OpenNested;
use crate::execution::CHAIN_MAX;
use crate::host::Host;
use crate::host::effects::Effects;
use crate::message::{Message, WaitProbe};
use crate::object::ObjectId;
use crate::register::{Replica, WaitingCall};

impl Host {
    /// Sends a probe for each nested call that has been queued here for long; `nested` tells
    /// which calls the methods of an object wait for.
    pub fn probe_waits(
        &mut self,
        now: Instant,
        nested: impl Fn(ObjectId) -> Vec<OpenNested>,
        fx: &mut Effects,
    ) {
        for object in self.slots.turn() {
            let Some(replica) = self.replica(&object) else {
                continue;
            };
            let Some(holder) = replica.holder() else {
                continue;
            };
            let waiting = replica.waiting_calls(now, self.config.timings.deadlock);
            for call in waiting.iter().filter(|call| self.is_due(now, call)) {
                if holder.chain.root == call.chain.root && !call.chain.holds.contains(&object) {
                    continue;
                }
                let probe = WaitProbe {
                    object,
                    origin: object,
                    home: self.world.me,
                    call: call.chain.call,
                    root: call.chain.root,
                    youngest: call.chain.root,
                    hops: 0,
                };
                self.on_wait_probe(probe, &nested, fx);
            }
        }
    }

    /// Follows a probe from the object whose primary is here.
    pub fn on_wait_probe(
        &self,
        mut probe: WaitProbe,
        nested: impl Fn(ObjectId) -> Vec<OpenNested>,
        fx: &mut Effects,
    ) {
        let holder = self.replica(&probe.object).and_then(Replica::holder);
        let Some(holder) = holder else { return };
        let came_home = holder.chain.root == probe.root;
        probe.youngest = probe.youngest.max(holder.chain.root);
        if came_home {
            if probe.youngest == probe.root {
                let (object, call) = (probe.origin, probe.call);
                fx.send(probe.home, Message::Deadlocked { object, call });
            }
            return;
        }
        if usize::from(probe.hops) >= CHAIN_MAX {
            return;
        }
        probe.hops += 1;
        for call in nested(probe.object).iter().take(CHAIN_MAX) {
            let Some(primary) = call.primary else {
                continue;
            };
            let mut next = probe.clone();
            next.object = call.target;
            fx.send(primary, Message::WaitProbe(next));
        }
    }

    /// A waiting call asks once per period, without anything being remembered for it.
    fn is_due(&self, now: Instant, call: &WaitingCall) -> bool {
        let period = self.config.timings.deadlock.as_micros().max(1);
        let tick = self.config.timings.tick.as_micros();
        now.since(call.since).as_micros() % period < tick
    }

    /// This process.
    #[must_use]
    pub const fn me(&self) -> ProcessId {
        self.world.me
    }
}

//! The timers: each is set only while there is something that it looks at.

use overlay_proto::{Instant, Sink};

use super::Objects;
use crate::host::{Effects, PARTS};
use crate::machine::{Event, Timer};
use crate::message::Message;

/// Which timers are set.
#[derive(Debug, Default)]
pub(super) struct TimersSet {
    tick: bool,
    repair: bool,
    publish: bool,
}

impl Objects {
    pub(super) fn on_timer(&mut self, now: Instant, timer: Timer, fx: &mut Effects) {
        match timer {
            Timer::Tick => {
                self.set.tick = false;
                self.tick(now, fx);
            }
            Timer::Repair => {
                self.set.repair = false;
                self.host.tick_repairs(now, fx);
            }
            Timer::Publish => {
                self.set.publish = false;
                self.host.republish();
                self.host.audit(fx);
            }
        }
    }

    pub(super) fn set_timers(&mut self, out: &mut impl Sink<Message, Timer, Event>) {
        let timings = &self.config.timings;
        if !self.set.tick && self.waits() {
            self.set.tick = true;
            out.set_timer(Timer::Tick, timings.tick);
        }
        if !self.set.repair && self.host.repairs_wait() {
            self.set.repair = true;
            out.set_timer(Timer::Repair, timings.repair);
        }
        if !self.set.publish && self.host.publishes() {
            self.set.publish = true;
            out.set_timer(Timer::Publish, timings.republish / PARTS);
        }
    }
}

//! Time passes: deadlines, unanswered calls, searches.

use alloc::vec::Vec;

use overlay_proto::Instant;

use super::Client;
use super::call::{Call, CallId};
use super::effects::ClientEffects;
use crate::object::ObjectId;
use crate::outcome::Cause;

impl Client {
    /// Looks at everything that waits; due every 25 ms while [`needs_tick`](Self::needs_tick).
    pub fn tick(&mut self, now: Instant, fx: &mut ClientEffects) {
        self.expire(now, fx);
        let active: Vec<ObjectId> = self.active.iter().copied().collect();
        for object in active {
            self.look_at(now, object, fx);
        }
    }

    /// Ends the calls whose deadline has passed.
    fn expire(&mut self, now: Instant, fx: &mut ClientEffects) {
        if now < self.next_deadline {
            return;
        }
        let due = self.calls.iter().filter(|(_, call)| call.deadline <= now);
        let due: Vec<CallId> = due.map(|(id, _)| *id).collect();
        for id in due {
            let Some(cause) = self
                .calls
                .get(&id)
                .map(|call| self.deadline_cause(now, call))
            else {
                continue;
            };
            self.withdraw(id, fx);
            self.end(now, id, cause, fx);
        }
        let deadlines = self.calls.values().map(|call| call.deadline);
        self.next_deadline = deadlines.min().unwrap_or(Instant::from_micros(u64::MAX));
    }

    /// What kept the call from ending in time, as far as the answers tell (design review 2.16).
    fn deadline_cause(&self, now: Instant, call: &Call) -> Cause {
        let object = call.key.object;
        let Some(place) = self.places.get(&object) else {
            return Cause::Deadline;
        };
        if let Some(cause) = &call.refused {
            return cause.clone();
        }
        if place.done_since(call.began) {
            Cause::Deadline
        } else if place.heard_since(call.began) {
            Cause::NoQuorum
        } else if self.is_unknown(now, object) {
            Cause::NotFound
        } else if place.asked_since(call.began) || place.target.is_none() {
            Cause::Unreachable
        } else {
            Cause::Deadline
        }
    }

    /// Looks at the open calls on one object.
    fn look_at(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        if place.resend_at.is_some_and(|at| at <= now) {
            place.resend_at = None;
            for key in self.lanes_on(object) {
                self.flush(now, key, fx);
            }
        }
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        let unanswered = now.since(place.progress_at) >= self.config.patience;
        if !place.stalled && place.target.is_some() && unanswered && place.resend_at.is_none() {
            place.stalled = true;
            let suspect = place.target;
            self.seek(now, object, suspect, fx);
        } else if place.target.is_none() || place.stalled {
            self.seek(now, object, None, fx);
        }
        self.probe_lanes(now, object, fx);
        if self.is_unknown(now, object) {
            self.end_unknown(now, object, fx);
        }
    }

    /// The object is alive, but may have lost the oldest call of a lane: it is sent once more.
    fn probe_lanes(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        let every = self.config.probe_after / 2;
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        if place.target.is_none() || now.since(place.probed_at) < every {
            return;
        }
        place.probed_at = now;
        for key in self.lanes_on(object) {
            self.probe(now, key, fx);
        }
    }

    fn end_unknown(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        let lanes = self.lanes_on(object);
        let open = lanes.iter().filter_map(|key| self.lanes.get(key));
        let open: Vec<CallId> = open
            .flat_map(|lane| lane.calls.iter().copied().chain(lane.opening()))
            .collect();
        for id in open {
            self.end(now, id, Cause::NotFound, fx);
        }
    }
}

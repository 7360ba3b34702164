//! Calls end: answered, given up, withdrawn.

use alloc::boxed::Box;
use alloc::vec::Vec;

use overlay_proto::Instant;

use super::Client;
use super::call::{Call, CallId, Purpose, What};
use super::effects::ClientEffects;
use super::lane::{LaneKey, LaneSession, Owner};
use crate::caller::{Completion, HandleId};
use crate::machine::Ticket;
use crate::message::Message;
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome, Witness};

/// Openings remembered for the surplus sessions that they may have opened.
pub(super) const SURPLUS_MAX: usize = 256;

impl Client {
    /// Nobody waits for the ticket any more: withdraws a call that has not started. No
    /// completion follows, except for a one-way call, which goes on.
    pub fn cancel(&mut self, now: Instant, ticket: Ticket, fx: &mut ClientEffects) {
        let Some(id) = self.tickets.get(&ticket).copied() else {
            return;
        };
        let one_way = |call: &Call| matches!(&call.what, What::Method(method) if method.one_way);
        if self.calls.get(&id).is_none_or(|call| one_way(call)) {
            return;
        }
        self.withdraw(id, fx);
        self.leave_doubt(id);
        if let Some(call) = self.take(id, fx) {
            self.flush(now, call.key, fx);
        }
    }

    /// The handle is gone: its sessions are closed once its open calls have ended.
    pub fn release(&mut self, handle: HandleId, fx: &mut ClientEffects) {
        let owner = Owner::Handle(handle);
        let first = LaneKey {
            owner,
            object: ObjectId(0),
        };
        let last = LaneKey {
            owner,
            object: ObjectId(u128::MAX),
        };
        let keys: Vec<LaneKey> = self
            .lanes
            .range(first..=last)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.released = true;
            }
            self.settle(key, fx);
        }
    }

    /// Ends a call that no attempt is known to have executed, and goes on with its lane.
    pub(super) fn end(&mut self, now: Instant, id: CallId, cause: Cause, fx: &mut ClientEffects) {
        if let Some(call) = self.calls.get(&id) {
            let outcome = call.ended(cause);
            self.finish(now, id, outcome, None, fx);
        }
    }

    /// Ends a call and goes on with its lane.
    pub(super) fn finish(
        &mut self,
        now: Instant,
        id: CallId,
        outcome: Outcome,
        witness: Option<Witness>,
        fx: &mut ClientEffects,
    ) {
        if let Some(key) = self.conclude(id, outcome, witness, fx) {
            self.flush(now, key, fx);
        }
    }

    /// Ends a call; its lane is left as it is.
    fn conclude(
        &mut self,
        id: CallId,
        outcome: Outcome,
        witness: Option<Witness>,
        fx: &mut ClientEffects,
    ) -> Option<LaneKey> {
        if matches!(outcome, Outcome::Indeterminate(_)) {
            self.leave_doubt(id);
        }
        let call = self.take(id, fx)?;
        match call.purpose {
            Purpose::Complete(ticket) => {
                fx.completed.push((ticket, Completion { outcome, witness }));
            }
            Purpose::Inspect(ticket) => {
                if let Some(cause) = cause_of(outcome) {
                    fx.inspected.push((ticket, Err(cause)));
                }
            }
            Purpose::Outbox { source, number } => {
                fx.outbox_done.push((source, number, outcome));
            }
            Purpose::OpenSession => {
                if let Some(cause) = cause_of(outcome) {
                    self.opening_failed(call.key, &cause, fx);
                }
            }
        }
        Some(call.key)
    }

    /// Nobody waits for this write any more, and it may yet run.
    fn leave_doubt(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&call.key) {
            lane.doubtful |= call.may_have_run() && lane.session_of(id).is_some();
        }
    }

    /// Without a session the writes that wait for one cannot run. An opening that merely took
    /// too long is tried again as long as one of them has time left.
    fn opening_failed(&mut self, key: LaneKey, cause: &Cause, fx: &mut ClientEffects) {
        if *cause == Cause::Deadline {
            return;
        }
        let waiting: Vec<CallId> = self
            .lanes
            .get(&key)
            .map(|lane| lane.waiting_writes().collect())
            .unwrap_or_default();
        for id in waiting {
            self.conclude(id, Outcome::NotExecuted(cause.clone()), None, fx);
        }
    }

    /// Asks the host to forget a call that it has not started.
    pub(super) fn withdraw(&self, id: CallId, fx: &mut ClientEffects) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let object = call.key.object;
        let Some((to, numbers)) = call.attempts_there() else {
            return;
        };
        let ids = numbers.map(|number| id.request(number));
        fx.sends
            .extend(ids.map(|id| (to, Message::Cancel { object, id })));
    }

    /// Takes a call out of all tables.
    pub(super) fn take(&mut self, id: CallId, fx: &mut ClientEffects) -> Option<Box<Call>> {
        let call = self.calls.remove(&id)?;
        if let Some(ticket) = call.ticket() {
            self.tickets.remove(&ticket);
        }
        if let Some((source, _)) = call.nested()
            && let Some(open) = self.nested.get_mut(&source)
        {
            open.remove(&id);
            if open.is_empty() {
                self.nested.remove(&source);
            }
        }
        if let Some(lane) = self.lanes.get_mut(&call.key) {
            lane.remove(id);
            if lane.session == LaneSession::Opening(id) {
                lane.session = LaneSession::None;
            }
        }
        if call.purpose == Purpose::OpenSession
            && call.may_have_run()
            && self.surplus.len() < SURPLUS_MAX
        {
            self.surplus.insert(id, (call.key.object, call.kind));
        }
        self.settle(call.key, fx);
        Some(call)
    }

    /// Drops what a lane without open calls no longer needs.
    fn settle(&mut self, key: LaneKey, fx: &mut ClientEffects) {
        let Some(lane) = self.lanes.get(&key) else {
            return;
        };
        if !lane.calls.is_empty() {
            return;
        }
        let (session, released, kind) = (lane.session, lane.released, lane.kind);
        match session {
            LaneSession::Opening(_) if !released => {}
            LaneSession::Opening(id) => {
                self.lanes.remove(&key);
                self.take(id, fx);
            }
            LaneSession::None => {
                self.lanes.remove(&key);
            }
            LaneSession::Open { id, .. } if released => {
                self.lanes.remove(&key);
                self.close_session(key.object, kind, id, fx);
            }
            LaneSession::Open { .. } => {}
        }
        if !matches!(session, LaneSession::Opening(_)) || released {
            self.deactivate(key);
        }
    }

    /// The lane has no open call any more.
    fn deactivate(&mut self, key: LaneKey) {
        let Some(place) = self.places.get_mut(&key.object) else {
            return;
        };
        if !place.lanes.remove(&key.owner) || !place.lanes.is_empty() {
            return;
        }
        self.active.remove(&key.object);
        place.idle = Some(self.idled);
        self.idle.insert(self.idled, key.object);
        self.idled += 1;
        self.forget_idle();
    }

    /// Forgets the places that were not used for the longest time.
    pub(super) fn forget_idle(&mut self) {
        while self.idle.len() > self.config.places {
            let Some((_, object)) = self.idle.pop_first() else {
                return;
            };
            self.places.remove(&object);
        }
    }
}

fn cause_of(outcome: Outcome) -> Option<Cause> {
    match outcome {
        Outcome::NotExecuted(cause) | Outcome::Indeterminate(cause) => Some(cause),
        Outcome::Returned(_) | Outcome::Failed(_) | Outcome::Executed => None,
    }
}

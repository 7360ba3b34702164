//! Calls are sent, in the order of their lane.

use alloc::boxed::Box;

use overlay_proto::{Instant, ProcessId};

use super::Client;
use super::call::{Call, CallId, Purpose, What};
use super::effects::ClientEffects;
use super::lane::{LaneKey, LaneSession, Readiness};
use crate::message::{Ask, CallRequest, Message, Position, Request};
use crate::object::{MethodId, ObjectId};
use crate::session::SessionId;

impl Client {
    /// Sends whatever of the lane can be sent now.
    pub(super) fn flush(&mut self, now: Instant, key: LaneKey, fx: &mut ClientEffects) {
        let Some(lane) = self.lanes.get(&key) else {
            return;
        };
        let opening = lane.opening();
        if lane.next_unsent().is_none() && opening.is_none() {
            return;
        }
        let Some(place) = self.places.get(&key.object) else {
            return;
        };
        if place.resend_at.is_some() {
            return;
        }
        let Some(target) = place.target else {
            self.seek(now, key.object, None, fx);
            return;
        };
        if let Some(id) = opening
            && self
                .calls
                .get(&id)
                .is_some_and(|call| call.current.is_none())
        {
            self.send(now, id, target, Position::Unordered, fx);
        }
        while let Some((id, position)) = self.next_ready(now, key, target, fx) {
            self.send(now, id, target, position, fx);
        }
    }

    /// The lane's next call, if it may be sent now. Opens a session if that is what it needs.
    fn next_ready(
        &mut self,
        now: Instant,
        key: LaneKey,
        target: ProcessId,
        fx: &mut ClientEffects,
    ) -> Option<(CallId, Position)> {
        let lane = self.lanes.get_mut(&key)?;
        loop {
            let id = lane.next_unsent()?;
            let call = self.calls.get(&id)?;
            if call.current.is_some() {
                if lane.is_on_old_session(id) {
                    return None;
                }
                lane.pass(id);
                continue;
            }
            if call.deadline <= now {
                // The next tick ends it. A session opened for it would be over at once, too.
                return None;
            }
            match lane.readiness(id, call) {
                Readiness::Send(position) => {
                    if !lane.is_on_old_session(id) {
                        lane.pass(id);
                    }
                    return Some((id, position));
                }
                Readiness::Wait => return None,
                Readiness::NeedSession => {
                    let (kind, deadline) = (call.kind, call.deadline);
                    if lane.session == LaneSession::None {
                        self.open_session(now, key, kind, deadline, target, fx);
                    }
                    return None;
                }
            }
        }
    }

    fn open_session(
        &mut self,
        now: Instant,
        key: LaneKey,
        kind: MethodId,
        deadline: Instant,
        target: ProcessId,
        fx: &mut ClientEffects,
    ) {
        let id = self.fresh_id();
        let purpose = Purpose::OpenSession;
        let call = Call::new(key, purpose, kind, What::OpenSession, now, deadline);
        self.calls.insert(id, Box::new(call));
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.session = LaneSession::Opening(id);
        }
        self.send(now, id, target, Position::Unordered, fx);
    }

    fn send(
        &mut self,
        now: Instant,
        id: CallId,
        to: ProcessId,
        position: Position,
        fx: &mut ClientEffects,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let left = call.deadline.since(now);
        let before = call.sent();
        let attempt = call.attempt(now, to);
        let ask = match &call.what {
            What::Method(method) => Ask::Call(CallRequest {
                method: method.method,
                write: method.write,
                codec: method.codec,
                position,
                chain: method.chain.clone(),
                arguments: method.arguments.clone(),
            }),
            What::Delete => Ask::Delete { position },
            What::Inspect => Ask::Inspect,
            What::OpenSession => Ask::OpenSession,
        };
        let request = Request {
            id: id.request(attempt),
            object: call.key.object,
            kind: call.kind,
            attempt: before,
            budget: left.saturating_sub(self.config.reply_margin.min(left / 10)),
            ask,
        };
        fx.sends.push((to, Message::Request(request)));
    }

    /// Sends the lane's oldest call once more to a primary that seems to have lost it.
    pub(super) fn probe(&mut self, now: Instant, key: LaneKey, fx: &mut ClientEffects) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        let opening = lane.opening();
        let Some(id) = opening.or_else(|| lane.calls.first().copied()) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(current) = call.current else { return };
        if now.since(current.at) < self.config.probe_after {
            return;
        }
        if opening.is_some() {
            self.send(now, id, current.to, Position::Unordered, fx);
        } else if let Readiness::Send(position) = lane.readiness(id, call) {
            lane.probed(id, current.number.wrapping_add(1));
            self.send(now, id, current.to, position, fx);
        }
    }

    /// Sends all open calls on the object again, in order per lane.
    pub(super) fn resend_all(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        for key in self.lanes_on(object) {
            self.rewind(key);
            self.flush(now, key, fx);
        }
    }

    /// Counts on no attempt of the lane any more: all of its calls are to be sent again.
    pub(super) fn rewind(&mut self, key: LaneKey) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        lane.rewind();
        let opening = lane.opening();
        for id in lane.calls.iter().chain(&opening) {
            if let Some(call) = self.calls.get_mut(id) {
                call.give_up_attempt();
            }
        }
    }

    /// The lanes with open calls on the object.
    pub(super) fn lanes_on(&self, object: ObjectId) -> alloc::vec::Vec<LaneKey> {
        let lanes = self
            .places
            .get(&object)
            .into_iter()
            .flat_map(|place| &place.lanes);
        lanes
            .map(|owner| LaneKey {
                owner: *owner,
                object,
            })
            .collect()
    }

    /// Tells the object, if it can be told at once, that a session is no longer needed.
    pub(super) fn close_session(
        &mut self,
        object: ObjectId,
        kind: MethodId,
        session: SessionId,
        fx: &mut ClientEffects,
    ) {
        let Some(target) = self.places.get(&object).and_then(|place| place.target) else {
            return;
        };
        let request = Request {
            id: self.fresh_id().request(0),
            object,
            kind,
            attempt: 0,
            budget: self.config.patience,
            ask: Ask::CloseSession(session),
        };
        fx.sends.push((target, Message::Request(request)));
    }
}

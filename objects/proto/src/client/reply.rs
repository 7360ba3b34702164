//! Answers to requests.

use overlay_proto::{Instant, ProcessId};

use super::Client;
use super::call::{CallId, Purpose, Standing};
use super::effects::ClientEffects;
use super::lane::{LaneKey, LaneSession};
use super::place::Learned;
use crate::message::{Refusal, Reply, Sighting};
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome};
use crate::session::SessionId;

impl Client {
    /// A reply arrived. One that answers nothing that was sent to `from` is ignored.
    pub fn on_reply(
        &mut self,
        now: Instant,
        from: ProcessId,
        id: u64,
        reply: Reply,
        fx: &mut ClientEffects,
    ) {
        self.reach.heard(&from);
        let (id, number) = CallId::of_request(id);
        let Some(call) = self.calls.get(&id) else {
            self.on_late_reply(id, &reply, fx);
            return;
        };
        let Some(standing) = call.standing(number, from) else {
            return;
        };
        let (key, purpose) = (call.key, call.purpose);
        match reply {
            Reply::Done {
                outcome: Outcome::NotExecuted(cause),
                ..
            }
            | Reply::Refused(Refusal::Final(cause)) => {
                self.resolve(id, number);
                self.answered(now, key.object, from, false);
                self.on_final(now, key, (id, from), cause, fx);
            }
            Reply::Done { outcome, witness } => {
                self.answered(now, key.object, from, true);
                let lane = self.lanes.get(&key);
                if lane.is_some_and(|lane| lane.shows_loss(id, number)) {
                    self.rewind(key);
                }
                self.finish(now, id, outcome, witness, fx);
            }
            Reply::Session(session) if purpose == Purpose::OpenSession => {
                self.answered(now, key.object, from, true);
                self.on_session(now, key, id, number, session, fx);
            }
            Reply::Description(description) => {
                if let Purpose::Inspect(ticket) = purpose {
                    self.answered(now, key.object, from, true);
                    fx.inspected.push((ticket, Ok(description)));
                    self.take(id, fx);
                }
            }
            Reply::Session(_) => {}
            Reply::Refused(Refusal::Elsewhere(sighting)) => {
                self.resolve(id, number);
                self.on_elsewhere(now, from, key, id, standing, sighting, fx);
            }
            Reply::Refused(Refusal::Gap) => {
                self.resolve(id, number);
                self.answered(now, key.object, from, false);
                if standing == Standing::Current {
                    self.rewind(key);
                    self.back_off(now, key.object);
                    self.flush(now, key, fx);
                }
            }
            Reply::Refused(Refusal::UnknownSession) => {
                self.resolve(id, number);
                self.answered(now, key.object, from, false);
                self.on_unknown_session(now, key, id, standing, fx);
            }
        }
    }

    /// A call was refused for good, so far as this attempt goes.
    fn on_final(
        &mut self,
        now: Instant,
        key: LaneKey,
        (id, from): (CallId, ProcessId),
        cause: Cause,
        fx: &mut ClientEffects,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let may_pass = match cause {
            Cause::ShuttingDown => true,
            Cause::Overloaded(_) | Cause::NoQuorum => call.may_have_run(),
            // The object itself says that the number is closed: whatever was sent of it.
            Cause::OutOfOrder => {
                self.finish(now, id, Outcome::NotExecuted(cause), None, fx);
                return;
            }
            Cause::Isolated => {
                if let Some(place) = self.places.get_mut(&key.object) {
                    place.turned_away(from);
                }
                now.since(call.began) < self.config.isolated_patience
            }
            Cause::Deleted => {
                if let Some(place) = self.places.get_mut(&key.object) {
                    place.deleted = true;
                }
                false
            }
            _ => false,
        };
        if call.current.is_some() {
            call.refused = Some(cause);
        } else if may_pass {
            call.refused = Some(cause);
            self.send_later(now, key, id, fx);
        } else {
            self.end(now, id, cause, fx);
        }
    }

    fn on_session(
        &mut self,
        now: Instant,
        key: LaneKey,
        id: CallId,
        number: u16,
        session: SessionId,
        fx: &mut ClientEffects,
    ) {
        self.resolve(id, number);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.doubtful = false;
            lane.session = LaneSession::Open {
                id: session,
                next: 1,
            };
        }
        self.take(id, fx);
        self.flush(now, key, fx);
    }

    /// The refused attempt was not executed; what the refuser knows instead is taken as a hint.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one refusal"
    )]
    fn on_elsewhere(
        &mut self,
        now: Instant,
        from: ProcessId,
        key: LaneKey,
        id: CallId,
        standing: Standing,
        sighting: Sighting,
        fx: &mut ClientEffects,
    ) {
        let limit = self.config.candidates;
        let Some(place) = self.places.get_mut(&key.object) else {
            return;
        };
        place.turned_away(from);
        match place.adopt(now, from, sighting, limit) {
            Learned::Moved => {
                self.back_off(now, key.object);
                self.resend_all(now, key.object, fx);
            }
            Learned::Deleted => {
                self.end(now, id, Cause::Deleted, fx);
            }
            Learned::Nothing if standing == Standing::Current => {
                if let Some(lane) = self.lanes.get_mut(&key) {
                    lane.rewind_to(id);
                }
                self.seek(now, key.object, None, fx);
                self.flush(now, key, fx);
            }
            Learned::Nothing => {}
        }
    }

    /// Under an unknown session nothing runs: a call that may not have run before goes on under
    /// another one.
    fn on_unknown_session(
        &mut self,
        now: Instant,
        key: LaneKey,
        id: CallId,
        standing: Standing,
        fx: &mut ClientEffects,
    ) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let of_call = lane.session_of(id);
        if standing == Standing::Older && call.current.is_some() {
            return;
        }
        if of_call.is_some() && call.may_have_run() {
            self.end(now, id, Cause::SessionExpired, fx);
            return;
        }
        let is_first = match (lane.session, of_call) {
            (LaneSession::Open { id, .. }, Some(of_call)) => id == of_call,
            (_, of_call) => of_call.is_none(),
        };
        if is_first && of_call.is_some() {
            lane.session = LaneSession::None;
        }
        lane.renumber(id);
        lane.rewind_to(id);
        if is_first {
            self.back_off(now, key.object);
        }
        self.flush(now, key, fx);
    }

    /// A reply to a call that has ended: a session that it opened is not needed.
    fn on_late_reply(&mut self, id: CallId, reply: &Reply, fx: &mut ClientEffects) {
        if let Reply::Session(session) = reply
            && let Some((object, kind)) = self.surplus.remove(&id)
        {
            self.close_session(object, kind, *session, fx);
        }
    }

    /// The call is to be sent again, after a pause if this was not the first refusal.
    fn send_later(&mut self, now: Instant, key: LaneKey, id: CallId, fx: &mut ClientEffects) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.rewind_to(id);
        }
        self.back_off(now, key.object);
        self.flush(now, key, fx);
    }

    fn resolve(&mut self, id: CallId, number: u16) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.resolve(number);
        }
    }

    fn answered(&mut self, now: Instant, object: ObjectId, from: ProcessId, done: bool) {
        if let Some(place) = self.places.get_mut(&object) {
            place.answered(now, from, done);
        }
    }

    fn back_off(&mut self, now: Instant, object: ObjectId) {
        let (min, max) = (self.config.retry_pause_min, self.config.retry_pause_max);
        if let Some(place) = self.places.get_mut(&object) {
            place.back_off(now, min, max);
        }
    }
}

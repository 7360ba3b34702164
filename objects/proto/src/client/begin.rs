//! Calls begin: numbered by their lane, checked against the caps.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant};

use super::call::{Call, CallId, MethodCall, Purpose, What};
use super::effects::ClientEffects;
use super::lane::{Lane, LaneKey, LaneSession, Owner};
use super::{Client, ids};
use crate::caller::{Completion, HandleId, Invocation};
use crate::execution::{CHAIN_MAX, CallChain, Codec, Deferred, RootId};
use crate::machine::Ticket;
use crate::object::{MethodId, ObjectId};
use crate::outcome::{Cause, Failure, Outcome};
use crate::reference::RawRef;
use crate::session::SessionId;

/// Longest encoded arguments, bytes: what fits into a frame.
pub const ARGUMENT_BYTES_MAX: usize = 1024 * 1024;

impl Client {
    /// Makes a call; ends in `completed`, also a one-way one.
    pub fn invoke(
        &mut self,
        now: Instant,
        ticket: Ticket,
        invocation: Invocation,
        fx: &mut ClientEffects,
    ) {
        let owner = Owner::Handle(invocation.handle);
        let key = LaneKey {
            owner,
            object: invocation.target.id,
        };
        if let Err(outcome) = self.admit(&key, &invocation) {
            fx.completed.push((
                ticket,
                Completion {
                    outcome,
                    witness: None,
                },
            ));
            return;
        }
        let chain = self.chain(now, &invocation);
        let nested = invocation.parent.as_ref().and_then(|parent| {
            let source = *parent.chain.holds.last()?;
            Some((source, chain.call))
        });
        let method = MethodCall {
            method: invocation.method,
            write: invocation.write,
            codec: invocation.codec,
            arguments: invocation.arguments,
            chain,
            one_way: invocation.one_way,
            nested,
        };
        let deadline = now + invocation.timeout;
        let purpose = Purpose::Complete(ticket);
        self.begin(
            now,
            key,
            &invocation.target,
            purpose,
            What::Method(method),
            deadline,
            fx,
        );
    }

    /// Deletes an object; ends in `completed`. Deleting it again changes nothing, so it needs
    /// no session.
    pub fn delete(
        &mut self,
        now: Instant,
        ticket: Ticket,
        target: &RawRef,
        timeout: Duration,
        fx: &mut ClientEffects,
    ) {
        let key = LaneKey {
            owner: Owner::Operator(ticket),
            object: target.id,
        };
        let deadline = now + timeout;
        self.begin(
            now,
            key,
            target,
            Purpose::Complete(ticket),
            What::Delete,
            deadline,
            fx,
        );
    }

    /// Describes an object; ends in `inspected`.
    pub fn inspect(
        &mut self,
        now: Instant,
        ticket: Ticket,
        target: &RawRef,
        timeout: Duration,
        fx: &mut ClientEffects,
    ) {
        let key = LaneKey {
            owner: Owner::Operator(ticket),
            object: target.id,
        };
        let deadline = now + timeout;
        self.begin(
            now,
            key,
            target,
            Purpose::Inspect(ticket),
            What::Inspect,
            deadline,
            fx,
        );
    }

    /// Delivers a call of `source`'s outbox; ends in `outbox_done`. One that is under way
    /// already is left alone. One at a time per target: the host part sees to the order.
    pub fn deliver_outbox(
        &mut self,
        now: Instant,
        source: ObjectId,
        number: u64,
        call: &Deferred,
        fx: &mut ClientEffects,
    ) {
        let key = LaneKey {
            owner: Owner::Outbox(source),
            object: call.target.id,
        };
        let purpose = Purpose::Outbox { source, number };
        let under_way = self.lanes.get(&key).is_some_and(|lane| {
            let mut open = lane.calls.iter().filter_map(|id| self.calls.get(id));
            open.any(|open| open.purpose == purpose)
        });
        if under_way {
            return;
        }
        let id = ids::outbox(source, number);
        let root = RootId {
            began: now.as_micros(),
            call: id,
        };
        let method = MethodCall {
            method: call.method,
            write: true,
            codec: Codec::Cbor,
            arguments: call.arguments.clone(),
            chain: CallChain {
                root,
                call: id,
                holds: Vec::new(),
            },
            one_way: false,
            nested: None,
        };
        let deadline = now + self.config.outbox_timeout;
        self.begin(
            now,
            key,
            &call.target,
            purpose,
            What::Method(method),
            deadline,
            fx,
        );
    }

    /// Gives the creator's handle the session that was born with the object.
    pub fn adopt_session(
        &mut self,
        now: Instant,
        handle: HandleId,
        session: SessionId,
        reference: &RawRef,
    ) {
        let key = LaneKey {
            owner: Owner::Handle(handle),
            object: reference.id,
        };
        let kind = MethodId::of(&reference.kind);
        let session = LaneSession::Open {
            id: session,
            next: 1,
        };
        self.lanes
            .entry(key)
            .or_insert_with(|| Lane::new(now, kind, session));
        self.learn(now, reference);
    }

    /// Whether the call may begin at all.
    fn admit(&self, key: &LaneKey, invocation: &Invocation) -> Result<(), Outcome> {
        let overloaded =
            |what: &str| Err(Outcome::NotExecuted(Cause::Overloaded(String::from(what))));
        if let Some(parent) = &invocation.parent {
            if parent.chain.holds.contains(&invocation.target.id) {
                return Err(Outcome::Failed(Failure::Deadlock));
            }
            if parent.chain.holds.len() > CHAIN_MAX {
                return overloaded("the chain of nested calls");
            }
        }
        if invocation.arguments.len() > ARGUMENT_BYTES_MAX {
            return Err(Outcome::NotExecuted(Cause::TooLarge {
                what: String::from("arguments"),
                bytes: invocation.arguments.len() as u64,
                limit: ARGUMENT_BYTES_MAX as u64,
            }));
        }
        if invocation.timeout.is_zero() {
            return Err(Outcome::NotExecuted(Cause::Deadline));
        }
        let of_lane = self.lanes.get(key).map_or(0, |lane| lane.calls.len());
        if of_lane >= self.config.calls_per_handle {
            return overloaded("the handle's table of open calls");
        }
        if self.calls.len() >= self.config.calls {
            return overloaded("this node's table of open calls");
        }
        Ok(())
    }

    fn chain(&self, now: Instant, invocation: &Invocation) -> CallChain {
        let Some(parent) = &invocation.parent else {
            let call = ids::outermost(&self.me, self.next.0);
            let root = RootId {
                began: now.as_micros(),
                call,
            };
            return CallChain {
                root,
                call,
                holds: Vec::new(),
            };
        };
        let call = ids::nested(
            parent.chain.call,
            parent.ordinal,
            invocation.target.id,
            invocation.method,
            invocation.codec,
            &invocation.arguments,
        );
        CallChain {
            root: parent.chain.root,
            call,
            holds: parent.chain.holds.clone(),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place where all kinds of calls begin"
    )]
    fn begin(
        &mut self,
        now: Instant,
        key: LaneKey,
        target: &RawRef,
        purpose: Purpose,
        what: What,
        deadline: Instant,
        fx: &mut ClientEffects,
    ) {
        let id = self.fresh_id();
        let kind = MethodId::of(&target.kind);
        let call = Call::new(key, purpose, kind, what, now, deadline);
        self.next_deadline = self.next_deadline.min(deadline);
        if let Some(ticket) = call.ticket() {
            self.tickets.insert(ticket, id);
        }
        if let Some((source, _)) = call.nested() {
            self.nested.entry(source).or_default().insert(id);
        }
        self.renew_session(now, &key, fx);
        let lane = self.lanes.entry(key);
        lane.or_insert_with(|| Lane::new(now, kind, LaneSession::None))
            .push(id, &call);
        self.calls.insert(id, Box::new(call));
        self.learn(now, target);
        self.activate(now, key);
        if self
            .places
            .get(&key.object)
            .is_some_and(|place| place.deleted)
        {
            self.end(now, id, Cause::Deleted, fx);
            return;
        }
        self.flush(now, key, fx);
    }

    /// A handle that rested goes on under another session. What it sent first under one that the
    /// object has closed might have run, for all that anybody could tell.
    fn renew_session(&mut self, now: Instant, key: &LaneKey, fx: &mut ClientEffects) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let rested = now.since(lane.used) > self.config.session_rest;
        lane.used = now;
        if rested
            && lane.calls.is_empty()
            && !lane.doubtful
            && let LaneSession::Open { id, .. } = lane.session
        {
            lane.session = LaneSession::None;
            let kind = lane.kind;
            self.close_session(key.object, kind, id, fx);
        }
    }

    /// The next call's id.
    pub(super) fn fresh_id(&mut self) -> CallId {
        let id = self.next;
        self.next = id.next();
        id
    }

    /// Takes a reference's hint where its object is.
    fn learn(&mut self, now: Instant, reference: &RawRef) {
        let limit = self.config.candidates;
        let idled = self.idled;
        let place = self.places.entry(reference.id).or_default();
        place.hint(now, reference.configuration.as_ref(), limit);
        if place.lanes.is_empty() && place.idle.is_none() {
            place.idle = Some(idled);
            self.idle.insert(idled, reference.id);
            self.idled += 1;
            self.forget_idle();
        }
    }

    /// The lane has an open call from now on.
    fn activate(&mut self, now: Instant, key: LaneKey) {
        let place = self.places.entry(key.object).or_default();
        let first = place.lanes.is_empty();
        if first {
            place.wake(now);
            self.active.insert(key.object);
            if let Some(idle) = place.idle.take() {
                self.idle.remove(&idle);
            }
        }
        place.lanes.insert(key.owner);
        if !self.reach.is_whole() {
            self.pass_over(now, key.object, first);
        }
    }
}

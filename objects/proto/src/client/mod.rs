//! The proxy side of invocation: numbers a handle's calls, finds the primary, repeats until the
//! call's end is known or its deadline has passed, and never guesses whether a call ran.

mod config;
mod effects;

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, Instant, LinkDown, ProcessId};

pub use self::config::ClientConfig;
pub use self::effects::ClientEffects;
use crate::caller::{HandleId, Invocation};
use crate::execution::Deferred;
use crate::machine::Ticket;
use crate::message::{Reply, Sighting};
use crate::object::{Configuration, ObjectId};
use crate::reference::RawRef;
use crate::session::SessionId;

/// An open nested call, for whoever follows who waits for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenNested {
    /// The object called.
    pub target: ObjectId,
    /// The process that is taken for its primary, if any.
    pub primary: Option<ProcessId>,
    /// The call's id.
    pub call: u128,
}

/// The calls that this process makes. A part of the object machine, not a machine itself.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    me: ProcessId,
    view: MembershipView,
}

impl Client {
    /// A client without calls. `seed` spreads its retries, nothing else.
    #[must_use]
    pub fn new(config: ClientConfig, me: ProcessId, seed: u64) -> Self {
        let _ = seed;
        Self {
            config,
            me,
            view: MembershipView::default(),
        }
    }

    /// Makes a call; ends in `completed`, also a one-way one.
    pub fn invoke(
        &mut self,
        now: Instant,
        ticket: Ticket,
        call: Invocation,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, ticket, call, fx);
    }

    /// Deletes an object; ends in `completed`.
    pub fn delete(
        &mut self,
        now: Instant,
        ticket: Ticket,
        target: &RawRef,
        timeout: Duration,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, ticket, target, timeout, fx);
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
        let _ = (now, ticket, target, timeout, fx);
    }

    /// Delivers a call of `source`'s outbox; ends in `outbox_done`. One that is under way
    /// already is left alone.
    pub fn deliver_outbox(
        &mut self,
        now: Instant,
        source: ObjectId,
        number: u64,
        call: &Deferred,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, source, number, call, fx);
    }

    /// Nobody waits for the ticket any more: withdraws a call that has not started. No
    /// completion follows.
    pub fn cancel(&mut self, now: Instant, ticket: Ticket, fx: &mut ClientEffects) {
        let _ = (now, ticket, fx);
    }

    /// The handle is gone: its sessions are closed once its open calls have ended.
    pub fn release(&mut self, now: Instant, handle: HandleId, fx: &mut ClientEffects) {
        let _ = (now, handle, fx);
    }

    /// Gives the creator's handle the session that was born with the object.
    pub fn adopt_session(&mut self, handle: HandleId, session: SessionId, reference: &RawRef) {
        let _ = (handle, session, reference);
    }

    /// A reply arrived.
    pub fn on_reply(
        &mut self,
        now: Instant,
        from: ProcessId,
        id: u64,
        reply: Reply,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, from, id, reply, fx);
    }

    /// Somebody said where an object is.
    pub fn on_here(
        &mut self,
        now: Instant,
        from: ProcessId,
        object: ObjectId,
        sighting: Sighting,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, from, object, sighting, fx);
    }

    /// A link is down: what was sent on it may be lost.
    pub fn on_link_down(
        &mut self,
        now: Instant,
        process: ProcessId,
        reason: LinkDown,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, process, reason, fx);
    }

    /// The membership view changed.
    pub fn on_view(&mut self, view: MembershipView) {
        self.view = view;
    }

    /// The directory has records for an object; see [`directory`](crate::directory).
    pub fn on_directory(
        &mut self,
        now: Instant,
        object: ObjectId,
        records: &[Bytes],
        fx: &mut ClientEffects,
    ) {
        let _ = (now, object, records, fx);
    }

    /// The directory has no more records for the object.
    pub fn on_directory_exhausted(
        &mut self,
        now: Instant,
        object: ObjectId,
        fx: &mut ClientEffects,
    ) {
        let _ = (now, object, fx);
    }

    /// Looks at everything that waits; due every 25 ms while [`needs_tick`](Self::needs_tick).
    pub fn tick(&mut self, now: Instant, fx: &mut ClientEffects) {
        let _ = (now, fx, &self.config, self.me);
    }

    /// Whether something waits.
    #[must_use]
    pub fn needs_tick(&self) -> bool {
        false
    }

    /// The nested calls that methods of `source` wait for.
    #[must_use]
    pub fn open_nested_of(&self, source: ObjectId) -> Vec<OpenNested> {
        let _ = source;
        Vec::new()
    }

    /// The replica set that the client believes the object to have.
    #[must_use]
    pub fn place_of(&self, object: ObjectId) -> Option<&Arc<Configuration>> {
        let _ = object;
        None
    }
}

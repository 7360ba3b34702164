//! One object's record at this process and everything that it reacts to.

use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::execution::{CallChain, Deferred, Executed};
use crate::message::{Copy, Description, RegisterMessage, Request, Sighting, Value};
use crate::object::{Ballot, Configuration, Epoch, ObjectId, Version};
use crate::outcome::Failure;
use crate::register::{Effects, Env, Tombstone};

/// A call that waits in a primary's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCall {
    /// Its chain: its own id, its root, what it holds.
    pub chain: CallChain,
    /// Who sent it.
    pub from: ProcessId,
    /// Since when it waits.
    pub since: Instant,
}

/// The call that an object is executing alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its chain.
    pub chain: CallChain,
    /// Since when it runs.
    pub since: Instant,
}

/// What a primary knows of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerStatus {
    /// The stamp of its membership, once it has answered.
    pub stamp: Option<u64>,
    /// It holds the newest chosen version.
    pub in_sync: bool,
    /// When it last answered.
    pub heard: Option<Instant>,
}

/// Why a change of the replica set was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Not the confirmed primary.
    #[error("not the primary")]
    NotPrimary,
    /// A change, or the deletion, is under way.
    #[error("a change is under way")]
    Busy,
    /// Not the next epoch, no members, too many, or one of them twice.
    #[error("not a next replica set")]
    Malformed,
    /// A member of the next set does not hold the newest version.
    #[error("a member of the next set is not in sync")]
    NotInSync,
}

/// One object's record at this process.
#[derive(Debug)]
pub struct Replica {
    object: ObjectId,
    configuration: Configuration,
}

impl Replica {
    /// Makes a record from a full accept or a prepare for a process that has none, and answers.
    ///
    /// `None` if the message makes no record; a tombstone that refuses is answered `Gone`.
    #[must_use]
    pub fn install(
        env: &mut Env<'_>,
        object: ObjectId,
        from: ProcessId,
        message: RegisterMessage,
        tombstone: Option<&Tombstone>,
        fx: &mut Effects,
    ) -> Option<Self> {
        let _ = (env, object, from, message, tombstone, fx);
        None
    }

    /// Takes a message of the object's register.
    pub fn on_register(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        message: RegisterMessage,
        fx: &mut Effects,
    ) {
        let _ = (env, from, message, fx);
    }

    /// Takes a caller's request: answers, queues or redirects.
    pub fn on_request(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        request: Request,
        fx: &mut Effects,
    ) {
        let _ = (env, from, request, fx);
    }

    /// A caller no longer waits: a call that has not started is withdrawn.
    pub fn on_cancel(&mut self, from: ProcessId, id: u64) {
        let _ = (from, id);
    }

    /// Takes the executor's answer.
    pub fn on_executed(&mut self, env: &mut Env<'_>, executed: Executed, fx: &mut Effects) {
        let _ = (env, executed, fx);
    }

    /// The process was stopped: what waits in queues is stale and dropped unanswered.
    pub fn on_stopped(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let _ = (env, fx);
    }

    /// A link with a peer of this object came up (`true`) or went down.
    pub fn on_link(&mut self, env: &mut Env<'_>, process: ProcessId, up: bool, fx: &mut Effects) {
        let _ = (env, process, up, fx);
    }

    /// Stands for primary, if this is an installed backup and the kind is hosted here.
    pub fn stand(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let _ = (env, fx);
    }

    /// Re-sends, retries, expires. To be called each tick while [`Self::wants_tick`].
    pub fn tick(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let _ = (env, fx);
    }

    /// Whether anything here waits for time to pass.
    #[must_use]
    pub fn wants_tick(&self) -> bool {
        false
    }

    /// Ships the value to a process without a vote. Nothing if not the active primary, or if
    /// it is a member or learner already.
    pub fn add_learner(&mut self, env: &mut Env<'_>, process: ProcessId, fx: &mut Effects) {
        let _ = (env, process, fx);
    }

    /// Stops shipping to a learner and tells it so.
    pub fn drop_learner(&mut self, env: &mut Env<'_>, process: ProcessId, fx: &mut Effects) {
        let _ = (env, process, fx);
    }

    /// The learners that this primary ships to, in order.
    #[must_use]
    pub fn learners(&self) -> Vec<ProcessId> {
        Vec::new()
    }

    /// What this primary knows of a learner or other member.
    #[must_use]
    pub fn peer_status(&self, process: ProcessId) -> Option<LearnerStatus> {
        let _ = process;
        None
    }

    /// Begins to seal the object into `next`, whose member `first_primary` goes on.
    ///
    /// # Errors
    /// See [`ProposeError`]; nothing has happened then.
    pub fn propose(
        &mut self,
        env: &mut Env<'_>,
        next: Configuration,
        first_primary: u8,
        fx: &mut Effects,
    ) -> Result<(), ProposeError> {
        let _ = (env, next, first_primary, fx);
        Err(ProposeError::NotPrimary)
    }

    /// Whether a change of the replica set, or the deletion, is under way here.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        false
    }

    /// Gives up the call that is being executed, so that a change need not wait for it: its
    /// result will be dropped; the caller asks again elsewhere.
    pub fn interrupt(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let _ = (env, fx);
    }

    /// Makes this copy the object, alone, in the first epoch of a new lineage. Whether it
    /// could: a copy without a value, or of a deleted object, cannot.
    pub fn recover(&mut self, env: &mut Env<'_>, epoch: Epoch, fx: &mut Effects) -> bool {
        let _ = (env, epoch, fx);
        false
    }

    /// Outbox calls whose version is chosen, in order; empty unless active primary.
    #[must_use]
    pub fn outbox(&self) -> &[(u64, Deferred)] {
        &[]
    }

    /// An outbox call has come to a definite end.
    pub fn complete_outbox(&mut self, env: &mut Env<'_>, number: u64, fx: &mut Effects) {
        let _ = (env, number, fx);
    }

    /// Nested calls that have waited in the queue for at least `age`.
    #[must_use]
    pub fn waiting_calls(&self, now: Instant, age: Duration) -> Vec<WaitingCall> {
        let _ = (now, age);
        Vec::new()
    }

    /// The asynchronous call that holds the object, if one does.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        None
    }

    /// Ends a queued call. Whether it was there.
    pub fn fail_queued(
        &mut self,
        env: &mut Env<'_>,
        call: u128,
        why: Failure,
        fx: &mut Effects,
    ) -> bool {
        let _ = (env, call, why, fx);
        false
    }

    /// The object.
    #[must_use]
    pub const fn object(&self) -> ObjectId {
        self.object
    }

    /// The replica set of the record.
    #[must_use]
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What callers are told.
    #[must_use]
    pub fn sighting(&self) -> Sighting {
        Sighting::Unknown
    }

    /// What `inspect` shows; `None` unless active primary.
    #[must_use]
    pub fn description(&self) -> Option<Description> {
        None
    }

    /// The copy as `recover` surveys it.
    #[must_use]
    pub fn copy(&self) -> Option<Copy> {
        None
    }

    /// The value held here, chosen or not.
    #[must_use]
    pub fn value(&self) -> Option<(Ballot, Version, &Value)> {
        None
    }

    /// Whether this is the primary, as far as it knows.
    #[must_use]
    pub const fn is_primary(&self) -> bool {
        false
    }

    /// Whether this is a primary whose ballot a majority has accepted.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        false
    }

    /// Whether this is a member that holds a value and may stand.
    #[must_use]
    pub const fn is_installed_member(&self) -> bool {
        false
    }

    /// The process that this replica takes for the primary.
    #[must_use]
    pub fn believed_primary(&self) -> Option<ProcessId> {
        None
    }

    /// Whether the record's epoch, ballots and role fit together.
    ///
    /// # Panics
    /// If they do not: a bug. For tests and simulations.
    pub fn check_invariants(&self) {}
}

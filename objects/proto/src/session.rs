//! Sessions: which calls of which handle ran, known to the object itself.

use alloc::vec::Vec;

use overlay_proto::ProcessId;
use serde::{Deserialize, Serialize};

use crate::object::{Lineage, ObjectId, Version};
use crate::outcome::Outcome;

mod table;

pub use table::{
    Decision, NESTED_KEPT_MAX, NESTED_KEPT_MIN, OUTCOME_KEPT_MAX, SESSION_BYTES_MAX,
    SESSION_ENTRIES_MAX,
};

/// Names a session of one handle on one object: the version that opened it, in the lineage
/// that did. An unknown session is never executed under, whatever the attempt.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SessionId {
    /// The lineage in which it was opened: a recovered object may reach a version twice.
    pub lineage: Lineage,
    /// The version that opened it.
    pub version: Version,
}

/// Where a call stands among its caller's calls: what makes it happen at most once, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// A read of a handle that has no session: nothing comes before it.
    Unordered,
    /// A read behind the writes of its handle: it runs after `predecessor`.
    After {
        /// The handle's session.
        session: SessionId,
        /// The handle's last write sent before, 0 if none.
        predecessor: u64,
        /// Every number below is settled at the caller.
        floor: u64,
    },
    /// A write of a handle.
    Numbered {
        /// The handle's session.
        session: SessionId,
        /// From 1, dense.
        number: u64,
        /// The write sent before and not given up, 0 if none.
        predecessor: u64,
        /// Every number below is settled at the caller.
        floor: u64,
    },
    /// A call that an object recorded with `after_commit`: in order per pair of objects.
    Outbox {
        /// The calling object.
        source: ObjectId,
        /// Its number in the source's outbox.
        number: u64,
    },
    /// A call that a method of an object awaits.
    Nested {
        /// The calling object.
        source: ObjectId,
        /// Derived from parent, ordinal, callee, method and arguments.
        id: u128,
    },
}

/// Whose call it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// A handle's numbered write; running it closes every number below.
    Session {
        /// The session.
        id: SessionId,
        /// The number.
        number: u64,
        /// Entries below are settled at the caller and dropped.
        floor: u64,
    },
    /// A call from another object's outbox: the highest number seen counts.
    Outbox {
        /// The calling object.
        source: ObjectId,
        /// The number.
        number: u64,
    },
    /// A call awaited by a method of another object.
    Nested {
        /// The calling object.
        source: ObjectId,
        /// The derived id.
        id: u128,
    },
}

/// A change of the session table, part of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionOp {
    /// The version opened a session.
    Open {
        /// The session.
        id: SessionId,
        /// The caller's process, for people.
        owner: ProcessId,
    },
    /// The handle is gone, or was not used for long.
    Close(SessionId),
    /// Awaited calls of this object, up to this version, are too old to be repeated, or there is
    /// no room for them.
    Forget {
        /// The calling object.
        source: ObjectId,
        /// The newest version forgotten.
        until: Version,
    },
    /// There is no room for these answers. That the calls ran is remembered.
    DropAnswers {
        /// The newest version that loses its answer.
        until: Version,
        /// Answers up to this many bytes are kept.
        larger_than: u32,
    },
    /// The version executed a call.
    Ran {
        /// Whose.
        origin: Origin,
        /// The version.
        version: Version,
        /// Hash of method and arguments.
        hash: u64,
        /// What it answered.
        outcome: Outcome,
    },
}

/// The session table: part of the register's value, equal on all replicas of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Open sessions by id, sorted.
    pub open: Vec<Session>,
    /// Calling objects, sorted.
    pub callers: Vec<CallingObject>,
}

/// One handle's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The caller's process.
    pub owner: ProcessId,
    /// Numbers below are closed: without an entry they never run.
    pub next: u64,
    /// Calls that ran and are not settled at the caller, by number.
    pub entries: Vec<Entry>,
}

/// One call that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, or the low half of a nested call's id.
    pub number: u64,
    /// The version that it made.
    pub version: Version,
    /// Hash of method and arguments.
    pub hash: u64,
    /// What it answered; [`Outcome::Executed`] where the answer was too large to be kept.
    pub outcome: Outcome,
}

/// What another object's calls came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallingObject {
    /// The calling object.
    pub source: ObjectId,
    /// The newest outbox call that ran.
    pub outbox: Option<Entry>,
    /// The newest awaited calls, by id.
    pub nested: Vec<(u128, Entry)>,
}

#[cfg(test)]
mod tests;

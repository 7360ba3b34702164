//! What the lab tells its processes, and what they answer: one line of JSON each.

use objects::RawRef;
use serde::{Deserialize, Serialize};

/// What a shared object of the lab is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Keeps every call's id in its order.
    Log,
    /// The same, read under leases.
    LeasedLog,
    /// A counter.
    Counter,
    /// An account of the bank.
    Account,
}

/// A shared object of the lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Thing {
    pub(crate) role: Role,
    pub(crate) reference: RawRef,
}

/// What a process is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Make an object of each of these.
    Create(Vec<Role>),
    /// Call these objects from now on, until [`Task::Rest`] or the end.
    Work(Vec<Thing>),
    /// Call nothing any more; answered once every call has ended.
    Rest,
    /// Say where these objects are.
    Places(Vec<Thing>),
    /// Read what these objects are in the end.
    Audit(Vec<Thing>),
    /// Say who is in the view.
    Members,
    /// Hand over, leave, end.
    Leave,
}

/// Where an object is: its primary and its replicas, by process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) primary: String,
    pub(crate) members: Vec<String>,
}

/// What an object is in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Audit {
    /// All entries of a log.
    Entries(Vec<u64>),
    /// A counter's number.
    Count(u64),
    /// An account's balance, what it sent and what it received.
    Statement(u64, u64, u64),
    /// It could not be read.
    Unread(String),
}

/// What a process answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The objects made.
    Things(Vec<Thing>),
    /// One for each object; `None` where it could not be told.
    Places(Vec<Option<Place>>),
    /// One for each object.
    Audited(Vec<Audit>),
    /// The processes of the view, as text.
    Members(Vec<String>),
    /// Nothing to say.
    Done,
    /// It could not be done.
    Failed(String),
}

/// The first line of a process, once its node runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    /// The process, as the others name it.
    pub(crate) process: String,
    /// Where it listens, as others may dial it.
    pub(crate) address: String,
}

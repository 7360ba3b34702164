//! The content of one object's register.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::execution::Deferred;
use crate::mode::Mode;
use crate::object::Configuration;
use crate::session::Sessions;

/// The content of the register: everything that a new primary needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// Whether calls wait for a majority. Fixed at creation.
    pub mode: Mode,
    /// The kind's name.
    pub kind: Arc<str>,
    /// The kind's version: only a host of the same version may stand for primary.
    pub kind_version: u32,
    /// Replicas wanted.
    pub factor: u8,
    /// The encoded object.
    pub state: Bytes,
    /// Which calls ran, and what they answered.
    pub sessions: Sessions,
    /// Calls to deliver.
    pub outbox: Outbox,
    /// Whether and how the object goes on.
    pub status: Status,
}

/// Whether and how an object goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It takes calls.
    Live,
    /// Nothing is written after this: the object goes on in the next replica set.
    Sealed {
        /// The next set.
        next: Box<Configuration>,
        /// The member of it that goes on as primary, with ballot (1, this).
        first_primary: u8,
    },
    /// It is no more.
    Deleted,
}

/// Calls recorded by `after_commit` and not yet known to be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// The number of the last call recorded.
    pub last: u64,
    /// Calls under way, by number.
    pub calls: Vec<(u64, Deferred)>,
}

/// A change of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutboxOp {
    /// Recorded, under the next number.
    Push(Deferred),
    /// Delivered, or refused for good.
    Done(u64),
}

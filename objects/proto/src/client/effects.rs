//! What the client part asks of the machine that it is a part of.

use alloc::vec::Vec;

use overlay_proto::ProcessId;

use crate::caller::Completion;
use crate::machine::Ticket;
use crate::message::{Description, Message};
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome};

/// What follows from one input, in order within each list.
#[derive(Debug, Default)]
pub struct ClientEffects {
    /// Messages to be sent; one to this process itself goes to its own host part.
    pub sends: Vec<(ProcessId, Message)>,
    /// Calls and deletions that ended.
    pub completed: Vec<(Ticket, Completion)>,
    /// Inspections that ended.
    pub inspected: Vec<(Ticket, Result<Description, Cause>)>,
    /// Objects to be looked up in the directory.
    pub lookups: Vec<ObjectId>,
    /// Outbox calls that ended: calling object, number, how.
    pub outbox_done: Vec<(ObjectId, u64, Outcome)>,
}

impl ClientEffects {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sends.is_empty()
            && self.completed.is_empty()
            && self.inspected.is_empty()
            && self.lookups.is_empty()
            && self.outbox_done.is_empty()
    }
}

//! What the replicas of one object say to each other.

use alloc::vec::Vec;

use overlay_proto::Duration;
use serde::{Deserialize, Serialize};

use super::Sighting;
use super::state::StateChange;
use super::value::{OutboxOp, Status, Value};
use crate::object::{Ballot, Configuration, Epoch, Version};
use crate::session::SessionOp;

/// A message of one object's register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegisterMessage {
    /// A candidate asks for a promise. An uninstalled member stores a promise-only record first.
    Prepare {
        /// The replica set that counts.
        configuration: Configuration,
        /// The candidate's ballot.
        ballot: Ballot,
        /// What the candidate has accepted itself: nothing older needs to come back.
        accepted: (Ballot, Version),
    },
    /// The promise, on record.
    Promised {
        /// From the prepare.
        epoch: Epoch,
        /// From the prepare.
        ballot: Ballot,
        /// What the sender has accepted; the value only if newer than the candidate's.
        accepted: Option<Accepted>,
    },
    /// Store a value. A full change installs at a member that has no record.
    Accept {
        /// The replica set.
        epoch: Epoch,
        /// The primary's ballot.
        ballot: Ballot,
        /// The value at this version.
        version: Version,
        /// How to get there.
        change: Change,
    },
    /// The value is on record.
    Stored {
        /// From the accept.
        epoch: Epoch,
        /// From the accept.
        ballot: Ballot,
        /// The version on record.
        version: Version,
        /// The stamp of the sender's membership, for a learner that is to become a member.
        stamp: u64,
    },
    /// The step does not start from what is on record: send the full value.
    NeedFull {
        /// From the accept.
        epoch: Epoch,
        /// From the accept.
        ballot: Ballot,
    },
    /// A higher ballot is promised, or this epoch is over here.
    Rejected {
        /// From the message rejected.
        epoch: Epoch,
        /// The ballot promised.
        promised: Ballot,
    },
    /// The sender has left this epoch for good and installs nothing of it any more.
    Gone {
        /// From the message refused.
        epoch: Epoch,
        /// What it knows instead.
        sighting: Sighting,
    },
    /// The sender's membership in this epoch was issued below its install floor, and it has
    /// nothing of the epoch on record: it may have left it and forgotten so, and enters it no
    /// more.
    Forgotten {
        /// From the message refused.
        epoch: Epoch,
        /// What the sender issues now: the stamp for a membership that it would enter.
        stamp: u64,
    },
    /// Is the sender still primary for a reader that asked after it arrived?
    Check {
        /// The replica set.
        epoch: Epoch,
        /// The primary's ballot.
        ballot: Ballot,
        /// The primary's round.
        round: u64,
        /// The term of the lease that the primary asks for; zero for none.
        lease: Duration,
    },
    /// Yes: nothing higher is promised here, and this ballot's value is on record.
    Checked {
        /// From the check.
        epoch: Epoch,
        /// From the check.
        ballot: Ballot,
        /// From the check.
        round: u64,
        /// The generation of the sender's grant that covers the object now; 0 if none does.
        generation: u64,
    },
    /// No promise yet: the primary holds a lease on the sender's word until so long from now.
    Leased {
        /// From the prepare.
        epoch: Epoch,
        /// From the prepare.
        ballot: Ballot,
        /// What is left of the lease.
        rest: Duration,
    },
    /// The object moved on: drop the state, keep a tombstone.
    Retire {
        /// The epoch that is over.
        epoch: Epoch,
        /// What comes after it.
        sighting: Sighting,
    },
}

/// What a member has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Under which ballot.
    pub ballot: Ballot,
    /// Which version.
    pub version: Version,
    /// The value; absent if the receiver is known to have it or a newer one.
    pub value: Option<Value>,
}

/// How a value changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// To this value, whatever was there.
    Full {
        /// The replica set, for a member without a record.
        configuration: Configuration,
        /// The value.
        value: Value,
    },
    /// None: the member has this version already, accepted under the ballot `from`, and is to hold
    /// it under this one.
    Kept {
        /// Under which it was accepted before.
        from: Ballot,
    },
    /// From `base`, accepted under the same ballot, by these steps.
    Step {
        /// The version that the receiver must have accepted.
        base: Version,
        /// What happened to the state.
        state: StateChange,
        /// What happened to the sessions, in order of versions.
        sessions: Vec<SessionOp>,
        /// What happened to the outbox.
        outbox: Vec<OutboxOp>,
        /// The new status, if it changed.
        status: Option<Status>,
    },
}

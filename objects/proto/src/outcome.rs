//! How a call ended. Every end says whether the call ran.

use alloc::string::String;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::object::{Epoch, Version};

/// Where in an object's history a call stands: a linearization witness.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Witness {
    /// The replica set that answered.
    pub epoch: Epoch,
    /// The version that a write made, or that a read saw.
    pub version: Version,
}

/// How a call ended, as bytes; `CallError` is the typed form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It ran; the encoded result.
    Returned(Bytes),
    /// It did not run and will not: safe to call again.
    NotExecuted(Cause),
    /// It ran and said no; the object's state is as it was.
    Failed(Failure),
    /// It took effect, but its result is lost (too large to be kept, and the reply was lost).
    Executed,
    /// It may have run, once at most, or may still run.
    Indeterminate(Cause),
}

/// Why a call that ran said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The method returned `Err`; the encoded error.
    Returned(Bytes),
    /// The method panicked, with this message.
    Panicked(String),
    /// The call would have waited for itself, directly or through others.
    Deadlock,
    /// The method was still running at the call's deadline and was stopped.
    Deadline,
}

/// Why a call did not run, or why it is not known whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// No majority of the object's replicas answered.
    #[error(
        "no quorum: a majority of the object's replicas does not answer; if they are gone for \
         good, `peer recover` restores the object from a survivor"
    )]
    NoQuorum,
    /// A primary in weak mode has heard no other replica for so long that it may have been
    /// replaced.
    #[error("isolated: the object's primary reaches none of the other replicas")]
    Isolated,
    /// No replica of the object answered at all.
    #[error("unreachable: no replica of the object answered")]
    Unreachable,
    /// The deadline passed while the call waited.
    #[error("the deadline passed")]
    Deadline,
    /// A queue or table was full.
    #[error("overloaded: {0} is full; call again later")]
    Overloaded(String),
    /// The object was deleted.
    #[error("the object was deleted")]
    Deleted,
    /// No such object is known, here or in the directory.
    #[error("no such object")]
    NotFound,
    /// The handle's session has been forgotten by the object.
    #[error("the session of this handle expired; make a new handle")]
    SessionExpired,
    /// The object's kind is not hosted where the object lives.
    #[error("the kind `{0}` is not hosted there")]
    UnknownKind(String),
    /// The kind has no such method (perhaps in another version).
    #[error("the kind `{kind}` has no method `{method}`")]
    UnknownMethod {
        /// The kind.
        kind: String,
        /// The method's name, or its id where the name is not known.
        method: String,
    },
    /// The arguments do not fit the method.
    #[error("bad arguments: {0}")]
    Arguments(String),
    /// The object's state is not one of its kind (perhaps of another version).
    #[error("the state is not one of the kind `{kind}`: {problem}")]
    BadState {
        /// The kind.
        kind: String,
        /// What does not fit.
        problem: String,
    },
    /// The state, arguments or result exceed a limit.
    #[error("{what} of {bytes} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The reference names another kind than the object has.
    #[error("the object is a `{found}`, not a `{expected}`")]
    WrongKind {
        /// The kind asked for.
        expected: String,
        /// The kind it has.
        found: String,
    },
    /// One call id was used for two different calls.
    #[error("the call id was used before for another call")]
    IdReused,
    /// An earlier call through the same handle did not take effect, so this one must not.
    #[error("an earlier call of this handle did not run")]
    OutOfOrder,
    /// This node is shutting down.
    #[error("the node is shutting down")]
    ShuttingDown,
}

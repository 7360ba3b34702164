//! What the register asks the executor to run, and what comes back.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, ProcessId};
use serde::{Deserialize, Serialize};

use crate::object::{Ballot, Epoch, MethodId, ObjectId, Version};
use crate::outcome::{Cause, Failure};
use crate::reference::RawRef;

/// How arguments and results are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// Named arguments, each CBOR; see [`Arguments`](crate::arguments::Arguments).
    Cbor,
    /// A JSON array (by position) or object (by name); the result is JSON.
    Json,
}

/// What an execution was started for. A result that comes back under another key is dropped:
/// the decoded object is a cache of exactly this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionKey {
    /// The replica set.
    pub epoch: Epoch,
    /// The primary's ballot.
    pub ballot: Ballot,
    /// The version whose state the calls start from.
    pub base: Version,
    /// Distinguishes executions from one base (a reset, a snapshot read).
    pub attempt: u64,
}

/// One object's queued calls, to be run in order by the executor.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The object.
    pub object: ObjectId,
    /// The object's kind.
    pub kind: Arc<str>,
    /// What this was started for.
    pub key: ExecutionKey,
    /// The encoded state at `key.base`. A servant decoded for, or left behind by, the state of
    /// the same (epoch, ballot, version) may be used instead.
    pub state: Bytes,
    /// In which way the calls are run.
    pub mode: ExecutionMode,
    /// The calls. Several only if all are synchronous.
    pub calls: Vec<ExecutionCall>,
}

/// In which way the calls of an execution are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// As the primary runs what it is asked.
    Batch,
    /// A read that runs beside writes: on a fresh servant, whose state is thrown away.
    Snapshot,
    /// As a backup runs what its primary ran: deterministic methods only, which neither see a
    /// context nor reach other objects.
    Replay,
}

/// One call of an execution.
#[derive(Clone, Debug)]
pub struct ExecutionCall {
    /// Which method.
    pub method: MethodId,
    /// How `arguments` and the result are encoded.
    pub codec: Codec,
    /// The encoded arguments.
    pub arguments: Bytes,
    /// What is left of the caller's time.
    pub budget: Duration,
    /// Who calls.
    pub caller: ProcessId,
    /// The call's id in this object's history, from which nested calls derive theirs.
    pub chain: CallChain,
}

/// Which calls wait for this one: outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallChain {
    /// Identifies the outermost call; the higher one is the younger one.
    pub root: RootId,
    /// The id of the call itself, unique in all objects' histories.
    pub call: u128,
    /// Objects that the chain holds, outermost first, the callee excluded.
    /// At most [`CHAIN_MAX`].
    pub holds: Vec<ObjectId>,
}

/// Longest chain of nested calls.
pub const CHAIN_MAX: usize = 32;

/// Identifies the outermost call of a chain, ordered by age as its caller's clock saw it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RootId {
    /// When it began, in the caller's microseconds: picks a victim, decides nothing else.
    pub began: u64,
    /// Breaks ties.
    pub call: u128,
}

/// What one call of an execution came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It returned a value; for a method that returns `Result`, the value of `Ok`.
    Returned {
        /// The encoded result.
        result: Bytes,
        /// The encoded state after it; `None` after a read.
        state: Option<Bytes>,
        /// Calls to deliver once this version is chosen.
        after_commit: Vec<Deferred>,
    },
    /// It said no; the servant was put back to the state before it.
    Failed(Failure),
    /// It was not run: unknown method, bad arguments, undecodable state.
    Refused(Cause),
}

/// A call recorded by `after_commit`: shipped with the state, delivered once afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// The object to call.
    pub target: RawRef,
    /// Which method.
    pub method: MethodId,
    /// The method's name, for messages to people.
    pub name: String,
    /// The CBOR arguments.
    pub arguments: Bytes,
}

/// The executor's answer to one [`Execution`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The object.
    pub object: ObjectId,
    /// What it was started for.
    pub key: ExecutionKey,
    /// One entry per call, in order.
    pub ran: Vec<Ran>,
}

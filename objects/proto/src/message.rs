//! Everything that the object layers of two processes say to each other.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, ProcessId};
use serde::{Deserialize, Serialize};

use crate::execution::{CallChain, Codec, Deferred, RootId};
use crate::object::{Ballot, Configuration, Epoch, MethodId, ObjectId, Version};
use crate::outcome::{Cause, Outcome, Witness};
use crate::session::{SessionId, SessionOp, Sessions};

/// One message. Those about one object are handled alone: nothing in one object's protocol
/// needs another object's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A caller asks; answered by [`Message::Reply`].
    Request(Request),
    /// The answer to the request with this id.
    Reply {
        /// The request's id, as its sender chose it.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// The caller no longer waits: a call that has not started is withdrawn.
    Cancel {
        /// The object.
        object: ObjectId,
        /// The request's id.
        id: u64,
    },
    /// Where is the object's primary? Asked of members, former members, or anybody.
    Where {
        /// The object.
        object: ObjectId,
        /// A primary that left a call of this caller unanswered: the receiver, if it is a
        /// backup, finds out for itself whether that process is silent.
        suspect: Option<ProcessId>,
    },
    /// The answer to [`Message::Where`].
    Here {
        /// The object.
        object: ObjectId,
        /// What the sender knows.
        sighting: Sighting,
    },
    /// A message of the object's register.
    Register {
        /// The object.
        object: ObjectId,
        /// The message.
        message: RegisterMessage,
    },
    /// Is this process alive? Answered by the protocol thread, never by user code.
    Ping {
        /// Echoed.
        nonce: u64,
    },
    /// The answer to [`Message::Ping`].
    Pong {
        /// From the ping.
        nonce: u64,
    },
    /// Have you, too, lost this process (pre-vote)? The receiver checks for itself first.
    AskSilence {
        /// The process in question.
        suspect: ProcessId,
    },
    /// The answer to [`Message::AskSilence`].
    Silence {
        /// The process in question.
        suspect: ProcessId,
        /// Whether it left the sender's pings unanswered, or refused its dial.
        silent: bool,
    },
    /// A call has waited for long behind another one: follow who waits for whom.
    WaitProbe(WaitProbe),
    /// The queued call with this id waits for itself: end it.
    Deadlocked {
        /// The object in whose queue it waits.
        object: ObjectId,
        /// The call.
        call: u128,
    },
    /// An operator asks for the best copy of an object that lost its majority.
    Survey {
        /// Echoed.
        id: u64,
        /// The object.
        object: ObjectId,
    },
    /// The answer to [`Message::Survey`].
    Surveyed {
        /// From the survey.
        id: u64,
        /// The copy that the sender holds, if any.
        copy: Option<Copy>,
    },
    /// An operator makes the receiver's copy the object, as a new lineage.
    Recover {
        /// Echoed in the reply.
        id: u64,
        /// The object.
        object: ObjectId,
        /// The new lineage's first epoch.
        epoch: Epoch,
    },
}

/// A call, or something else that a caller asks of an object's primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the caller to match the reply; unique among its open requests.
    pub id: u64,
    /// The object.
    pub object: ObjectId,
    /// The kind that the caller expects, as [`MethodId::of`] its name.
    pub kind: MethodId,
    /// How often this was sent before.
    pub attempt: u32,
    /// What is left of the caller's time. A hint, no safety device.
    pub budget: Duration,
    /// What is asked.
    pub ask: Ask,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// A session for the sender's handle; each attempt that succeeds opens another one.
    OpenSession,
    /// The handle is gone: forget its session.
    CloseSession(SessionId),
    /// Run a method.
    Call(CallRequest),
    /// Delete the object.
    Delete {
        /// The session and number that make it happen at most once.
        position: Position,
    },
    /// Describe the object.
    Inspect,
}

/// A method call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRequest {
    /// Which method.
    pub method: MethodId,
    /// Whether the caller takes it for a write; the host's own table decides.
    pub write: bool,
    /// How arguments and result are encoded.
    pub codec: Codec,
    /// Where the call stands among its caller's calls.
    pub position: Position,
    /// Which calls wait for this one.
    pub chain: CallChain,
    /// The encoded arguments.
    pub arguments: Bytes,
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

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The call has ended.
    Done {
        /// How.
        outcome: Outcome,
        /// Where it stands, if it ran.
        witness: Option<Witness>,
    },
    /// A session was opened.
    Session(SessionId),
    /// A description of the object.
    Description(Description),
    /// This attempt was not executed: ask elsewhere, or again.
    Refused(Refusal),
}

/// Why an attempt was not executed. The caller goes on unless the cause is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Not the primary here; what the sender knows instead.
    Elsewhere(Sighting),
    /// An earlier call of the handle has not arrived: send all open ones again, in order.
    Gap,
    /// The session is not known: never executed under it.
    UnknownSession,
    /// Final for this call.
    Final(Cause),
}

/// What a process knows of an object's place. A hint to its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sighting {
    /// Nothing.
    Unknown,
    /// The sender is, or was, of this set (or knows that it replaced its own).
    Member {
        /// The newest replica set that the sender knows.
        configuration: Configuration,
        /// The member that the sender takes for the primary, if any.
        primary: Option<u8>,
    },
    /// The object was deleted.
    Deleted,
}

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
    /// Is the sender still primary for a reader that asked after it arrived?
    Check {
        /// The replica set.
        epoch: Epoch,
        /// The primary's ballot.
        ballot: Ballot,
        /// The primary's round.
        round: u64,
    },
    /// Yes: nothing higher is promised here, and this ballot's value is on record.
    Checked {
        /// From the check.
        epoch: Epoch,
        /// From the check.
        ballot: Ballot,
        /// From the check.
        round: u64,
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
    /// To this value, whatever was there. The first one of a ballot is always full.
    Full {
        /// The replica set, for a member without a record.
        configuration: Configuration,
        /// The value.
        value: Value,
    },
    /// From `base`, accepted under the same ballot, by these steps.
    Step {
        /// The version that the receiver must have accepted.
        base: Version,
        /// The new state; `None` if no call changed it.
        state: Option<Bytes>,
        /// What happened to the sessions, in order of versions.
        sessions: Vec<SessionOp>,
        /// What happened to the outbox.
        outbox: Vec<OutboxOp>,
        /// The new status, if it changed.
        status: Option<Status>,
    },
}

/// The content of the register: everything that a new primary needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The kind's name.
    pub kind: String,
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
        next: Configuration,
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

/// A call that waits long enough to ask whether it waits for itself (Chandy, Misra, Haas 1983).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitProbe {
    /// The object whose holder is to be followed.
    pub object: ObjectId,
    /// The object in whose queue the probing call waits.
    pub origin: ObjectId,
    /// The process that holds that queue.
    pub home: ProcessId,
    /// The probing call.
    pub call: u128,
    /// The probing call's outermost call.
    pub root: RootId,
    /// The youngest outermost call on the way.
    pub youngest: RootId,
    /// Edges followed; at most [`CHAIN_MAX`](crate::execution::CHAIN_MAX).
    pub hops: u8,
}

/// One copy of an object, as a survivor describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Its replica set.
    pub configuration: Configuration,
    /// The ballot under which it was accepted.
    pub ballot: Ballot,
    /// Its version.
    pub version: Version,
    /// The object's kind.
    pub kind: String,
    /// Whether the holder was a member, or a learner that had not become one.
    pub member: bool,
}

/// What `inspect` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The object.
    pub object: ObjectId,
    /// The kind's name.
    pub kind: String,
    /// The kind's version.
    pub kind_version: u32,
    /// The replica set.
    pub configuration: Configuration,
    /// Its primary's ballot.
    pub ballot: Ballot,
    /// The newest chosen version.
    pub version: Version,
    /// Processes that hold a copy without a vote.
    pub learners: Vec<ProcessId>,
    /// Replicas wanted.
    pub factor: u8,
    /// Size of the encoded state, bytes.
    pub state_bytes: u64,
    /// Open sessions.
    pub sessions: u32,
    /// Calls queued.
    pub queued: u32,
    /// Outbox calls not yet delivered.
    pub outbox: u32,
    /// How often another member took over in this epoch.
    pub takeovers: u32,
    /// Names of the methods that the host knows.
    pub methods: Vec<String>,
}

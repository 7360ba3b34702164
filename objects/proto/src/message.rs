//! Everything that the object layers of two processes say to each other.

mod register;
mod state;
mod value;

pub use register::{Accepted, Change, RegisterMessage};
pub use state::{Delta, Piece, REPLAY_CALLS_MAX, ReplayCall, StateChange};
pub use value::{Outbox, OutboxOp, Status, Value};

pub use crate::session::Position;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, ProcessId};
use serde::{Deserialize, Serialize};

use crate::execution::{CallChain, Codec, RootId};
use crate::mode::Mode;
use crate::object::{Ballot, Configuration, Epoch, MethodId, ObjectId, Version};
use crate::outcome::{Cause, Outcome, Witness};
use crate::reads::Reads;
use crate::session::SessionId;

/// Most replicas named in one [`Message::Audit`].
pub const AUDIT_MAX: usize = 256;

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
    /// A primary with reads that rest on the receiver's grant asks to prolong it.
    RenewLease {
        /// Echoed.
        number: u64,
        /// The term asked for.
        term: Duration,
    },
    /// The answer to [`Message::RenewLease`].
    LeaseRenewed {
        /// From the renewal.
        number: u64,
        /// The grant's generation; 0 if nothing is granted. What was confirmed in an older one
        /// has to be confirmed again.
        generation: u64,
    },
    /// These replicas are here, in these epochs: is any of them over? Whoever knows so answers
    /// with [`RegisterMessage::Gone`], nobody else does.
    Audit {
        /// Objects and the epochs of the sender's replicas, at most [`AUDIT_MAX`].
        replicas: Vec<(ObjectId, Epoch)>,
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
    /// Whether calls wait for a majority.
    pub mode: Mode,
    /// How its primary makes sure that reads are current.
    pub reads: Reads,
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

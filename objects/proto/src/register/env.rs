//! What a replica gets with each call, and what it gives back.

use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};
use rand_chacha::ChaCha8Rng;

use crate::execution::Execution;
use crate::lease::Leases;
use crate::message::{Message, RegisterMessage, Reply};
use crate::mode::Lost;
use crate::mode::WeakTimings;
use crate::mutation::Mutation;
use crate::object::{Configuration, Epoch, MethodId, ObjectId, Version};
use crate::reach::Reach;
use crate::reads::Reads;
use crate::register::tombstone::Tombstone;

/// What the host knows of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// Whether it may change the object.
    pub write: bool,
    /// Whether it is asynchronous: it runs alone, or as a read on a snapshot.
    pub asynchronous: bool,
    /// Whether equal states and arguments give equal states and results on every host: a backup
    /// may run it again instead of being sent what it made. Only synchronous writes are.
    pub deterministic: bool,
}

/// The kinds that this process hosts.
pub trait Methods {
    /// The method of this kind and version with this id, if there is one.
    fn method(&self, kind: &str, version: u32, id: MethodId) -> Option<MethodInfo>;

    /// Whether this kind, in this version, is hosted here.
    fn hosts(&self, kind: &str, version: u32) -> bool;

    /// How reads of this kind are made sure to be current.
    fn reads(&self, _kind: &str, _version: u32) -> Reads {
        Reads::Quorum
    }

    /// The name of a method, for people.
    fn name(&self, _kind: &str, _version: u32, _id: MethodId) -> Option<&'static str> {
        None
    }
}

/// How long a primary remembers what is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// A session that was not used for so long is closed: its handle opens another one.
    pub session_idle: Duration,
    /// A call that a method of another object awaited is forgotten after this time. Its caller
    /// repeats it while it waits, and again when the calling method itself is repeated, after a
    /// takeover: no caller may do that later than this.
    pub nested_kept: Duration,
}

/// What a replica needs to know of the world around it.
pub struct Env<'a> {
    /// The local clock.
    pub now: Instant,
    /// This process.
    pub me: ProcessId,
    /// The stamp that this process issues now: that of a learner made in this call.
    pub stamp: u64,
    /// Memberships with a stamp below this were left, or never begun, and begin no more.
    pub floor: u64,
    /// The kinds hosted here.
    pub methods: &'a dyn Methods,
    /// How long what is not used is remembered.
    pub expiry: Expiry,
    /// For backoff, and to name lines.
    pub rng: &'a mut ChaCha8Rng,
    /// When what happens in weak mode.
    pub weak: &'a WeakTimings,
    /// What this process granted, and holds.
    pub leases: &'a mut Leases,
    /// Who cannot be reached at the moment.
    pub reach: &'a Reach,
    /// A rule broken on purpose, in tests only.
    pub mutation: Option<Mutation>,
}

/// Everything that a replica wants done, in order.
#[derive(Debug, Default)]
pub struct Effects {
    /// Messages to other processes, or to this one.
    pub sends: Vec<(ProcessId, Message)>,
    /// Calls to run.
    pub executions: Vec<Execution>,
    /// What the host should know.
    pub notes: Vec<Note>,
}

impl Effects {
    /// Sends a register message.
    pub(crate) fn register(&mut self, to: ProcessId, object: ObjectId, message: RegisterMessage) {
        self.sends.push((to, Message::Register { object, message }));
    }

    /// Sends a reply.
    pub(crate) fn reply(&mut self, to: ProcessId, id: u64, reply: Reply) {
        self.sends.push((to, Message::Reply { id, reply }));
    }
}

/// How a primary came to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// It is the first one of the object.
    Created,
    /// It took over from this member.
    TookOver(Option<ProcessId>),
    /// The replica set changed, or the object was recovered.
    Reconfigured,
}

/// What the host should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A record was made, or replaced by one of this newer epoch. A tombstone stays.
    Installed(Epoch),
    /// The replica is primary now; a round of its own may still be under way.
    BecamePrimary(Activation),
    /// A majority holds the value under this primary's ballot for the first time.
    Active(Activation),
    /// The replica is no longer primary, or gave up standing.
    SteppedDown,
    /// A majority holds this version.
    Chosen(Version),
    /// This primary sealed the object into this set, and a majority of it has the value.
    Reconfigured(Configuration),
    /// A difference was put on record instead of a whole state.
    DeltaStored,
    /// The calls of a step were run here and came to what they came to at the primary.
    Replayed,
    /// A call that is declared deterministic came to something else here than at the primary.
    ReplayDiffered(MethodId),
    /// So many sessions, answers or awaited calls were forgotten with a version.
    Expired(u64),
    /// The outbox has calls to deliver.
    OutboxChanged,
    /// A learner holds the newest chosen version.
    LearnerSynced(ProcessId),
    /// What this copy holds is discarded: the object went on without it.
    Lost(Lost),
    /// A weak object's replica cannot tell whether the object went on elsewhere: ask around.
    Alone,
    /// A majority of this epoch, with nothing of it on record, begins no membership of it any
    /// more: it is over, and nobody knows what came after it. A retirement follows.
    Outlived(Epoch),
    /// This member of the primary's set begins no membership of its epoch any more.
    MemberLost(ProcessId),
    /// Drop the replica and keep this.
    Retired(Tombstone),
    /// Drop the replica: it was a learner that is not needed.
    Dropped,
}

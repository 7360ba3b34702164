//! What goes in and out of the object layer's machine besides messages.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, ProcessId};

use crate::caller::{Completion, HandleId, Invocation};
use crate::execution::{Executed, Execution};
use crate::message::Description;
use crate::mode::Lost;
use crate::mode::Mode;
use crate::object::{Configuration, Epoch, ObjectId, Slot, Version};
use crate::outcome::Cause;
use crate::reference::RawRef;

/// Chosen by the driver to find whoever waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the driver asks or answers.
#[derive(Clone, Debug)]
pub enum Command {
    /// The membership view changed: a hint for placement and repair.
    View(MembershipView),
    /// Make an object.
    Create {
        /// Answered by [`Event::Created`].
        ticket: Ticket,
        /// What to make.
        creation: Creation,
    },
    /// Make a call.
    Invoke {
        /// Answered by [`Event::Completed`], also for a one-way call.
        ticket: Ticket,
        /// The call.
        invocation: Invocation,
    },
    /// Nobody waits for this ticket any more.
    Cancel(Ticket),
    /// A handle is gone.
    Release(HandleId),
    /// The executor's answer to [`Event::Execute`].
    Executed(Executed),
    /// Records that the directory has of an object's slot. Hints: believed only after contact with
    /// a member. May come several times for one lookup.
    DirectoryFound {
        /// The object.
        object: ObjectId,
        /// Encoded [`SlotRecord`](crate::directory::SlotRecord)s, from any peer.
        records: Vec<Bytes>,
    },
    /// The lookup has ended.
    DirectoryExhausted(ObjectId),
    /// Delete an object.
    Delete {
        /// Answered by [`Event::Completed`].
        ticket: Ticket,
        /// The object.
        target: RawRef,
        /// When the caller stops waiting.
        timeout: Duration,
    },
    /// Describe an object.
    Inspect {
        /// Answered by [`Event::Inspected`].
        ticket: Ticket,
        /// The object.
        target: RawRef,
        /// When the caller stops waiting.
        timeout: Duration,
    },
    /// Restore an object that lost its majority from its best surviving copy.
    Recover {
        /// Answered by [`Event::Recovered`].
        ticket: Ticket,
        /// The object.
        target: RawRef,
    },
    /// Hand over every replica, then emit [`Event::Drained`]. New objects are refused.
    Drain,
    /// The process was stopped for more than a second: what the links had buffered is stale, so
    /// the driver has reset them, and leadership is confirmed anew before anything is answered.
    Stopped,
    /// The time of day has advanced further than the clock: the clock may have stood still
    /// with the machine that this runs on. Leases that were measured with it are given up.
    ClockStopped,
}

/// An object to be made.
#[derive(Clone, Debug)]
pub struct Creation {
    /// The kind's name.
    pub kind: String,
    /// The kind's version.
    pub kind_version: u32,
    /// Whether its calls wait for a majority of the replicas.
    pub mode: Mode,
    /// The encoded initial state.
    pub state: Bytes,
    /// Replicas wanted.
    pub factor: u8,
    /// `None`: a fresh id of the slot whose turn it is. Only the directory of names gives one.
    pub id: Option<ObjectId>,
    /// `None`: round-robin over the view.
    pub members: Option<Vec<ProcessId>>,
    /// The handle that gets the session born with the object.
    pub handle: HandleId,
    /// When the caller stops waiting.
    pub timeout: Duration,
}

/// What the object layer has in the node's member record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Replicas held.
    pub load: u32,
    /// Objects of which this process is the primary.
    pub primaries: u32,
    /// The stamp for replica sets that name this process from now on.
    pub stamp: u64,
}

impl Announced {
    /// Whether this is worth a new record where `known` was announced before: another stamp, or
    /// a number that moved by more than an eighth.
    #[must_use]
    pub const fn is_news_after(&self, known: &Self) -> bool {
        const fn moved(known: u32, now: u32) -> bool {
            known.abs_diff(now) > known / 8
        }
        self.stamp != known.stamp
            || moved(known.load, self.load)
            || moved(known.primaries, self.primaries)
    }
}

/// A process without replicas, as its driver announces it before it hears of more.
impl Default for Announced {
    fn default() -> Self {
        Self {
            load: 0,
            primaries: 0,
            stamp: 1,
        }
    }
}

/// What the machine asks of its driver or tells it.
#[derive(Clone, Debug)]
pub enum Event {
    /// An object exists, on a majority of its first replica set.
    Created {
        /// From the command.
        ticket: Ticket,
        /// The reference, or why there is no object.
        result: Result<RawRef, Cause>,
    },
    /// A call, or a deletion, has ended.
    Completed {
        /// From the command.
        ticket: Ticket,
        /// How.
        completion: Completion,
    },
    /// The description asked for.
    Inspected {
        /// From the command.
        ticket: Ticket,
        /// The description, or why there is none.
        result: Result<Description, Cause>,
    },
    /// A recovery has ended.
    Recovered {
        /// From the command.
        ticket: Ticket,
        /// The object's new place and the version that it goes on from, or why there is none.
        result: Result<(RawRef, Version), Cause>,
    },
    /// Run these calls, then answer with [`Command::Executed`].
    Execute(Execution),
    /// Ask the directory for the record of this object's slot.
    Lookup(ObjectId),
    /// Tell the directory who holds objects of a slot: in the background, coalesced,
    /// rate-limited, together with the living holders that its present record names.
    Publish {
        /// The slot.
        slot: Slot,
        /// Members of the sets whose primary this process is; later ones replace them in the
        /// queue. At most [`HOLDERS_MAX`](crate::directory::HOLDERS_MAX).
        holders: Vec<ProcessId>,
    },
    /// This process is the primary now.
    TookOver {
        /// The object.
        object: ObjectId,
        /// Its kind.
        kind: String,
        /// The replica set.
        epoch: Epoch,
        /// The primary before.
        from: Option<ProcessId>,
        /// Time since this process first doubted that primary.
        after: Duration,
    },
    /// A method is declared deterministic and is not: what it came to here, on a copy of the
    /// object, is not what it came to at the primary. The primary's result stands, and the
    /// object's next calls are shipped as states.
    ReplayDiffered {
        /// The object.
        object: ObjectId,
        /// Its kind.
        kind: String,
        /// The method's name, or its id where the name is not known.
        method: String,
    },
    /// The object has a new replica set, whole again or grown.
    Reconfigured {
        /// The object.
        object: ObjectId,
        /// The new set.
        configuration: Configuration,
    },
    /// What this process held of a weak object was discarded: another line of primaries went on
    /// with the object.
    Lost {
        /// The object.
        object: ObjectId,
        /// What.
        lost: Lost,
    },
    /// What this node's member record should say now; coalesced.
    Announce(Announced),
    /// Nothing is left to hand over.
    Drained {
        /// Objects that nobody else could take.
        left_behind: u32,
    },
}

/// The machine's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Looks at everything that waits. Set only while something waits: an idle object has none.
    Tick,
    /// Looks at repairs and rebalancing. Set only while something is to be repaired.
    Repair,
    /// Publishes some places again. Set while this process is the primary of any object.
    Publish,
}

//! What the layer above and the driver say to the overlay machine, and what it tells them.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::cluster::ClusterRecord;
use crate::id::{PeerId, ProcessId};
use crate::machine::{LinkDown, Sink};
use crate::member::{HostedKind, SignedRecord};
use crate::message::{GossipBatch, Message};
use crate::view::MembershipView;

/// Whether a node takes part in the membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Announced, probed, gossiping.
    Member,
    /// Pulls the view from members, and in a small cluster is told of changes; nobody is told of
    /// it and nobody probes it.
    Client,
}

/// The content of the own member record; the machine adds process and sequence, and signs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// Where this node listens, as multiaddresses without the peer part.
    pub addresses: Vec<String>,
    /// Kinds that it hosts.
    pub kinds: Vec<HostedKind>,
    /// Replicas that it is willing to hold.
    pub capacity: u32,
    /// Replicas that it holds.
    pub load: u32,
    /// Objects of which it is the primary.
    pub primaries: u32,
    /// Labels such as `host` and `zone`.
    pub labels: Vec<(String, String)>,
    /// Set while it hands over before leaving.
    pub leaving: bool,
    /// The stamp for replica sets that name it.
    pub stamp: u64,
}

/// What the layer above asks for, and what the driver reports beyond links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The own record has this content from now on. The first one makes a member join; before
    /// it, nothing of this node is told to others. Ignored by a client.
    Announce(Announcement),
    /// A message on the membership topic arrived.
    Gossip(Bytes),
    /// The same, decoded: for a driver that hands one message to many machines.
    News(Arc<GossipBatch>),
    /// Records learned from a registry, the peer cache, mDNS or the runtime folder. They are
    /// introductions: dialled, not believed.
    Introduce(Vec<SignedRecord>),
    /// A configured registry answered; its records come by [`Command::Introduce`].
    RegistryAnswered {
        /// The cluster that it remembers.
        cluster: Option<ClusterRecord>,
    },
    /// A name is needed: answered by [`Event::Cluster`], at once or after founding.
    NeedCluster,
    /// The layer above changed the hint, or remembers a cluster from before.
    UpdateCluster(ClusterRecord),
    /// A call used the link with this process: it is not idle.
    LinkUsed(ProcessId),
    /// Some frame of another channel arrived from this process: it is alive.
    Heard(ProcessId),
    /// A dial asked for by [`Event::Dial`] failed.
    DialFailed {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: LinkDown,
    },
    /// Says goodbye: everything is handed over. Answered by [`Event::Left`].
    Leave,
}

/// A timer of the overlay machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Probes the edges of the rings, and does what [`Timer::Upkeep`] does.
    ProbeRound,
    /// Looks after links, anti-entropy and dead members; set while something is missing.
    Upkeep,
    /// Looks after whatever has a deadline; set only while something is pending.
    Tick,
    /// Publishes the collected news.
    Flush,
    /// The goodbye had its time.
    LeaveDone,
}

/// Why a process is no longer in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostCause {
    /// Declared dead.
    Dead,
    /// Said goodbye.
    Left,
    /// Another incarnation of the same peer took its place.
    Replaced,
}

/// What the machine asks of its driver beyond sending, or tells the layer above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Publish this on the membership topic.
    Publish(Bytes),
    /// The membership view changed. Changes of 50 ms come as one.
    View(MembershipView),
    /// A process is new in the view.
    Joined(ProcessId),
    /// A process is no longer in the view.
    Lost {
        /// Which.
        process: ProcessId,
        /// Why.
        cause: LostCause,
    },
    /// Make a link with this peer: answered by `LinkUp` or [`Command::DialFailed`].
    Dial {
        /// The peer.
        peer: PeerId,
        /// Where it listened last.
        addresses: Vec<String>,
    },
    /// Close the link with this process: surplus or idle.
    Close(ProcessId),
    /// The cluster became known, or its hint changed.
    Cluster(ClusterRecord),
    /// Two young clusters met and this node changed sides: the layer above registers its names
    /// of the lost one again.
    ClusterMerged {
        /// The cluster that is given up.
        lost: ClusterRecord,
        /// The cluster of this node from now on.
        won: ClusterRecord,
    },
    /// Two established clusters of one name met; each keeps its own.
    ClusterConflict {
        /// This node's cluster.
        ours: ClusterRecord,
        /// The other one.
        theirs: ClusterRecord,
    },
    /// Living members worth keeping in the peer cache on disk.
    Remember(Vec<SignedRecord>),
    /// Goodbye was said; safe to stop.
    Left,
}

/// A sink of this machine's outputs.
pub trait Outbox: Sink<Message, Timer, Event> {}

impl<S: Sink<Message, Timer, Event>> Outbox for S {}

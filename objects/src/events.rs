//! What a node tells whoever listens.

use std::fmt;

use objects_proto::mode::Lost;
use objects_proto::object::{Configuration, Epoch, ObjectId};
use overlay_proto::{ClusterId, Duration, LostCause, ProcessId};
use tokio::sync::broadcast;

/// Events kept for a listener that does not keep up; older ones are lost to it.
pub const EVENTS_KEPT: usize = 1_024;

/// Something that happened at or around this node.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A process is new in this node's membership view.
    Joined(ProcessId),
    /// A process is no longer in this node's membership view.
    Lost {
        /// Which.
        process: ProcessId,
        /// Why.
        cause: LostCause,
    },
    /// This node is the primary of an object now.
    TookOver {
        /// The object.
        object: ObjectId,
        /// Its kind.
        kind: String,
        /// Its replica set.
        epoch: Epoch,
        /// The primary before.
        from: Option<ProcessId>,
        /// Time since this node first doubted that primary.
        after: Duration,
    },
    /// An object of which this node is the primary has a new replica set.
    Reconfigured {
        /// The object.
        object: ObjectId,
        /// The new set.
        configuration: Configuration,
    },
    /// A method is marked `#[deterministic]` and is not: on this node's copy it came to something
    /// else than at the object's primary. The primary's result stands.
    ReplayDiffered {
        /// The object.
        object: ObjectId,
        /// Its kind.
        kind: String,
        /// The method.
        method: String,
    },
    /// What this node held of an object does not count: another line of primaries went on with
    /// the object, which is weak or was recovered elsewhere. Its callers were told that it was
    /// done.
    CallsLost {
        /// The object.
        object: ObjectId,
        /// What.
        lost: Lost,
    },
    /// This node handed over what it held, before leaving.
    Drained {
        /// Objects that nobody else could take.
        left_behind: u32,
    },
    /// Two young clusters of one name met; this node's names are registered with the other one.
    ClusterMerged {
        /// The cluster given up.
        lost: ClusterId,
        /// The cluster of this node from now on.
        won: ClusterId,
    },
    /// A name of the cluster given up is taken in the other one: the object keeps existing, but
    /// only its references lead to it.
    NameConflict {
        /// The name.
        name: String,
        /// The object that had it in the cluster given up.
        object: ObjectId,
    },
    /// Two established clusters of one name met; each keeps its own names.
    ClusterConflict {
        /// This node's cluster.
        ours: ClusterId,
        /// The other one.
        theirs: ClusterId,
    },
    /// The process was stopped for more than a second and goes on.
    Stopped,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined(process) => write!(f, "{} joined", process.peer),
            Self::Lost {
                process,
                cause: LostCause::Left,
            } => write!(f, "{} left", process.peer),
            Self::Lost { process, .. } => write!(f, "{} is lost", process.peer),
            Self::TookOver {
                object,
                kind,
                from,
                after,
                ..
            } => {
                write!(f, "took over {kind} {object}")?;
                if let Some(from) = from {
                    write!(f, " from {}", from.peer)?;
                }
                write!(f, " within {} ms", after.as_millis())
            }
            Self::Reconfigured {
                object,
                configuration,
            } => {
                let replicas = configuration.members.len();
                write!(f, "object {object} has {replicas} replicas")
            }
            Self::ReplayDiffered {
                object,
                kind,
                method,
            } => write!(
                f,
                "`{kind}::{method}` of object {object} is marked deterministic and came to \
                 something else here"
            ),
            Self::CallsLost { object, lost } => write!(
                f,
                "{} calls on {} {object} are lost: another primary went on without them",
                lost.versions(),
                lost.kind
            ),
            Self::Drained { left_behind: 0 } => f.write_str("everything is handed over"),
            Self::Drained { left_behind } => {
                write!(f, "{left_behind} objects could not be handed over")
            }
            Self::ClusterMerged { lost, won } => write!(f, "cluster {lost} merged into {won}"),
            Self::NameConflict { name, object } => {
                write!(
                    f,
                    "the name `{name}` of object {object} is taken in the merged cluster"
                )
            }
            Self::ClusterConflict { ours, theirs } => {
                write!(
                    f,
                    "two clusters of one name: {ours} (this node's) and {theirs}"
                )
            }
            Self::Stopped => f.write_str("this process was stopped and goes on"),
        }
    }
}

/// A node's events from now on.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

impl Events {
    /// The next event; `None` once the node is gone. A listener more than [`EVENTS_KEPT`] events
    /// behind misses the oldest ones.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Where events are told.
#[derive(Debug)]
pub(crate) struct EventSource {
    sender: broadcast::Sender<Event>,
}

impl EventSource {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(EVENTS_KEPT),
        }
    }

    /// Tells whoever listens; nobody needs to.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    pub(crate) fn listen(&self) -> Events {
        Events {
            receiver: self.sender.subscribe(),
        }
    }
}

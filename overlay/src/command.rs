//! What the node's handle and its helpers ask of the event loop.

use bytes::Bytes;
use libp2p::Multiaddr;
use overlay_proto::member::SignedRecord;
use overlay_proto::{Announcement, ClusterRecord, PeerId, ProcessId};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::topic::{TopicError, TopicMessage};

/// Commands that wait for the event loop.
pub(crate) const COMMANDS_MAX: usize = 1024;

/// One command.
#[derive(Debug)]
pub(crate) enum Request {
    /// The own record has this content; addresses are filled in by the loop.
    Announce(Box<Announcement>),
    /// Records learned from a registry, the peer cache or the runtime folder.
    Introduce(Vec<SignedRecord>),
    /// A peer is said to listen there.
    Try(Multiaddr),
    /// A registry answered.
    RegistryAnswered(Option<ClusterRecord>),
    /// A name is needed.
    NeedCluster,
    /// The layer above changed the hint.
    UpdateCluster(Box<ClusterRecord>),
    /// A link with this peer is wanted by a request.
    Connect {
        /// The peer.
        peer: PeerId,
        /// Its process once linked.
        linked: oneshot::Sender<Option<ProcessId>>,
    },
    /// A message to a topic of the application.
    Publish {
        /// Name of the topic.
        topic: String,
        /// The message.
        data: Bytes,
        /// Whether it was taken.
        taken: oneshot::Sender<Result<(), TopicError>>,
    },
    /// Messages of a topic of the application are wanted.
    Subscribe {
        /// Name of the topic.
        topic: String,
        /// Where they arrive.
        messages: oneshot::Sender<broadcast::Receiver<TopicMessage>>,
    },
    /// A record for the directory.
    PutRecord {
        /// Its key.
        key: Bytes,
        /// Its value.
        value: Bytes,
        /// Whether another peer keeps it.
        kept: oneshot::Sender<bool>,
    },
    /// Records of this key are wanted until the receiver is dropped.
    GetRecord {
        /// The key.
        key: Bytes,
        /// Where candidates go.
        candidates: mpsc::Sender<Bytes>,
    },
    /// Some living members are asked for in a registry's place.
    List {
        /// How many at most.
        limit: usize,
        /// Their records.
        records: oneshot::Sender<(Vec<SignedRecord>, Option<ClusterRecord>)>,
    },
    /// Says goodbye.
    Leave,
}

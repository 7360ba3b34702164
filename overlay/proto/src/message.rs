//! Control messages between two linked processes, and the batch that travels by gossip.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cluster::ClusterRecord;
use crate::codec::{self, DecodeError};
use crate::id::{ClusterId, PeerId, ProcessId};
use crate::member::{MemberState, SignedRecord};

/// Longest encoded control message, bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Longest gossip message, bytes.
pub const GOSSIP_BYTES_MAX: usize = 64 * 1024;

/// A control message on a link. Unknown fields are ignored, missing optional ones take their
/// default; a message of an unknown kind does not decode and is dropped by the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// First message of both sides when a link comes up.
    Greeting {
        /// The sender's own record; none from a client.
        record: Option<SignedRecord>,
        /// What the sender knows.
        digest: Digest,
        /// The sender's cluster.
        cluster: Option<ClusterRecord>,
    },
    /// Are you there?
    Probe {
        /// Comes back in the answer.
        nonce: u64,
        /// The sender heard the receiver suspected at this sequence: refute!
        #[serde(default)]
        suspected: Option<u64>,
    },
    /// I am.
    Ack {
        /// The probe's.
        nonce: u64,
    },
    /// Please probe `target` for me.
    ProbeRequest {
        /// Comes back in the report.
        nonce: u64,
        /// Whom.
        target: ProcessId,
    },
    /// What came of a [`Message::ProbeRequest`].
    ProbeReport {
        /// The request's.
        nonce: u64,
        /// Whether the target answered.
        reached: bool,
    },
    /// Anti-entropy, step 1: what I know in short. No answer if the receiver knows the same.
    Sync {
        /// The sender's knowledge.
        digest: Digest,
        /// The sender's cluster and the version of its root hint.
        #[serde(default)]
        cluster: Option<(ClusterId, u64)>,
    },
    /// Anti-entropy, step 2: one hash of 8 bytes per bucket of members.
    Buckets {
        /// `256 * 8` bytes, big endian.
        hashes: Bytes,
    },
    /// Anti-entropy, step 3: what I know of the members in the buckets that differ.
    Summary {
        /// Bitmap of 256 bits: the buckets that are listed in full.
        buckets: Bytes,
        /// The members in them.
        entries: Vec<SummaryEntry>,
    },
    /// Anti-entropy, steps 4 and 5: members that the receiver knows less of.
    Records {
        /// The members.
        entries: Vec<SyncEntry>,
        /// Members of which the sender would like the receiver's newer record.
        #[serde(default)]
        want: Vec<PeerId>,
    },
    /// Asks for some members, as one would ask a registry.
    GetList {
        /// How many at most.
        limit: u32,
    },
    /// Answers [`Message::GetList`].
    List {
        /// Some living members.
        records: Vec<SignedRecord>,
        /// The sender's cluster.
        cluster: Option<ClusterRecord>,
    },
    /// Asks for the cluster, and asks the receiver to found one if it falls to it.
    ClusterRequest,
    /// The sender's cluster.
    Cluster(ClusterRecord),
    /// The sender leaves.
    Goodbye {
        /// The sequence of its last record.
        sequence: u64,
    },
}

/// What a process knows of the membership, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Members known, the dead ones included.
    pub count: u64,
    /// Exclusive or of one hash per member, its incarnation, sequence and state.
    pub xor: u64,
}

/// What is known of one member, without its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryEntry {
    /// The member.
    pub process: ProcessId,
    /// Its newest sequence.
    pub sequence: u64,
    /// Its state, never [`MemberState::Suspect`]: suspicions travel by gossip alone.
    pub state: MemberState,
}

/// What is known of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncEntry {
    /// Its newest record.
    pub record: SignedRecord,
    /// Its state, never [`MemberState::Suspect`].
    pub state: MemberState,
    /// The sequence at which it died or left, if above that of the record.
    #[serde(default)]
    pub sequence: u64,
    /// Seconds since it died or left, so that all forget it at about the same time.
    #[serde(default)]
    pub age_s: u64,
}

/// News of one member on the membership topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MembershipEvent {
    /// It lives: it joined, changed its record or refuted a suspicion.
    Alive(SignedRecord),
    /// An observer got no answer from it.
    Suspect {
        /// Who is suspected.
        process: ProcessId,
        /// Its newest sequence known to the observer; a higher one refutes.
        sequence: u64,
        /// Who suspects.
        observer: ProcessId,
        /// Its connection was reset and a new dial refused.
        #[serde(default)]
        refused: bool,
    },
    /// It said goodbye.
    Left {
        /// Who.
        process: ProcessId,
        /// Its last sequence.
        sequence: u64,
    },
}

/// One message on the membership topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GossipBatch {
    /// News of members, in the order in which the sender learned them.
    #[serde(default)]
    pub events: Vec<MembershipEvent>,
    /// The cluster, when it was founded or its hint changed.
    #[serde(default)]
    pub cluster: Option<ClusterRecord>,
}

impl Message {
    /// Encodes the message as CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self).unwrap_or_default()
    }

    /// Decodes a message, refusing more than [`MESSAGE_BYTES_MAX`].
    ///
    /// # Errors
    /// [`DecodeError`], also for a kind of message that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_limited(bytes, MESSAGE_BYTES_MAX)
    }
}

impl GossipBatch {
    /// Encodes the batch as CBOR.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        codec::encode(self).unwrap_or_default().into()
    }

    /// Decodes a batch, refusing more than [`GOSSIP_BYTES_MAX`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_limited(bytes, GOSSIP_BYTES_MAX)
    }
}

#[cfg(test)]
pub(crate) mod tests;

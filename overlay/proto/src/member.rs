//! What a member says of itself, signed, and what others think of it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::id::{PeerId, ProcessId};

/// Longest encoded member record, bytes.
pub const RECORD_BYTES_MAX: usize = 8 * 1024;
/// Most addresses in a record.
pub const ADDRESSES_MAX: usize = 8;
/// Most kinds in a record.
pub const KINDS_MAX: usize = 64;
/// Most labels in a record.
pub const LABELS_MAX: usize = 16;

/// A kind of object that a host accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostedKind {
    /// The kind's name, for example `Counter`.
    pub name: String,
    /// Version of its state and methods; only hosts of one version share an object's primary role.
    pub version: u32,
    /// Names of its remote methods.
    pub methods: Vec<String>,
}

/// What a member says of itself. Only the newest one counts: highest incarnation seen last,
/// then highest sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Who says it.
    pub process: ProcessId,
    /// Raised by the member alone: with each change, and to refute suspicion.
    pub sequence: u64,
    /// Where it listens, as multiaddresses without the peer part.
    pub addresses: Vec<String>,
    /// Kinds that it hosts; empty for a member that only introduces and relays.
    pub kinds: Vec<HostedKind>,
    /// Replicas that it is willing to hold.
    pub capacity: u32,
    /// Replicas that it held when the record was made.
    pub load: u32,
    /// Labels such as `host` and `zone`: placement avoids two replicas with equal values.
    pub labels: Vec<(String, String)>,
    /// Set by a member that is handing over and about to leave: nothing new is placed on it.
    pub leaving: bool,
    /// The stamp that the member issues for the next replica set it joins.
    pub stamp: u64,
}

impl MemberRecord {
    /// Whether the member accepts objects.
    #[must_use]
    pub fn is_host(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// The kind of this name, if hosted.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&HostedKind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn within_limits(&self) -> bool {
        self.addresses.len() <= ADDRESSES_MAX
            && self.kinds.len() <= KINDS_MAX
            && self.labels.len() <= LABELS_MAX
    }
}

/// A member record as its owner signed it: relayed byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRecord {
    /// The CBOR of a [`MemberRecord`].
    pub body: Bytes,
    /// The owner's Ed25519 signature over `body`.
    pub signature: Bytes,
}

/// Why a signed record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not a member record.
    #[error("not a member record: {0}")]
    Decode(#[from] DecodeError),
    /// More addresses, kinds or labels than allowed.
    #[error("the member record exceeds its limits")]
    Limits,
    /// The signature is not the owner's.
    #[error("the member record is not signed by the peer that it names")]
    Signature,
}

impl SignedRecord {
    /// Signs `record` with the keys of the peer that it names.
    ///
    /// # Panics
    /// Never: a member record always has a CBOR form.
    #[must_use]
    pub fn sign(record: &MemberRecord, keys: &dyn Keys) -> Self {
        let body = Bytes::from(codec::encode(record).unwrap_or_default());
        let signature = Bytes::from(keys.sign(&body));
        Self { body, signature }
    }

    /// The record as it claims to be, if it is well formed and within limits; for a glance at
    /// its sequence before its signature is worth checking.
    ///
    /// # Errors
    /// [`RecordError::Decode`] or [`RecordError::Limits`].
    pub fn claim(&self) -> Result<MemberRecord, RecordError> {
        let record: MemberRecord = codec::decode_limited(&self.body, RECORD_BYTES_MAX)?;
        if record.within_limits() {
            Ok(record)
        } else {
            Err(RecordError::Limits)
        }
    }

    /// The record, if it is well formed, within limits and signed by the peer that it names.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn open(&self, keys: &dyn Keys) -> Result<MemberRecord, RecordError> {
        let record = self.claim()?;
        if keys.verify(&record.process.peer, &self.body, &self.signature) {
            Ok(record)
        } else {
            Err(RecordError::Signature)
        }
    }
}

/// Signs as this peer and checks the signatures of others. Pure: no I/O, no randomness.
pub trait Keys: Send + Sync {
    /// The peer whose key signs.
    fn peer(&self) -> PeerId;
    /// The signature over `bytes`.
    fn sign(&self, bytes: &[u8]) -> Vec<u8>;
    /// Whether `signature` over `bytes` was made by `peer`.
    fn verify(&self, peer: &PeerId, bytes: &[u8], signature: &[u8]) -> bool;
}

/// Keys as the cores hold them.
pub type BoxedKeys = Box<dyn Keys>;

/// What others think of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MemberState {
    /// Heard from, or not yet doubted.
    Alive,
    /// Missed its probes; may still refute.
    Suspect,
    /// Declared dead by observers; may still refute. Kept for a while to heal partitions.
    Dead,
    /// Said goodbye after handing over.
    Left,
}

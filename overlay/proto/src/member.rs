//! What a member says of itself, signed, and what others think of it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use once_cell::race::OnceBox;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{self, DecodeError};
use crate::hash::{hash_peer, mix};
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
    /// Its objects answer before a majority of their replicas holds what a call did.
    #[serde(default)]
    pub weak: bool,
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
    /// Objects of which it was the primary then.
    #[serde(default)]
    pub primaries: u32,
    /// Labels such as `host` and `zone`: placement avoids two replicas with equal values.
    pub labels: Vec<(String, String)>,
    /// Set by a member that is handing over and about to leave: nothing new is placed on it.
    pub leaving: bool,
    /// The stamp that the member issues: replica sets that name it name this.
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
///
/// Cheap to clone. All clones share the bytes and what was once decoded of them, so a process
/// that holds one record in many places pays for it once.
#[derive(Clone)]
pub struct SignedRecord(Arc<Signed>);

struct Signed {
    body: Bytes,
    signature: Bytes,
    claim: OnceBox<Arc<MemberRecord>>,
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
    /// The CBOR of a [`MemberRecord`], and the owner's Ed25519 signature over it, as received.
    #[must_use]
    pub fn new(body: Bytes, signature: Bytes) -> Self {
        Self(Arc::new(Signed {
            body,
            signature,
            claim: OnceBox::new(),
        }))
    }

    /// Signs `record` with the keys of the peer that it names.
    #[must_use]
    pub fn sign(record: &MemberRecord, keys: &dyn Keys) -> Self {
        let body = Bytes::from(codec::encode(record).unwrap_or_default());
        let signature = Bytes::from(keys.sign(&body));
        Self::new(body, signature)
    }

    /// The CBOR of the record.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// The owner's signature over [`Self::body`].
    #[must_use]
    pub fn signature(&self) -> &Bytes {
        &self.0.signature
    }

    /// Bytes of the record and its signature.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.body.len() + self.0.signature.len()
    }

    /// The record as it claims to be, if it is well formed and within limits; for a glance at
    /// its sequence before its signature is worth checking.
    ///
    /// # Errors
    /// [`RecordError::Decode`] or [`RecordError::Limits`].
    pub fn claim(&self) -> Result<&Arc<MemberRecord>, RecordError> {
        self.0.claim.get_or_try_init(|| {
            let record: MemberRecord = codec::decode_limited(&self.0.body, RECORD_BYTES_MAX)?;
            if record.within_limits() {
                Ok(Box::new(Arc::new(record)))
            } else {
                Err(RecordError::Limits)
            }
        })
    }

    /// The record, if it is well formed, within limits and signed by the peer that it names.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn open(&self, keys: &dyn Keys) -> Result<&Arc<MemberRecord>, RecordError> {
        let record = self.claim()?;
        if keys.verify(&record.process.peer, &self.0.body, &self.0.signature) {
            Ok(record)
        } else {
            Err(RecordError::Signature)
        }
    }
}

impl PartialEq for SignedRecord {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (&*self.0, &*other.0);
        Arc::ptr_eq(&self.0, &other.0) || (&one.body, &one.signature) == (&two.body, &two.signature)
    }
}

impl Eq for SignedRecord {}

impl fmt::Debug for SignedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRecord")
            .field("body", &self.0.body)
            .field("signature", &self.0.signature)
            .finish()
    }
}

/// A [`SignedRecord`] on the wire, whose bytes are there or elsewhere.
#[derive(Serialize, Deserialize)]
#[serde(rename = "SignedRecord")]
struct Wire<B> {
    body: B,
    signature: B,
}

impl Serialize for SignedRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Signed {
            body, signature, ..
        } = &*self.0;
        Wire { body, signature }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { body, signature } = Wire::<Bytes>::deserialize(deserializer)?;
        Ok(Self::new(body, signature))
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

impl MemberState {
    /// Whether a member in this state is in the view.
    #[must_use]
    pub const fn is_living(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

/// One entry of the membership view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the member says of itself.
    pub record: Arc<MemberRecord>,
    /// What this node thinks of it: [`MemberState::Alive`] or [`MemberState::Suspect`].
    pub state: MemberState,
}

impl Member {
    /// A hash of who it is, its sequence and its state.
    pub(crate) fn hash(&self) -> u64 {
        let MemberRecord {
            process, sequence, ..
        } = &*self.record;
        let rank = u64::from(self.state == MemberState::Suspect);
        let seed = mix(sequence ^ mix(process.incarnation.0 ^ rank));
        hash_peer(seed, &process.peer)
    }
}

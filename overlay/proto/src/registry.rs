//! The registry protocol and the state of a registry: signed records with leases.
//!
//! A registry introduces peers and remembers the cluster; it decides nothing. Any peer can
//! answer [`Request::List`] as well.

mod leases;

pub use leases::{Leases, LeasesConfig, Refusal, SnapshotError};

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::cluster::ClusterRecord;
use crate::codec::{self, DecodeError};
use crate::member::SignedRecord;
use crate::time::Duration;

/// Longest name of a cluster, bytes.
pub const CLUSTER_NAME_BYTES_MAX: usize = 64;
/// Longest encoded request, bytes.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// Longest encoded answer, bytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of records after which an answer is full.
pub const LIST_BYTES: usize = 512 * 1024;
/// Most records that one request may ask for.
pub const LIST_MAX: u32 = 256;
/// Shortest lease.
pub const LEASE_MIN: Duration = Duration::from_secs(30);
/// Longest lease.
pub const LEASE_MAX: Duration = Duration::from_secs(60);

/// What a peer asks of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Keep my record for a while, and tell me of others.
    Register {
        /// The sender's own record.
        record: SignedRecord,
        /// For how long, in seconds; clamped to [`LEASE_MIN`] and [`LEASE_MAX`].
        lease_s: u32,
        /// The cluster that the sender knows.
        #[serde(default)]
        cluster: Option<ClusterRecord>,
        /// Records wanted in the answer, at most [`LIST_MAX`].
        #[serde(default)]
        limit: u32,
    },
    /// Tell me of some members.
    List {
        /// How many at most, at most [`LIST_MAX`].
        limit: u32,
    },
    /// Forget my record.
    Leave {
        /// The sender's last record: its signature shows that the sender may say so.
        record: SignedRecord,
    },
}

/// What a registry answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Registered.
    Registered {
        /// The lease granted, in seconds; renew after a third of it.
        lease_s: u32,
        /// Some other members, not more than asked for.
        records: Vec<SignedRecord>,
        /// The cluster that the registry remembers.
        #[serde(default)]
        cluster: Option<ClusterRecord>,
    },
    /// Some members.
    List {
        /// Not more than asked for.
        records: Vec<SignedRecord>,
        /// The cluster that the answering process knows.
        #[serde(default)]
        cluster: Option<ClusterRecord>,
    },
    /// Forgotten.
    Left,
    /// Nothing was changed.
    Refused(Refusal),
}

/// A request as it travels: one registry serves clusters of several names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The name of the asking node's cluster, at most [`CLUSTER_NAME_BYTES_MAX`] bytes.
    pub cluster_name: String,
    /// What is asked.
    pub request: Request,
}

impl Call {
    /// Encodes the call as CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self).unwrap_or_default()
    }

    /// Decodes a call, refusing more than [`REQUEST_BYTES_MAX`].
    ///
    /// # Errors
    /// [`DecodeError`], also for a request that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let call: Self = codec::decode_limited(bytes, REQUEST_BYTES_MAX)?;
        let got = call.cluster_name.len();
        if got > CLUSTER_NAME_BYTES_MAX {
            return Err(DecodeError::TooLong {
                got,
                limit: CLUSTER_NAME_BYTES_MAX,
            });
        }
        Ok(call)
    }
}

impl Answer {
    /// Encodes the answer as CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self).unwrap_or_default()
    }

    /// Decodes an answer, refusing more than [`ANSWER_BYTES_MAX`].
    ///
    /// # Errors
    /// [`DecodeError`], also for an answer that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_limited(bytes, ANSWER_BYTES_MAX)
    }
}

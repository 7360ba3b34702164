//! What members know of the cluster that they belong to.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::id::{ClusterId, ProcessId};

/// Longest hint of the layer above in a cluster record, bytes.
pub const CLUSTER_ROOT_BYTES_MAX: usize = 4 * 1024;
/// Longest encoded cluster record, bytes.
pub const CLUSTER_RECORD_BYTES_MAX: usize = CLUSTER_ROOT_BYTES_MAX + 512;

/// The identity of a founded cluster and a hint where its names are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Drawn at random by the founder.
    pub id: ClusterId,
    /// Who founded it.
    pub founder: ProcessId,
    /// When, in Unix milliseconds of the founder's clock.
    pub founded_at_ms: u64,
    /// Orders the hints of one cluster: a higher one replaces a lower one.
    #[serde(default)]
    pub root_version: u64,
    /// Opaque hint of the layer above, at most [`CLUSTER_ROOT_BYTES_MAX`].
    #[serde(default)]
    pub root: Bytes,
}

impl ClusterRecord {
    /// Whether its hint keeps to its limit.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        self.root.len() <= CLUSTER_ROOT_BYTES_MAX
    }

    /// Whether this cluster wins over `other` when two clusters meet: founded earlier, or at
    /// the same time with the smaller id.
    #[must_use]
    pub fn wins_over(&self, other: &Self) -> bool {
        (self.founded_at_ms, self.id) < (other.founded_at_ms, other.id)
    }

    /// Decodes a record, refusing one beyond its limits.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let record: Self = codec::decode_limited(bytes, CLUSTER_RECORD_BYTES_MAX)?;
        if record.within_limits() {
            Ok(record)
        } else {
            Err(DecodeError::TooLong {
                got: record.root.len(),
                limit: CLUSTER_ROOT_BYTES_MAX,
            })
        }
    }
}

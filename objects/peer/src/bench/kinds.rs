//! What the benchmark calls beside the standard kinds.

use bytes::Bytes;
use objects::shared;
use serde::{Deserialize, Serialize};

/// Bytes that are sent and stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Payload {
    held: Bytes,
}

#[shared(name = "bench.Payload")]
impl Payload {
    /// Gives the bytes back.
    pub(super) fn echo(&self, bytes: Bytes) -> Bytes {
        bytes
    }

    /// Stores the bytes.
    pub(super) fn put(&mut self, bytes: Bytes) {
        self.held = bytes;
    }
}

/// A number that is read under leases.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Leased {
    count: u64,
}

#[shared(name = "bench.Leased", reads = "lease")]
impl Leased {
    /// The number.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// A number that is read as it was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stale {
    count: u64,
}

#[shared(name = "bench.Stale", reads = "stale")]
impl Stale {
    /// The number.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

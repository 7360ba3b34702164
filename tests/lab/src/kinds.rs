//! The shared objects of the lab, beside the library's counter and the example's account.

use objects::shared;
use serde::{Deserialize, Serialize};

/// Keeps the id of every call that took effect, and a hash of them in their order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Log {
    entries: Vec<u64>,
    hash: u64,
}

/// The hash after one more entry.
pub(crate) const fn chain(hash: u64, entry: u64) -> u64 {
    (hash ^ entry)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}

#[shared]
impl Log {
    /// Appends an entry: how many there are, and the hash of all.
    pub(crate) fn append(&mut self, entry: u64) -> (u64, u64) {
        self.entries.push(entry);
        self.hash = chain(self.hash, entry);
        (self.entries.len() as u64, self.hash)
    }

    /// How many there are, and the hash of all.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.hash)
    }

    /// All of them.
    pub(crate) fn entries(&self) -> Vec<u64> {
        self.entries.clone()
    }
}

/// The same with reads under leases.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct LeasedLog(Log);

#[shared(reads = "lease")]
impl LeasedLog {
    /// See [`Log::append`].
    pub(crate) fn append(&mut self, entry: u64) -> (u64, u64) {
        self.0.append(entry)
    }

    /// See [`Log::read`].
    pub(crate) fn read(&self) -> (u64, u64) {
        self.0.read()
    }

    /// See [`Log::entries`].
    pub(crate) fn entries(&self) -> Vec<u64> {
        self.0.entries()
    }
}

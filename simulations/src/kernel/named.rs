//! Processes by name.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use overlay_proto::ProcessId;

use crate::network::Endpoint;

/// Where each process runs or ran. Looked up with every message and never walked through, so
/// the order of the map plays no part.
pub(super) type ByProcess = HashMap<ProcessId, Endpoint, BuildHasherDefault<ByIncarnation>>;

/// Takes the incarnation, a random number, for the hash, and leaves the peer out.
#[derive(Default)]
pub(super) struct ByIncarnation(u64);

impl Hasher for ByIncarnation {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _peer: &[u8]) {}

    fn write_u64(&mut self, incarnation: u64) {
        self.0 = incarnation;
    }
}

//! Names of peers and of the processes behind them.

use core::cmp::Ordering;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The public identity of a peer: its Ed25519 public key, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerId(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl PeerId {
    /// The first eight bytes as a number: in the order of the peers, and hardly ever equal for
    /// two of them.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        let first = self.0.first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(first)
    }
}

impl Ord for PeerId {
    /// The order of the bytes; maps by peer compare so often that the first eight go as one.
    fn cmp(&self, other: &Self) -> Ordering {
        let first = self.prefix().cmp(&other.prefix());
        first.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for PeerId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A random number that a process draws when it starts.
///
/// A process that lost its memory is another replica, so everything that votes names
/// the incarnation beside the peer (design: amnesia rule, reliability of crash recovery).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// One start of one peer: the identity that holds replicas and counts in quorums.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The peer.
    pub peer: PeerId,
    /// Which start of it.
    pub incarnation: Incarnation,
}

/// The identity of a founded cluster, drawn at random by its founder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub u128);

impl fmt::Display for PeerId {
    /// The first eight hexadecimal digits: enough for people, not for machines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.peer, self.incarnation)
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessId({self})")
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 96)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

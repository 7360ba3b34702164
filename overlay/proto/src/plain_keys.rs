//! Keys for simulations and tests. **No security at all**: anyone can sign as anyone.

use alloc::vec::Vec;

use crate::hash::hash;
use crate::id::PeerId;
use crate::member::Keys;

/// Signs with a hash of the peer id and the bytes. It detects bytes that changed on their way
/// and nothing else; it exists because a simulated world of thousands of peers has no use for
/// elliptic curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainKeys(pub PeerId);

impl PlainKeys {
    /// The peer with this number: its id is a hash of the number, as evenly spread as real ones.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        let mut id = [0; 32];
        for (place, word) in id.chunks_mut(8).zip(0_u64..) {
            place.copy_from_slice(&hash(word, &number.to_be_bytes()).to_be_bytes());
        }
        Self(PeerId(id))
    }

    fn signature(peer: &PeerId, bytes: &[u8]) -> [u8; 8] {
        hash(hash(1, &peer.0), bytes).to_be_bytes()
    }
}

impl Keys for PlainKeys {
    fn peer(&self) -> PeerId {
        self.0
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        Self::signature(&self.0, bytes).to_vec()
    }

    fn verify(&self, peer: &PeerId, bytes: &[u8], signature: &[u8]) -> bool {
        signature == Self::signature(peer, bytes)
    }
}

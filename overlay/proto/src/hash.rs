//! A small fast hash that is equal on every machine. Not cryptographic: it orders rings and
//! compares views among members that trust each other.

use crate::id::PeerId;

/// Mixes all bits of `x` into all bits of the result (the finaliser of splitmix64).
#[must_use]
pub fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The hash of `bytes` under `seed`.
#[must_use]
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let last = (!rest.is_empty()).then_some(last);
    let length = mix(seed ^ 0x9e37_79b9_7f4a_7c15 ^ bytes.len() as u64);
    words.iter().chain(&last).fold(length, |state, word| {
        mix(state.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from_le_bytes(*word))
    })
}

/// The hash of a peer under `seed`.
#[must_use]
pub fn hash_peer(seed: u64, peer: &PeerId) -> u64 {
    hash(seed, &peer.0)
}

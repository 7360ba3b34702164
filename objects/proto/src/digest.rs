//! The hash by which replicas find out that their states are not the same.
//!
//! It guards against mistakes (a wrong base, a method that is not deterministic), not against
//! peers that lie. It reads all of it, eight bytes at a time, so of states it is used where a
//! large one is not sent, and nowhere else. Calls are told apart by it as well.

/// FNV-1a's first value and factor.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A 64-bit hash of these bytes: FNV-1a's step over words of eight bytes, with the upper half
/// folded down after each, since a product carries nothing downwards. Words take turns in four
/// hashes, which a processor works on at once, and which are one in the end.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let (rounds, rest) = bytes.as_chunks::<32>();
    let mut lanes = [OFFSET, OFFSET + 1, OFFSET + 2, OFFSET + 3];
    for round in rounds {
        let (words, _) = round.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = mixed(*lane, u64::from_le_bytes(*word));
        }
    }
    let hash = lanes.into_iter().fold(OFFSET, mixed);
    let (words, rest) = rest.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(hash, |hash, word| mixed(hash, u64::from_le_bytes(*word)));
    let rest = rest
        .iter()
        .fold(hash, |hash, byte| mixed(hash, u64::from(*byte)));
    mixed(rest, bytes.len() as u64)
}

/// The hash of what one call came to.
#[must_use]
pub fn digest_of_call(state: &[u8], result: &[u8]) -> u64 {
    mixed(mixed(OFFSET, digest(state)), digest(result))
}

/// The hash of a call's arguments, by what else there is to the call.
#[must_use]
pub fn digest_of_arguments(call: u64, arguments: &[u8]) -> u64 {
    mixed(mixed(OFFSET, call), digest(arguments))
}

const fn mixed(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(PRIME);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;

    use super::*;

    /// Replicas of different builds compare it: a change is a change of the protocol.
    #[test]
    fn its_value_is_fixed() {
        assert_eq!(digest(b""), 0x58c9_4533_b940_7ce2);
        assert_eq!(digest(b"a state of some length"), 0x2343_1192_0fdc_93d9);
    }

    #[test]
    fn every_bit_and_the_length_count() {
        let mut seen = BTreeSet::from([digest(&[0; 40])]);
        for bit in 0..320 {
            let mut state = [0; 40];
            state[bit / 8] = 1 << (bit % 8);
            assert!(seen.insert(digest(&state)), "bit {bit}");
        }
        for length in 0..40 {
            assert!(seen.insert(digest(&vec![0; length])), "length {length}");
        }
    }

    #[test]
    fn entries_in_another_order_are_another_state() {
        let entries = [[0x80; 8], [0x11; 8], [0xff; 8]].concat();
        for (left, right) in [(0, 1), (1, 2), (0, 2)] {
            let mut other = entries.clone();
            for byte in 0..8 {
                other.swap(left * 8 + byte, right * 8 + byte);
            }
            assert_ne!(digest(&entries), digest(&other));
        }
    }

    #[test]
    fn state_and_result_are_told_apart() {
        assert_ne!(digest_of_call(b"ab", b"c"), digest_of_call(b"a", b"bc"));
        assert_ne!(digest_of_call(b"a", b"b"), digest_of_call(b"b", b"a"));
    }
}

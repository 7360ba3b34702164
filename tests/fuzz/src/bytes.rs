//! Bytes that were a message once.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Most alterations of one recording.
const ALTERATIONS_MAX: usize = 6;
/// Most bytes that one alteration adds.
const ADDED_MAX: usize = 64;
/// Heads of CBOR items that claim a length: of bytes, text, lists and maps, in 4 and 8 bytes,
/// and without end.
const CLAIMS: [u8; 12] = [
    0x5a, 0x5b, 0x5f, 0x7a, 0x7b, 0x7f, 0x9a, 0x9b, 0x9f, 0xba, 0xbb, 0xbf,
];

/// One of the recordings, altered at a few places.
///
/// # Panics
/// If there are no recordings.
#[must_use]
pub fn noisy(dice: &mut ChaCha8Rng, recordings: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = recordings.choose(dice).expect("recordings").clone();
    for _ in 0..dice.random_range(1..=ALTERATIONS_MAX) {
        alter(dice, &mut bytes, recordings);
    }
    bytes
}

/// One of the recordings, with a length in it that claims far more than follows.
///
/// # Panics
/// If there are no recordings.
#[must_use]
pub fn swollen(dice: &mut ChaCha8Rng, recordings: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = recordings.choose(dice).expect("recordings").clone();
    let place = dice.random_range(0..=bytes.len());
    let head = *CLAIMS.choose(dice).unwrap_or(&0x5b);
    let length = dice.next_u64() >> dice.random_range(0..48);
    let claim = match dice.random_range(0..4) {
        0 => length.to_le_bytes()[..4].to_vec(),
        1 => length.to_be_bytes().to_vec(),
        2 => vec![0xff; 8],
        _ => [&[head][..], &length.to_be_bytes()].concat(),
    };
    let end = (place + claim.len()).min(bytes.len());
    bytes.splice(place..end, claim);
    bytes
}

fn alter(dice: &mut ChaCha8Rng, bytes: &mut Vec<u8>, recordings: &[Vec<u8>]) {
    if bytes.is_empty() {
        bytes.push(dice.random());
    }
    let place = dice.random_range(0..bytes.len());
    let end = (place + dice.random_range(1..=ADDED_MAX)).min(bytes.len());
    match dice.random_range(0..10) {
        0 => bytes[place] ^= 1 << dice.random_range(0..8),
        1 => bytes[place] = *[0, 1, 0x7f, 0x80, 0xff].choose(dice).unwrap_or(&0),
        2 => bytes[place] = dice.random(),
        3 => bytes.truncate(place),
        4 => drop(bytes.drain(place..end)),
        5 => {
            let again = bytes[place..end].to_vec();
            drop(bytes.splice(place..place, again));
        }
        6 => {
            let noise: Vec<u8> = (place..end).map(|_| dice.random()).collect();
            bytes[place..end].copy_from_slice(&noise);
        }
        7 => {
            let number: u64 = *[0, 1, u64::MAX, 1 << 31, 1 << 63]
                .choose(dice)
                .unwrap_or(&0);
            let width = (bytes.len() - place).min(*[2, 4, 8].choose(dice).unwrap_or(&4));
            bytes[place..place + width].copy_from_slice(&number.to_le_bytes()[..width]);
        }
        8 => {
            let other = recordings.choose(dice).map_or(&[][..], Vec::as_slice);
            let from = dice.random_range(0..=other.len());
            bytes.truncate(place);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => *bytes = swollen(dice, &[std::mem::take(bytes)]),
    }
}

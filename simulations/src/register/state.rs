//! The journal's state, and the sequential model of itself.

use bytes::Bytes;
use overlay_proto::codec;
use serde::{Deserialize, Serialize};

use crate::oracle::CallId;

/// The first byte of a journal with ballast; no CBOR begins with it.
const LARGE: u8 = 0xff;
/// Bytes before the log of a journal with ballast.
const HEAD: usize = 32;
/// The part with the log grows by so many bytes at a time.
const GROWTH: usize = 1024;

/// A journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    log: Vec<CallId>,
    sum: u64,
    #[serde(skip)]
    ballast: Option<Ballast>,
}

/// What makes a journal large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ballast {
    /// Bytes of the encoded journal, as long as its log fits into half of them.
    size: u32,
    /// What the bytes of the other half are drawn from.
    seed: u64,
}

impl Journal {
    /// An empty journal whose encoding takes this many bytes.
    #[must_use]
    pub fn with_ballast(size: u32) -> Self {
        Self {
            ballast: Some(Ballast { size, seed: 0 }),
            ..Self::default()
        }
    }

    /// The ids of the calls that took effect.
    #[must_use]
    pub fn log(&self) -> &[CallId] {
        &self.log
    }

    /// Appends an entry: how many there are, and their sum.
    pub fn append(&mut self, id: CallId, by: u64) -> (u64, u64) {
        self.log.push(id);
        self.sum += by;
        (self.log.len() as u64, self.sum)
    }

    /// Draws the ballast anew.
    pub fn mix(&mut self, by: u64) {
        if let Some(ballast) = &mut self.ballast {
            ballast.seed = next(ballast.seed ^ by);
        }
    }

    /// The encoded state: of a journal with ballast a head, the log at fixed places, room, and
    /// the ballast.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let Some(ballast) = self.ballast else {
            return codec::encode(self).unwrap_or_default().into();
        };
        let half = ballast.size as usize / 2;
        let room = (HEAD + 8 * self.log.len())
            .max(half)
            .next_multiple_of(GROWTH);
        let mut state = Vec::with_capacity(room + half);
        state.extend([LARGE; 4]);
        state.extend(ballast.size.to_be_bytes());
        for word in [self.log.len() as u64, self.sum, ballast.seed] {
            state.extend(word.to_be_bytes());
        }
        state.extend(self.log.iter().flat_map(|id| id.to_be_bytes()));
        state.resize(room, 0);
        let mut word = ballast.seed;
        while state.len() < room + half {
            word = next(word);
            state.extend(word.to_be_bytes());
        }
        state.into()
    }

    /// The journal with this encoding, if it is one.
    #[must_use]
    pub fn decode(state: &[u8]) -> Option<Self> {
        if state.first() != Some(&LARGE) {
            return codec::decode(state).ok();
        }
        let word = |place: usize| -> Option<u64> {
            let bytes = state.get(place..place + 8)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        let size = (word(0)? & u64::from(u32::MAX)) as u32;
        let entries = usize::try_from(word(8)?).ok()?;
        let log = (0..entries)
            .map(|entry| word(HEAD + 8 * entry))
            .collect::<Option<_>>()?;
        let (sum, seed) = (word(16)?, word(24)?);
        let ballast = Some(Ballast { size, seed });
        Some(Self { log, sum, ballast })
    }
}

/// Weyl's sequence under a multiplication: different enough from step to step.
const fn next(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ (word >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_survive_their_encoding() {
        for mut journal in [Journal::default(), Journal::with_ballast(6000)] {
            for id in 0..500 {
                assert_eq!(Journal::decode(&journal.encode()), Some(journal.clone()));
                journal.append(id, 3);
                journal.mix(id);
            }
        }
    }

    #[test]
    fn an_append_changes_little_and_mixing_half() {
        let differ = |left: &Journal, right: &Journal| {
            let (left, right) = (left.encode(), right.encode());
            assert_eq!(left.len(), right.len());
            let pairs = left.iter().zip(&right);
            pairs.filter(|(left, right)| left != right).count()
        };
        let empty = Journal::with_ballast(8192);
        let mut one = empty.clone();
        one.append(7, 1);
        assert!(differ(&empty, &one) < 16);
        let mut mixed = one.clone();
        mixed.mix(7);
        assert!(differ(&one, &mixed) > 4000);
    }
}

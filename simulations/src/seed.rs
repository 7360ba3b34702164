//! The seed tree: every random draw of a run comes from one `u64`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use overlay_proto::Duration;

/// A node of the seed tree. Children are named, so that a draw added in one place does not
/// shift the draws in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The root of a run.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The child of this name.
    #[must_use]
    pub fn child(self, label: &str) -> Self {
        let folded = label
            .bytes()
            .fold(self.0 ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self(mix(folded))
    }

    /// The child of this number.
    #[must_use]
    pub fn nth(self, index: u64) -> Self {
        Self(mix(self.0.wrapping_add(mix(index))))
    }

    /// The value, to seed something else.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// A generator for this node's draws.
    #[must_use]
    pub fn dice(self) -> Dice {
        let mut key = [0; 32];
        for (index, chunk) in key.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&self.nth(index as u64).0.to_le_bytes());
        }
        Dice(ChaCha8Rng::from_seed(key))
    }
}

/// The finalizer of splitmix64: close seeds give distant children.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Seeded draws. The distributions are written here: those of a library may change with its
/// version, and with them every recorded seed.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Any `u64`.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; zero if `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// An index into something of this length; zero if that is empty.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// A duration from `low` to `high`, in whole microseconds.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_micros(self.between(micros(low), micros(high)))
    }

    /// An exponentially distributed duration with this mean.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        let factor = -libm::log(1.0 - self.unit());
        Duration::from_micros((micros(mean) as f64 * factor) as u64)
    }

    /// One of `items`, or `None` of none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Shuffles `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// Whole microseconds of a duration.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_numbers_and_children_differ() {
        let mut left = Seed::new(7).child("network").dice();
        let mut right = Seed::new(7).child("network").dice();
        assert!((0..100).all(|_| left.word() == right.word()));
        assert_ne!(Seed::new(7).child("network"), Seed::new(7).child("faults"));
        assert_ne!(Seed::new(7).nth(0), Seed::new(8).nth(0));
    }

    #[test]
    fn first_draw_of_a_seed_never_changes() {
        assert_eq!(Seed::new(1).dice().word(), 14_474_460_949_420_932_180);
    }

    #[test]
    fn exponential_has_its_mean() {
        let mut dice = Seed::new(1).dice();
        let mean = Duration::from_millis(100);
        let sum: u64 = (0..20_000).map(|_| micros(dice.exponential(mean))).sum();
        let average = sum / 20_000;
        assert!((97_000..103_000).contains(&average), "{average}");
    }

    #[test]
    fn between_stays_between() {
        let mut dice = Seed::new(3).dice();
        let draws: Vec<u64> = (0..1_000).map(|_| dice.between(5, 8)).collect();
        assert!(draws.iter().all(|draw| (5..=8).contains(draw)));
        assert!((5..=8).all(|wanted| draws.contains(&wanted)));
    }
}

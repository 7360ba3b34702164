//! How much a run tries.

use std::env;
use std::ops::Range;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The seeds to try: as many as `usual`, or as the environment variable `FUZZ_SEEDS` says,
/// beginning at 0, or where `FUZZ_FROM` says.
#[must_use]
pub fn seeds(usual: u64) -> Range<u64> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let from = number("FUZZ_FROM").unwrap_or(0);
    from..from.saturating_add(number("FUZZ_SEEDS").unwrap_or(usual))
}

/// The random numbers of a seed.
#[must_use]
pub fn dice(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

//! Noise for tests: what was recorded of real runs, altered at random but by seed.
//!
//! [`noisy`] alters bytes, for decoders; [`altered`] alters values that still decode, for what
//! comes after the decoders. [`seeds`] says how much of it a run tries.
#![forbid(unsafe_code)]

mod bytes;
mod seeds;
mod values;

pub use bytes::{noisy, swollen};
pub use seeds::{dice, seeds};
pub use values::altered;

pub use rand_chacha::ChaCha8Rng as Dice;

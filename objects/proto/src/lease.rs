//! Leases between pairs of processes, for reads that ask nobody (design section 7, modes).
//!
//! A *grant* is one process's promise to a primary: "for every object that I confirmed to you
//! in this generation, I promise no ballot to anybody else until so long after you asked." The
//! primary holds it as a *lease*, counted from when it asked and made shorter by
//! [`DRIFT_PERCENT`], so that it ends first as long as clocks keep their rates.
//!
//! One lease covers all objects of a pair. A *generation* ends when the grant lapses: what was
//! confirmed before may have been promised away since, and has to be confirmed again (design
//! review 1.6). Only time ends a grant, or its holder, by sealing the object; never a broken
//! link or a view.

mod given;
mod held;

use overlay_proto::Duration;

pub use self::given::Given;
pub use self::held::Held;

use crate::config::{Limits, Timings};

/// Share of its term by which a holder ends a lease early. It covers clocks that differ in rate
/// by half of that from true time, each to its own side.
pub const DRIFT_PERCENT: u32 = 3;

/// Longest term that is granted, whatever is asked for.
pub const TERM_MAX: Duration = Duration::from_secs(10);

/// What a process has granted, and what it holds.
#[derive(Debug)]
pub struct Leases {
    /// Granted to others.
    pub given: Given,
    /// Granted by others.
    pub held: Held,
    /// Asked for.
    pub term: Duration,
    /// Reads answered without asking anybody.
    pub answered: u64,
    /// Prepares of others put off until a grant ends.
    pub delayed: u64,
}

impl Leases {
    /// None given, none held.
    #[must_use]
    pub fn new(timings: &Timings, limits: &Limits) -> Self {
        Self {
            given: Given::new(limits.leased),
            held: Held::new(timings.lease_renewal, timings.lease_idle),
            term: timings.lease.min(TERM_MAX),
            answered: 0,
            delayed: 0,
        }
    }

    /// Whether anything waits for time to pass.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.given.is_empty() || !self.held.is_empty()
    }
}

/// How much of a term its holder may use.
#[must_use]
pub const fn usable(term: Duration) -> Duration {
    let micros = term.as_micros() as u64;
    Duration::from_micros(micros - micros * DRIFT_PERCENT as u64 / 100)
}

//! What every world measures of itself while it runs: who lives, and what travels.

use overlay_proto::{Duration, Instant};

use crate::traffic::{Protocol, Traffic};

/// Samples kept; then every second one is dropped and the next are taken half as often.
const SAMPLES_MAX: usize = 2_048;
const FIRST_PERIOD: Duration = Duration::from_millis(250);

/// The world at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// Processes that run, stopped ones among them.
    pub live: u32,
    /// Bytes sent so far by protocol, with envelopes; in the order of [`Protocol::ALL`].
    pub bytes: [u64; Protocol::ALL.len()],
}

/// Samples at even distances.
#[derive(Debug)]
pub struct Samples {
    taken: Vec<Sample>,
    period: Duration,
    next: Instant,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            taken: Vec::new(),
            period: FIRST_PERIOD,
            next: Instant::ZERO,
        }
    }
}

impl Samples {
    /// Whether it is time for a sample.
    pub(crate) fn due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Takes a sample.
    pub(crate) fn take(&mut self, at: Instant, live: u32, traffic: &Traffic) {
        let bytes = Protocol::ALL.map(|protocol| traffic.of(protocol));
        self.taken.push(Sample { at, live, bytes });
        if self.taken.len() >= SAMPLES_MAX {
            let mut place = 0..;
            self.taken.retain(|_| {
                place
                    .next()
                    .is_some_and(|place: u64| place.is_multiple_of(2))
            });
            self.period *= 2;
        }
        self.next = at + self.period;
    }

    /// The samples, oldest first.
    #[must_use]
    pub fn taken(&self) -> &[Sample] {
        &self.taken
    }
}

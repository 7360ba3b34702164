//! The node's clock: monotonic, anchored once to the time of day.
//!
//! Leases are measured with it, so it has to go on while the machine sleeps: a lease must not
//! outlive a sleep that its granter spent awake. `CLOCK_BOOTTIME` does that on Linux, where
//! `std::time::Instant` stands still. A virtual machine may be stopped together with all its
//! clocks; then only the time of day can show it, once somebody has corrected that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use overlay_proto::Instant;

/// The time of day may run ahead of the clock by so much more from one look to the next; beyond
/// it, the clock is taken to have stood still.
const STOOD_STILL: i64 = 500_000;

/// Microseconds since the Unix epoch, as this machine believed them when the node started, and
/// monotonic from there: it never jumps, and hosts agree on it as far as their clocks did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Duration,
    started_unix_micros: u64,
}

/// How far the time of day was ahead of the clock at one moment, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ahead(i64);

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: awake_and_asleep(),
            started_unix_micros: micros(time_of_day()),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        let elapsed = awake_and_asleep().saturating_sub(self.started);
        Instant::from_micros(self.started_unix_micros) + elapsed
    }

    /// Compares the clock, which showed `now` just before, with the time of day.
    pub(crate) fn compare(now: Instant) -> Ahead {
        let signed = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
        Ahead(signed(micros(time_of_day())) - signed(now.as_micros()))
    }
}

impl Ahead {
    /// Whether the clock stood still between `before` and this.
    pub(crate) const fn stood_still_since(self, before: Self) -> bool {
        self.0.saturating_sub(before.0) > STOOD_STILL
    }
}

fn time_of_day() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Time since the machine started, sleep included.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn awake_and_asleep() -> Duration {
    elapsed(rustix::time::ClockId::Boottime)
}

/// Time since the machine started, sleep included: what Apple's kernels call monotonic.
#[cfg(target_vendor = "apple")]
fn awake_and_asleep() -> Duration {
    elapsed(rustix::time::ClockId::Monotonic)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn elapsed(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Time since this was first asked. Whether it goes on in sleep is up to the system: on Windows
/// it does.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn awake_and_asleep() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_go_back() {
        let clock = Clock::start();
        let earlier = clock.now();
        assert!(clock.now() >= earlier);
    }

    #[test]
    fn a_clock_that_stood_still_is_noticed_and_one_that_is_corrected_back_is_not() {
        let before = Ahead(1_000);
        assert!(Ahead(501_001).stood_still_since(before));
        assert!(!Ahead(501_000).stood_still_since(before));
        assert!(!Ahead(-9_000_000).stood_still_since(before));
    }
}

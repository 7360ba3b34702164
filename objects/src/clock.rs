//! The node's clock: monotonic, anchored once to the time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use overlay_proto::Instant;

/// Microseconds since the Unix epoch, as this machine believed them when the node started, and
/// monotonic from there: it never jumps, and hosts agree on it as far as their clocks did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: std::time::Instant,
    started_unix_micros: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: std::time::Instant::now(),
            started_unix_micros: u64::try_from(unix.as_micros()).unwrap_or(0),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.started_unix_micros) + self.started.elapsed()
    }
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
}

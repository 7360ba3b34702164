//! One member that this node watches: its round-trip times, the probe under way, its record.

use super::reliability::Reliability;
use crate::config::MembershipConfig;
use crate::time::{Duration, Instant};

/// A member that we watch.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// Smoothed round-trip time, once there was one.
    srtt: Option<Duration>,
    /// Its mean deviation.
    rttvar: Duration,
    /// The probe under way.
    pub(super) attempt: Option<Attempt>,
    /// How often our doubts were refuted since it last answered.
    pub(super) refuted: u32,
    /// Until then our doubts are kept back.
    pub(super) muted_until: Instant,
    /// When our doubt was last published.
    suspected_at: Option<Instant>,
    /// How often it answers in time.
    pub(super) reliability: Reliability,
}

#[derive(Debug)]
pub(super) struct Attempt {
    /// Tells its answer.
    pub(super) nonce: u64,
    /// When it left.
    pub(super) sent_at: Instant,
    /// When it is overdue.
    pub(super) deadline: Instant,
    /// Helpers that have not reported, once there are any.
    pub(super) helpers: Option<usize>,
}

impl Edge {
    /// How long to wait for an answer to a direct probe.
    pub(super) fn timeout(&self, config: &MembershipConfig) -> Duration {
        let estimate = self
            .srtt
            .map_or(config.probe_timeout_max, |srtt| srtt + self.rttvar * 4);
        estimate.clamp(config.probe_timeout_min, config.probe_timeout_max)
    }

    /// Whether a doubt that we published before should be published again, `after` that time.
    pub(super) fn repeat_doubt(&mut self, now: Instant, after: Duration) -> bool {
        let repeat = self.suspected_at.is_none_or(|at| now.since(at) >= after);
        if repeat {
            self.suspected_at = Some(now);
        }
        repeat
    }

    /// A doubt of ours was refuted: the next one waits, twice as long each time.
    pub(super) fn mute(&mut self, now: Instant, period: Duration) {
        self.refuted = self.refuted.saturating_add(1);
        self.muted_until = now + period * (1 << self.refuted.min(5));
    }

    /// Takes a round-trip time into the estimate (Jacobson and Karels 1988).
    pub(super) fn sample(&mut self, rtt: Duration) {
        match self.srtt {
            None => {
                self.srtt = Some(rtt);
                self.rttvar = rtt / 2;
            }
            Some(srtt) => {
                self.rttvar = (self.rttvar * 3 + srtt.abs_diff(rtt)) / 4;
                self.srtt = Some((srtt * 7 + rtt) / 8);
            }
        }
    }
}

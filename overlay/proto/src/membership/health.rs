//! How well this node itself is doing: a slow observer distrusts its own probes (Lifeguard,
//! Dadgar et al. 2018).

use crate::time::Duration;

/// The local health multiplier.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalHealth {
    score: u32,
    max: u32,
}

impl LocalHealth {
    /// In good health; the score never exceeds `max`.
    #[must_use]
    pub(super) fn new(max: u32) -> Self {
        Self { score: 0, max }
    }

    /// A probe of ours was answered in time.
    pub(super) fn improve(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// A probe of ours failed, a suspicion of ours was refuted, or a timer came late.
    pub(super) fn worsen(&mut self) {
        self.score = self.max.min(self.score + 1);
    }

    /// `timeout` as long as our health makes it.
    #[must_use]
    pub(super) fn stretch(&self, timeout: Duration) -> Duration {
        timeout * (1 + self.score)
    }
}

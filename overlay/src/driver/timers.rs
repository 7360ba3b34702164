//! Timers of the event loop, in one ordered map.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Hands values back when they are due.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeMap<(Instant, u64), T>,
    next: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Timers<T> {
    /// Adds a timer.
    pub(super) fn set(&mut self, timer: T, after: Duration) {
        self.next += 1;
        self.due.insert((Instant::now() + after, self.next), timer);
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next one that is due by `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<T> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_back_in_order_and_not_early() {
        let mut timers = Timers::default();
        timers.set("second", Duration::from_secs(20));
        timers.set("first", Duration::from_secs(10));
        timers.set("first too", Duration::from_secs(10));
        let now = Instant::now();
        assert_eq!(timers.pop(now), None);
        assert!(
            timers
                .next_due()
                .is_some_and(|due| due <= now + Duration::from_secs(10))
        );
        let first: Vec<_> =
            std::iter::from_fn(|| timers.pop(now + Duration::from_secs(15))).collect();
        assert_eq!(first, ["first", "first too"]);
        assert_eq!(timers.pop(now + Duration::from_secs(25)), Some("second"));
    }
}

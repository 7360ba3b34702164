//! The machine's timers: one task per node, woken only for the earliest of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use objects_proto::machine::Timer;
use overlay_proto::{Duration, Instant};
use tokio::sync::Notify;

/// Timers that are set, by when they are due.
#[derive(Default)]
pub(crate) struct Timers {
    set: Mutex<Set>,
    earlier: Notify,
}

#[derive(Default)]
struct Set {
    due: BTreeMap<(Instant, u64), Timer>,
    count: u64,
}

impl Timers {
    /// Sets a timer; the task is woken only if it is the earliest.
    pub(crate) fn set(&self, timer: Timer, at: Instant) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (at, set.count);
        set.count += 1;
        set.due.insert(key, timer);
        let earliest = set
            .due
            .first_key_value()
            .is_some_and(|(first, _)| *first == key);
        drop(set);
        if earliest {
            self.earlier.notify_one();
        }
    }

    /// Wakes the task now.
    pub(crate) fn wake(&self) {
        self.earlier.notify_one();
    }

    /// Takes every timer that is due.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<Timer> {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let later = set.due.split_off(&(now + Duration::from_micros(1), 0));
        std::mem::replace(&mut set.due, later)
            .into_values()
            .collect()
    }

    /// Waits until a timer is due or becomes the earliest, `at_most` long.
    pub(crate) async fn wait(&self, now: Instant, at_most: Duration) {
        let first = {
            let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
            set.due.first_key_value().map(|((at, _), _)| at.since(now))
        };
        let pause = first.map_or(at_most, |first| first.min(at_most));
        let _ = tokio::time::timeout(pause, self.earlier.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_back_when_due_and_in_order() {
        let timers = Timers::default();
        timers.set(Timer::Repair, Instant::from_micros(20));
        timers.set(Timer::Tick, Instant::from_micros(10));
        assert_eq!(timers.take_due(Instant::from_micros(9)), []);
        assert_eq!(
            timers.take_due(Instant::from_micros(20)),
            [Timer::Tick, Timer::Repair]
        );
        assert_eq!(timers.take_due(Instant::from_micros(99)), []);
    }

    #[tokio::test]
    async fn an_earlier_timer_wakes_the_waiting_task() {
        let timers = Timers::default();
        let hour = Duration::from_secs(3600);
        let wait = timers.wait(Instant::ZERO, hour);
        let set = async { timers.set(Timer::Tick, Instant::from_micros(1)) };
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(wait, set) })
            .await
            .expect("woken by the timer that was set");
    }
}

//! Processes to which no link could be made lately.
//!
//! A register sends again what was not answered, so a message to such a process is a dial that
//! fails, for each object that has a replica there. It is left out until a pause is over, which
//! grows with each failure. That is a lost message, and no verdict about the process.

use alloc::collections::BTreeMap;

use overlay_proto::{Duration, Instant, ProcessId, Table};

/// Half the pause after a second failure; doubled with each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Processes that are remembered as out of reach; further ones are sent to.
const UNREACHED_MAX: usize = 1_024;

/// Who is out of reach, and until when that is believed.
#[derive(Debug, Default)]
pub struct Reach {
    unreached: BTreeMap<ProcessId, Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Reach {
    /// How full its table is.
    pub(crate) fn table(&self) -> Table {
        Table::new("unreached", self.unreached.len(), UNREACHED_MAX)
    }

    /// A link with this process could not be made.
    pub(crate) fn failed(&mut self, now: Instant, process: ProcessId) {
        let before = self.unreached.get(&process).copied();
        if before.is_none() && self.unreached.len() >= UNREACHED_MAX {
            self.unreached.retain(|_, pause| pause.until > now);
            if self.unreached.len() >= UNREACHED_MAX {
                return;
            }
        }
        let pause = match before {
            // Once may be chance: the next message is a second attempt.
            None => Pause {
                until: now,
                length: PAUSE,
            },
            Some(before) => {
                let length = (before.length * 2).min(PAUSE_MAX);
                let until = now + length;
                Pause { until, length }
            }
        };
        self.unreached.insert(process, pause);
    }

    /// The process was heard, or a link with it is up. Whether it had been out of reach.
    pub(crate) fn heard(&mut self, process: &ProcessId) -> bool {
        !self.unreached.is_empty() && self.unreached.remove(process).is_some()
    }

    /// Whether a message to this process is worth a dial now; of those out of reach, once a pause.
    pub(crate) fn tries(&mut self, now: Instant, process: &ProcessId) -> bool {
        let Some(pause) = self.unreached.get_mut(process) else {
            return true;
        };
        let over = pause.until <= now;
        if over {
            pause.until = now + pause.length;
        }
        over
    }

    /// Whether the last attempt to reach this process failed.
    pub(crate) fn misses(&self, process: &ProcessId) -> bool {
        self.unreached.contains_key(process)
    }

    /// Whether nobody is out of reach.
    pub(crate) fn is_whole(&self) -> bool {
        self.unreached.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(number: u64) -> ProcessId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        ProcessId {
            peer: PeerId(id),
            incarnation: Incarnation(1),
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn a_process_that_cannot_be_reached_is_tried_ever_more_rarely_and_heard_at_once() {
        let mut reach = Reach::default();
        reach.failed(at(0), process(1));
        assert!(reach.tries(at(0), &process(1)), "once may be chance");
        assert!(!reach.tries(at(99), &process(1)));
        assert!(reach.tries(at(100), &process(1)));
        assert!(!reach.tries(at(100), &process(1)), "one message is enough");
        assert!(reach.tries(at(0), &process(2)));
        for _ in 0..10 {
            reach.failed(at(100), process(1));
        }
        assert!(!reach.tries(at(2_099), &process(1)));
        assert!(reach.tries(at(2_100), &process(1)));
        assert!(reach.heard(&process(1)) && reach.is_whole());
        assert!(reach.tries(at(0), &process(1)));
    }

    #[test]
    fn beyond_the_limit_nobody_is_held_back() {
        let mut reach = Reach::default();
        for number in 0..=UNREACHED_MAX as u64 {
            reach.failed(at(0), process(number));
            assert!(reach.tries(at(0), &process(number)));
        }
        assert!(reach.table().holds());
        for _ in 0..2 {
            assert!(reach.tries(at(1), &process(UNREACHED_MAX as u64)));
        }
        reach.failed(at(200), process(UNREACHED_MAX as u64));
        assert!(reach.tries(at(200), &process(UNREACHED_MAX as u64)));
        assert!(!reach.tries(at(201), &process(UNREACHED_MAX as u64)));
    }
}

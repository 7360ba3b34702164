//! How often members of replica sets crash and how soon they are replaced, and how many sets
//! should lose their majority then.
//!
//! Source: reliability research 6.4, formula 1: with crashes at the rate μ per process and a mean
//! time R until a crashed member is replaced, one set of three loses its majority at the rate
//! 6·μ²·R.

use std::collections::BTreeMap;

use objects_proto::object::Configuration;
use overlay_proto::{Duration, Instant, ProcessId};

/// What was seen of crashes and repairs.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    /// Crashed members that an object's set still names, by object.
    open: BTreeMap<(usize, ProcessId), Instant>,
    took: Vec<Duration>,
    crashes: u64,
    live: u32,
    since: Instant,
    process_seconds: f64,
}

impl Repairs {
    /// So many processes run from now on.
    pub(super) fn live(&mut self, now: Instant, live: u32) {
        self.process_seconds += f64::from(self.live) * now.since(self.since).as_secs_f64();
        self.live = live;
        self.since = now;
    }

    /// A process crashed.
    pub(super) fn crashed(&mut self) {
        self.crashes += 1;
    }

    /// A member of an object's set crashed.
    pub(super) fn lost(&mut self, now: Instant, object: usize, member: ProcessId) {
        self.open.insert((object, member), now);
    }

    /// An object has a new set.
    pub(super) fn replaced(&mut self, now: Instant, object: usize, set: &Configuration) {
        let took = &mut self.took;
        self.open.retain(|(one, member), since| {
            let gone = *one == object && set.index_of(member).is_none();
            if gone {
                took.push(now.since(*since));
            }
            !gone
        });
    }

    /// How long it took to replace the crashed members that were replaced; zero if none was.
    #[must_use]
    pub(super) fn mean(&self) -> Duration {
        let count = u32::try_from(self.took.len()).unwrap_or(u32::MAX);
        let all: Duration = self.took.iter().copied().sum();
        all.checked_div(count).unwrap_or_default()
    }

    /// How long each of them took, milliseconds.
    pub(super) fn millis(&self) -> impl Iterator<Item = f64> {
        self.took.iter().map(|took| took.as_secs_f64() * 1e3)
    }

    /// How many of `sets` sets of three should have lost their majority after this time. A set
    /// loses it once.
    #[must_use]
    pub(super) fn expected(&self, sets: usize, within: Duration) -> f64 {
        let rate = self.crashes as f64 / self.process_seconds.max(1.0);
        let one = 6.0 * rate * rate * self.mean().as_secs_f64();
        sets as f64 * (1.0 - libm::exp(-one * within.as_secs_f64()))
    }
}

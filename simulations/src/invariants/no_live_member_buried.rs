//! No process that runs is declared dead, or if faults excuse that, it is soon alive again.
//!
//! Source: Lifeguard (Dadgar, Phillips and Currey, DSN 2018), false positives and their
//! refutation.

use std::collections::BTreeMap;

use overlay_proto::{Duration, Instant, ProcessId};

/// The invariant's name in reports.
pub const NAME: &str = "no_live_member_buried";

/// Burials of processes that ran at the time.
#[derive(Debug, Default)]
pub struct NoLiveMemberBuried {
    strict: bool,
    open: BTreeMap<(ProcessId, ProcessId), Instant>,
    /// Burials so far that faults excused.
    pub excused: u64,
}

impl NoLiveMemberBuried {
    /// Strict where nothing in the run excuses a burial: no pauses, no cuts, little loss.
    #[must_use]
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            ..Self::default()
        }
    }

    /// `observer` declared a process dead that runs.
    ///
    /// # Errors
    /// In words, if nothing excuses that.
    pub fn buried(
        &mut self,
        now: Instant,
        observer: ProcessId,
        process: ProcessId,
    ) -> Result<(), String> {
        if self.strict {
            return Err(format!("{observer} buried {process}, which runs"));
        }
        self.excused += 1;
        self.open.insert((observer, process), now);
        Ok(())
    }

    /// `process` is in `observer`'s view again.
    pub fn revived(&mut self, observer: ProcessId, process: ProcessId) {
        self.open.remove(&(observer, process));
    }

    /// A process ended: what others think of it, and what it thought of others, counts no more.
    pub fn ended(&mut self, process: ProcessId) {
        self.open
            .retain(|(observer, buried), _| *observer != process && *buried != process);
    }

    /// Whether each burial was refuted within `bound`, counted from `calm` at the earliest:
    /// since then there was no fault that could keep the refutation away.
    ///
    /// # Errors
    /// In words, if one was not.
    pub fn check(&self, now: Instant, calm: Instant, bound: Duration) -> Result<(), String> {
        for ((observer, process), at) in &self.open {
            if now.since((*at).max(calm)) > bound {
                return Err(format!(
                    "{observer} buried {process} at {at:?} and has not taken it back"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(n: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([n; 32]),
            incarnation: Incarnation(1),
        }
    }

    #[test]
    fn strict_runs_allow_none() {
        let mut strict = NoLiveMemberBuried::new(true);
        assert!(
            strict
                .buried(Instant::ZERO, process(1), process(2))
                .is_err()
        );
    }

    #[test]
    fn others_must_be_refuted_in_time() {
        let bound = Duration::from_secs(10);
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut invariant = NoLiveMemberBuried::new(false);
        assert!(invariant.buried(at(1), process(1), process(2)).is_ok());
        assert!(invariant.check(at(30), at(25), bound).is_ok());
        assert!(invariant.check(at(40), at(25), bound).is_err());
        invariant.revived(process(1), process(2));
        assert!(invariant.check(at(40), at(25), bound).is_ok());
        assert!(invariant.buried(at(41), process(1), process(2)).is_ok());
        invariant.ended(process(2));
        assert!(invariant.check(at(100), at(25), bound).is_ok());
    }
}

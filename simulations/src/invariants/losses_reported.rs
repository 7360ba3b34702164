//! In weak mode, what was acknowledged is lost only in the ways that are documented, and every
//! loss that somebody knows of is reported.
//!
//! Source: reliability research 3.5, `objects_proto::mode::Mode::Weak`.

use std::collections::BTreeMap;

use objects_proto::object::{Lineage, Version};
use overlay_proto::{Duration, Instant, ProcessId};

use crate::oracle::CallId;

/// The invariant's name in reports.
pub const NAME: &str = "losses_reported";

/// A primary that hears nobody executes nothing after this time: 10 s, and what answers that
/// were under way may add, for which a link waits up to 20 s.
const ISOLATED_WITHIN: Duration = Duration::from_secs(31);

/// What a dead primary may have answered and not shipped: 20 ms, a tick, and the way, while
/// nothing was disturbed.
const SHIPPED_WITHIN: Duration = Duration::from_secs(1);

/// The same while links may be repeating what was lost.
const SHIPPED_WITHIN_DISTURBED: Duration = Duration::from_secs(30);

/// Links are calm again so long after a disturbance.
const CALM_AFTER: Duration = Duration::from_secs(8);

/// One execution of a call.
#[derive(Clone, Copy, Debug)]
struct Execution {
    process: ProcessId,
    at: Instant,
    /// Since when the process executes without reaching any other member.
    alone_since: Option<Instant>,
    /// When it last did not reach all of them.
    disturbed: Option<Instant>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at: Instant,
    disturbed: Option<Instant>,
    /// Since when it had reached no other member, as the object's primary.
    cut_off: Option<Instant>,
}

/// What became of one weak object's calls.
#[derive(Debug, Default)]
pub struct Losses {
    executions: BTreeMap<CallId, Vec<Execution>>,
    alone_since: BTreeMap<ProcessId, Instant>,
    cut_off: BTreeMap<ProcessId, Instant>,
    disturbed: Option<Instant>,
    answered: BTreeMap<CallId, (Lineage, Version)>,
    reports: Vec<(Lineage, Version, Version)>,
    ended: BTreeMap<ProcessId, Ended>,
}

impl Losses {
    /// How many of the other members the object's primary reaches, and how many there are.
    pub fn reaches(&mut self, now: Instant, primary: ProcessId, reached: usize, others: usize) {
        if reached > 0 || others == 0 {
            self.is_no_primary(&primary);
        } else {
            self.cut_off.entry(primary).or_insert(now);
        }
        if reached < others {
            self.disturbed = Some(now);
        }
    }

    /// A process is not, or no longer, the object's primary.
    pub fn is_no_primary(&mut self, process: &ProcessId) {
        self.alone_since.remove(process);
        self.cut_off.remove(process);
    }

    /// Something else held a process up.
    pub fn disturb(&mut self, now: Instant) {
        self.disturbed = Some(now);
    }

    /// A process begins to execute a call; `alone` if it reaches no other member.
    pub fn executes(&mut self, now: Instant, process: ProcessId, call: CallId, alone: bool) {
        if alone {
            self.alone_since.entry(process).or_insert(now);
        }
        self.executions.entry(call).or_default().push(Execution {
            process,
            at: now,
            alone_since: self.alone_since.get(&process).copied(),
            disturbed: self.disturbed,
        });
    }

    /// Whether more than one process ran a call.
    #[must_use]
    pub fn ran_in_several(&self, call: CallId) -> bool {
        let ran = self.executions.get(&call).map_or(&[][..], Vec::as_slice);
        let first = ran.first().map(|one| one.process);
        ran.iter().any(|one| Some(one.process) != first)
    }

    /// A caller was told that its call took effect, and at which version.
    pub fn answered(&mut self, call: CallId, lineage: Lineage, version: Version) {
        self.answered.insert(call, (lineage, version));
    }

    /// A process reported that it discards the versions of a line from `since` to `until`.
    pub fn reported(&mut self, lineage: Lineage, since: Version, until: Version) {
        self.reports.push((lineage, since, until));
    }

    /// A process is no more.
    pub fn ended(&mut self, now: Instant, process: ProcessId) {
        let ended = Ended {
            at: now,
            disturbed: self.disturbed,
            cut_off: self.cut_off.get(&process).copied(),
        };
        self.ended.insert(process, ended);
    }

    /// Checks the calls that were answered against the log in the end. `left_out` are the lines,
    /// with their newest versions, of primaries that were replaced while they were cut off and
    /// have not been told: they report when somebody calls them. Returns how many were lost with
    /// a report, and how many without.
    ///
    /// # Errors
    /// In words, if one was lost in a way that is not documented.
    pub fn check(
        &self,
        log: &[CallId],
        lossy: bool,
        left_out: &[(Lineage, Version)],
    ) -> Result<(u64, u64), String> {
        let (mut reported, mut unreported) = (0, 0);
        for (call, place) in &self.answered {
            let executions = self.executions.get(call).map_or(&[][..], Vec::as_slice);
            if let Some(late) = executions.iter().find(|one| one.is_too_late()) {
                return Err(format!("call {call} was executed alone: {late:?}"));
            }
            if log.contains(call) {
                continue;
            }
            let (lineage, version) = *place;
            let still_held = left_out
                .iter()
                .any(|(line, newest)| *line >= lineage && version <= *newest);
            if self.is_reported(*place) {
                reported += 1;
            } else if still_held || executions.iter().any(|one| self.died_with(one, lossy)) {
                unreported += 1;
            } else {
                return Err(format!(
                    "call {call}, answered at {place:?}, is lost; reported: {:?}; {executions:?}",
                    self.reports
                ));
            }
        }
        Ok((reported, unreported))
    }

    fn is_reported(&self, (lineage, version): (Lineage, Version)) -> bool {
        let mut reports = self.reports.iter();
        reports.any(|(of, since, until)| lineage <= *of && *since < version && version <= *until)
    }

    /// The only process that held what it did may have died before it shipped it, or have been
    /// cut off before that, and have died before it reached anybody again.
    fn died_with(&self, execution: &Execution, lossy: bool) -> bool {
        let Some(ended) = self.ended.get(&execution.process) else {
            return false;
        };
        if execution.alone_since.is_some() {
            return true;
        }
        let last = ended.disturbed.max(execution.disturbed);
        let calm = !lossy && last.is_none_or(|at| at + CALM_AFTER < execution.at);
        let within = if calm {
            SHIPPED_WITHIN
        } else {
            SHIPPED_WITHIN_DISTURBED
        };
        let last = ended.cut_off.unwrap_or(ended.at).min(ended.at);
        last.since(execution.at) <= within
    }
}

impl Execution {
    fn is_too_late(&self) -> bool {
        let since = self.alone_since;
        since.is_some_and(|since| self.at.since(since) > ISOLATED_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    const LINE: Lineage = Lineage { number: 0, tag: 0 };

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn primary() -> ProcessId {
        ProcessId {
            peer: PeerId([1; 32]),
            incarnation: Incarnation(1),
        }
    }

    /// Call 1 was executed and answered in a calm world.
    fn answered(alone: bool) -> Losses {
        let mut losses = Losses::default();
        losses.executes(at(20), primary(), 1, alone);
        losses.answered(1, LINE, Version(5));
        losses
    }

    #[test]
    fn a_loss_needs_a_report_while_its_holder_lives() {
        let mut losses = answered(false);
        assert_eq!(losses.check(&[1], false, &[]), Ok((0, 0)));
        assert!(losses.check(&[], false, &[]).is_err());
        losses.reported(LINE, Version(5), Version(9));
        assert!(losses.check(&[], false, &[]).is_err(), "of other versions");
        losses.reported(LINE, Version(4), Version(5));
        assert_eq!(losses.check(&[], false, &[]), Ok((1, 0)));
    }

    #[test]
    fn a_dead_primary_takes_its_last_second_with_it_and_no_more() {
        let mut losses = answered(false);
        losses.ended(at(21), primary());
        assert_eq!(losses.check(&[], false, &[]), Ok((0, 1)));
        losses.ended(at(22), primary());
        assert!(losses.check(&[], false, &[]).is_err());
        assert_eq!(losses.check(&[], true, &[]), Ok((0, 1)));
        let mut cut_off = answered(true);
        cut_off.ended(at(60), primary());
        assert_eq!(cut_off.check(&[], false, &[]), Ok((0, 1)));
    }

    #[test]
    fn a_primary_that_never_came_back_takes_what_it_answered_last_with_it() {
        let mut losses = answered(false);
        losses.reaches(at(21), primary(), 0, 2);
        losses.reaches(at(40), primary(), 0, 2);
        losses.ended(at(60), primary());
        assert_eq!(losses.check(&[], false, &[]), Ok((0, 1)));
        let mut back = answered(false);
        back.reaches(at(21), primary(), 0, 2);
        back.reaches(at(40), primary(), 1, 2);
        back.reaches(at(80), primary(), 0, 2);
        back.ended(at(90), primary());
        assert!(back.check(&[], false, &[]).is_err());
    }

    #[test]
    fn a_primary_that_hears_nobody_must_stop() {
        let mut losses = answered(true);
        losses.executes(at(52), primary(), 2, true);
        losses.answered(2, LINE, Version(6));
        assert!(losses.check(&[1, 2], false, &[]).is_err());
    }
}

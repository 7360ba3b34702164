//! How often a watched member answers in time, over its last probes.
//!
//! A late answer shows that a member lives, not that it can be worked with: over a connection,
//! loss is delay. So an observer also looks at the share of probes that were answered in time
//! (Rapid, Suresh et al. 2018, which alerts when 40 % of the last 10 failed; here 3
//! do, as a member in good health can still refute). An unbroken
//! silence counts once, however long: that is a crash or a cut, which suspicion deals with, and
//! after which a member is as good as before.

use crate::time::{Duration, Instant};

/// Probes that are remembered.
const WINDOW: u32 = 10;
/// Failures among them from which on an edge fails.
const FAILING: u32 = 3;
/// Failures among them up to which a failing edge is sound again.
const SOUND: u32 = 1;

/// The record of one edge.
#[derive(Debug, Default)]
pub(super) struct Reliability {
    /// One bit for each of the last probes, the newest lowest; set if it failed.
    failures: u16,
    failing: bool,
    silent: bool,
    question: Option<Question>,
}

#[derive(Debug)]
struct Question {
    nonce: u64,
    asked_at: Instant,
}

impl Reliability {
    /// Whether too many of the last probes failed.
    #[must_use]
    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    /// Whether any of the last probes failed: it is to be probed although it is heard.
    #[must_use]
    pub(super) fn is_doubtful(&self) -> bool {
        self.failures != 0
    }

    /// A probe leaves. One at a time is judged; returns whether it is this one.
    pub(super) fn ask(&mut self, now: Instant, nonce: u64) -> bool {
        let free = self.question.is_none();
        if free {
            self.question = Some(Question {
                nonce,
                asked_at: now,
            });
        }
        free
    }

    /// An answer came. It is in time up to `limit` after the probe.
    pub(super) fn answered(&mut self, now: Instant, nonce: u64, limit: Duration) {
        let question = self.question.take_if(|question| question.nonce == nonce);
        if let Some(question) = question {
            self.silent = false;
            self.judged(now.since(question.asked_at) > limit);
        }
    }

    /// No answer came yet; `heard`: when anything last came from the member.
    pub(super) fn conclude(&mut self, now: Instant, heard: Option<Instant>, limit: Duration) {
        let overdue = |question: &mut Question| now.since(question.asked_at) > limit;
        let Some(question) = self.question.take_if(overdue) else {
            return;
        };
        let silent = heard.is_none_or(|at| at <= question.asked_at);
        if !(silent && self.silent) {
            self.judged(true);
        }
        self.silent = silent;
    }

    /// This node itself was slow: the probe under way tells nothing.
    pub(super) fn forgive(&mut self) {
        self.question = None;
    }

    fn judged(&mut self, failed: bool) {
        self.failures = (self.failures << 1 | u16::from(failed)) & ((1 << WINDOW) - 1);
        let failures = self.failures.count_ones();
        self.failing = failures >= FAILING || (self.failing && failures > SOUND);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    /// What comes of probes every 2.5 s that are answered after so many seconds; none: never,
    /// and `heard` meanwhile or not.
    fn after(answers: &[(Option<f64>, bool)]) -> Reliability {
        let mut edge = Reliability::default();
        for (round, (answer, heard)) in (1_u64..).zip(answers) {
            let asked = Instant::from_micros(round * 2_500_000);
            assert!(edge.ask(asked, round));
            if let Some(seconds) = answer {
                edge.answered(asked + Duration::from_secs_f64(*seconds), round, LIMIT);
            }
            let heard = heard.then(|| asked + LIMIT);
            edge.conclude(asked + LIMIT * 2, heard, LIMIT);
        }
        edge
    }

    const IN_TIME: (Option<f64>, bool) = (Some(0.1), true);
    const LATE: (Option<f64>, bool) = (Some(1.5), true);
    const MISSED: (Option<f64>, bool) = (None, true);
    const SILENT: (Option<f64>, bool) = (None, false);

    #[test]
    fn late_and_missing_answers_fail_an_edge_that_is_heard() {
        assert!(!after(&[LATE, IN_TIME, MISSED]).is_failing());
        assert!(after(&[LATE, MISSED, IN_TIME, LATE, IN_TIME, MISSED]).is_failing());
    }

    #[test]
    fn an_unbroken_silence_counts_once() {
        let edge = after(&[SILENT; 30]);
        assert!(edge.is_doubtful() && !edge.is_failing());
        let flapping = [[SILENT, SILENT, IN_TIME]; 4].concat();
        assert!(after(&flapping).is_failing());
    }

    #[test]
    fn a_failing_edge_is_sound_only_after_it_held_for_long() {
        let held = |rounds| [vec![LATE; 5], vec![IN_TIME; rounds]].concat();
        assert!(after(&held(8)).is_failing(), "two failures still count");
        assert!(!after(&held(9)).is_failing());
    }

    #[test]
    fn one_late_answer_in_five_is_enough_to_watch_closely_and_not_to_fail() {
        let edge = after(&[[LATE, IN_TIME, IN_TIME, IN_TIME, IN_TIME]; 5].concat());
        assert!(edge.is_doubtful() && !edge.is_failing());
    }

    #[test]
    fn a_probe_during_which_this_node_slept_tells_nothing() {
        let mut edge = Reliability::default();
        edge.ask(Instant::from_micros(1), 1);
        edge.forgive();
        edge.conclude(Instant::from_micros(9_000_000), None, LIMIT);
        assert!(!edge.is_doubtful());
    }
}

//! When suspicions become deaths: votes of observers, lifetimes, storms.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::MembershipConfig;
use crate::id::ProcessId;
use crate::tables::Table;
use crate::time::{Duration, Instant};

/// Observers that one suspicion remembers.
const VOTES_MAX: usize = 16;

/// The doubts about one process.
#[derive(Debug)]
struct Suspicion {
    since: Instant,
    renewed: Instant,
    votes: BTreeMap<ProcessId, bool>,
    certified: bool,
    sequence: u64,
    /// When another member was asked about it.
    asked_at: Option<Instant>,
    due_at: Option<Instant>,
}

/// All processes in doubt.
#[derive(Debug)]
pub(super) struct Suspicions {
    config: Arc<MembershipConfig>,
    cases: BTreeMap<ProcessId, Suspicion>,
    newest: Instant,
}

/// What is to be done now about the processes in doubt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdicts {
    /// Soon to be declared dead: others may know better.
    pub(super) ask: Vec<ProcessId>,
    /// To be declared dead.
    pub(super) dead: Vec<ProcessId>,
    /// Too few observers doubted them for too long: in good standing again.
    pub(super) acquitted: Vec<ProcessId>,
    /// A storm held back at least one declaration.
    pub(super) storm: bool,
}

impl Suspicions {
    /// No doubts.
    #[must_use]
    pub(super) fn new(config: Arc<MembershipConfig>) -> Self {
        Self {
            config,
            cases: BTreeMap::new(),
            newest: Instant::ZERO,
        }
    }

    /// How full its tables are: each case is of a known member.
    pub(super) fn tables(&self) -> [Table; 2] {
        let votes = self.cases.values().map(|case| case.votes.len()).max();
        let cases = self.cases.len();
        [
            Table::new("suspicions.cases", cases, self.config.members_max),
            Table::new("suspicions.votes", votes.unwrap_or_default(), VOTES_MAX),
        ]
    }

    /// Whether nobody is in doubt.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Whether this process is in doubt.
    #[must_use]
    pub(super) fn contains(&self, process: &ProcessId) -> bool {
        self.cases.contains_key(process)
    }

    /// Whether `observer` doubts `process`.
    #[must_use]
    pub(super) fn has_vote(&self, process: &ProcessId, observer: &ProcessId) -> bool {
        self.cases
            .get(process)
            .is_some_and(|case| case.votes.contains_key(observer))
    }

    /// `observer` doubts `process`; `refused`: because its address refused a connection.
    /// Whether that is more than `observer` said before.
    pub(super) fn vote(
        &mut self,
        now: Instant,
        process: ProcessId,
        observer: ProcessId,
        refused: bool,
    ) -> bool {
        let case = self.case(now, process);
        case.renewed = now;
        let full = case.votes.len() >= VOTES_MAX;
        match case.votes.get_mut(&observer) {
            Some(before) => !core::mem::replace(before, *before || refused) && refused,
            None if full => false,
            None => case.votes.insert(observer, refused).is_none(),
        }
    }

    /// Whether `process` is in doubt and too few others, in a view of `living` members, said that
    /// it refused them.
    pub(super) fn lacks_votes(&self, process: &ProcessId, living: usize) -> bool {
        self.cases.get(process).is_some_and(|case| {
            let observers = self.observers(living);
            let refused = case.votes.values().filter(|refused| **refused).count();
            !case.certified && refused <= self.config.observers.min(observers)
        })
    }

    /// The doubts concern `process` up to this sequence: a record up to it does not refute them.
    pub(super) fn concerns(&mut self, process: &ProcessId, sequence: u64) {
        if let Some(case) = self.cases.get_mut(process) {
            case.sequence = case.sequence.max(sequence);
        }
    }

    /// The sequence that a refutation must exceed, if `process` is in doubt.
    pub(super) fn sequence(&self, process: &ProcessId) -> Option<u64> {
        self.cases.get(process).map(|case| case.sequence)
    }

    /// `observer` says that enough others declared `process` dead.
    pub(super) fn certify(&mut self, now: Instant, process: ProcessId, observer: ProcessId) {
        self.vote(now, process, observer, false);
        self.case(now, process).certified = true;
    }

    /// `observer` takes its doubt back. Whether nobody doubts `process` any more.
    pub(super) fn withdraw(&mut self, process: &ProcessId, observer: &ProcessId) -> bool {
        let Some(case) = self.cases.get_mut(process) else {
            return false;
        };
        case.votes.remove(observer);
        let settled = case.votes.is_empty();
        if settled {
            self.cases.remove(process);
        }
        settled
    }

    /// `process` refuted, died, left or was replaced.
    pub(super) fn close(&mut self, process: &ProcessId) {
        self.cases.remove(process);
    }

    /// This node itself slept for `pause`: nobody could reach it with a refutation.
    pub(super) fn postpone(&mut self, pause: Duration) {
        for case in self.cases.values_mut() {
            case.since = case.since + pause;
            case.renewed = case.renewed + pause;
            case.asked_at = case.asked_at.map(|at| at + pause);
            case.due_at = case.due_at.map(|due| due + pause);
        }
    }

    /// Decides, in a view of `living` members. The caller closes the cases decided.
    pub(super) fn decide(&mut self, now: Instant, living: usize) -> Verdicts {
        let observers = self.observers(living);
        let storm = self.cases.len() >= self.storm_threshold(living);
        let mut verdicts = Verdicts::default();
        let mut held = false;
        for (process, case) in &mut self.cases {
            let age = now.since(case.since);
            let opinion = self.config.second_opinion;
            let waits = case.waits(&self.config, observers);
            if let Some(wait) = waits.filter(|wait| age + opinion >= *wait) {
                if storm && age < self.config.storm_patience {
                    verdicts.storm |= age >= wait;
                    continue;
                }
                if !wait.is_zero() && case.asked_at.is_none() {
                    case.asked_at = Some(now);
                    verdicts.ask.push(*process);
                }
                if age >= wait && now >= case.answered_at(wait, opinion) {
                    let due_at = *case.due_at.get_or_insert(now);
                    held |= now.since(due_at) >= self.config.hold_max;
                    verdicts.dead.push(*process);
                }
            } else if now.since(case.renewed) >= suspicion_max(&self.config) * 2 {
                verdicts.acquitted.push(*process);
            }
        }
        if now.since(self.newest) < self.config.hold_quiet && !held {
            verdicts.dead.clear();
        }
        verdicts
    }

    /// When the next of them is decided, unless others doubt meanwhile, in a view of `living`
    /// members.
    pub(super) fn next_due(&self, living: usize) -> Option<Instant> {
        let observers = self.observers(living);
        let storm = self.cases.len() >= self.storm_threshold(living);
        let patience = if storm {
            self.config.storm_patience
        } else {
            Duration::ZERO
        };
        let quiet = self.newest + self.config.hold_quiet;
        let opinion = self.config.second_opinion;
        let due = |case: &Suspicion| match case.waits(&self.config, observers) {
            Some(wait) if !wait.is_zero() && case.asked_at.is_none() => {
                case.since + wait.max(patience).saturating_sub(opinion)
            }
            Some(wait) => (case.since + wait.max(patience))
                .max(case.answered_at(wait, opinion))
                .max(quiet),
            None => case.renewed + suspicion_max(&self.config) * 2,
        };
        self.cases.values().map(due).min()
    }

    /// How many of `living` members could observe one of those in doubt.
    fn observers(&self, living: usize) -> usize {
        living.saturating_sub(self.cases.len()).max(1)
    }

    /// Suspects that make a storm in a view of `living` members.
    fn storm_threshold(&self, living: usize) -> usize {
        let part = (living * self.config.storm_percent).div_ceil(100);
        part.max(self.config.storm_suspects_min)
    }

    fn case(&mut self, now: Instant, process: ProcessId) -> &mut Suspicion {
        let newest = &mut self.newest;
        self.cases.entry(process).or_insert_with(|| {
            *newest = now;
            Suspicion {
                since: now,
                renewed: now,
                votes: BTreeMap::new(),
                certified: false,
                sequence: 0,
                asked_at: None,
                due_at: None,
            }
        })
    }
}

impl Suspicion {
    /// How long it must last, if enough observers doubt, when `observers` could.
    fn waits(&self, config: &MembershipConfig, observers: usize) -> Option<Duration> {
        let required = config.observers.min(observers);
        let refused = self.votes.values().filter(|refused| **refused).count();
        let enough = self.certified || self.votes.len() >= required;
        enough.then(|| {
            if refused >= required {
                Duration::ZERO
            } else {
                self.lifetime(config, observers, refused)
            }
        })
    }

    /// By when those asked have answered; nobody is asked about a process that waits no time.
    fn answered_at(&self, wait: Duration, opinion: Duration) -> Instant {
        let asked_at = self.asked_at.filter(|_| !wait.is_zero());
        asked_at.map_or(Instant::ZERO, |at| at + opinion)
    }

    /// How long it lasts: the more observers doubt, the shorter (Lifeguard).
    fn lifetime(&self, config: &MembershipConfig, observers: usize, refused: usize) -> Duration {
        let min = config.suspicion_min;
        let expected = observers.min(config.rings).saturating_sub(1).min(2);
        let confirmations = self.votes.len().saturating_sub(1);
        if self.certified || refused > 0 || confirmations >= expected {
            return min;
        }
        let share = libm::log((confirmations + 1) as f64) / libm::log((expected + 1) as f64);
        let max = suspicion_max(config);
        let longer = max
            .saturating_sub(min)
            .mul_f64((1.0 - share).clamp(0.0, 1.0));
        min + longer
    }
}

fn suspicion_max(config: &MembershipConfig) -> Duration {
    config.suspicion_min * config.suspicion_max_factor
}

//! What came of many runs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::coverage;
use crate::report::Report;

/// Invariants that say that something ends or is served again: what they find is stuck, not
/// wrong.
const LIVENESS: [&str; 4] = [
    "every_call_ends",
    "serves_after_heal",
    "one_line_goes_on",
    "view_converges",
];

/// What came of many runs of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The scenario's name.
    pub scenario: String,
    /// The command line that runs the first of them.
    pub command: String,
    /// The first seed.
    pub first: u64,
    /// Runs.
    pub seeds: u64,
    /// Calls on objects that were judged: each history was checked as a whole.
    pub ops: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Cuts between two groups of nodes, or from one node to another.
    pub partitions: u64,
    /// Processes that were stopped for a while.
    pub pauses: u64,
    /// Backups that became primary.
    pub takeovers: u64,
    /// Replica sets that were replaced.
    pub reconfigurations: u64,
    /// Runs in which something was wrong.
    pub violations: u64,
    /// Runs in which something did not end, or was not served again after the heal.
    pub stuck: u64,
    /// Events handled.
    pub events: u64,
    /// Simulated time, hours.
    pub simulated_hours: f64,
    /// How often each turn of events came that such runs must bring about.
    pub coverage: BTreeMap<&'static str, u64>,
    /// Everything that the runs counted.
    pub counters: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Of no run yet.
    #[must_use]
    pub fn new(scenario: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.events += report.events;
        self.simulated_hours += report.simulated_ms as f64 / 3_600_000.0;
        for (name, count) in &report.counters {
            *self.counters.entry(name).or_default() += count;
        }
        self.coverage = coverage::of(&self.counters);
        let counted = |name| self.counters.get(name).copied().unwrap_or_default();
        self.ops = counted("operations checked");
        self.crashes = counted("crashes");
        self.partitions = counted("cuts");
        self.pauses = counted("pauses");
        self.takeovers = counted("takeovers");
        self.reconfigurations = counted("reconfigurations");
        match &report.failure {
            Some(failure) if LIVENESS.contains(&failure.invariant) => self.stuck += 1,
            Some(_) => self.violations += 1,
            None => {}
        }
    }

    /// Runs in which an invariant did not hold.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.violations + self.stuck
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} seeds, {:.1} h simulated, {} events",
            self.scenario, self.seeds, self.simulated_hours, self.events
        )?;
        for (name, count) in &self.counters {
            writeln!(f, "  {name:<36} {count:>12}")?;
        }
        writeln!(
            f,
            "  {:<36} {:>12}",
            "runs with a violation", self.violations
        )?;
        writeln!(f, "  {:<36} {:>12}", "runs that were stuck", self.stuck)
    }
}

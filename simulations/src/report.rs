//! What came of a run.

use std::collections::BTreeMap;
use std::fmt;

use overlay_proto::Instant;
use serde::Serialize;

use crate::kernel::{Kernel, SimMachine, Violation};

/// Events printed with a failure.
pub const EVENTS_KEPT: usize = 60;

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// Number of nodes.
    pub nodes: u32,
    /// Hash of every event, in hexadecimal. Equal for equal seeds.
    pub hash: String,
    /// Number of events.
    pub events: u64,
    /// Simulated time, milliseconds.
    pub simulated_ms: u64,
    /// What the run counted.
    pub counters: BTreeMap<&'static str, u64>,
    /// The last events in words, if the run kept them.
    pub last_events: Vec<String>,
    /// The invariant that did not hold.
    pub failure: Option<Failure>,
}

impl Report {
    /// What came of the run of a kernel; `reproduce` gives a failure again.
    #[must_use]
    pub fn of<M: SimMachine, A>(
        scenario: &str,
        seed: u64,
        kernel: &Kernel<M, A>,
        reproduce: String,
    ) -> Self {
        let violation = kernel.violation();
        Self {
            scenario: scenario.to_owned(),
            seed,
            nodes: kernel.node_count(),
            hash: format!("{:016x}", kernel.hash()),
            events: kernel.events(),
            simulated_ms: millis(kernel.now()),
            counters: kernel.counters(),
            last_events: kernel.last_events().map(str::to_owned).collect(),
            failure: violation.map(|one| Failure::new(one, reproduce)),
        }
    }
}

/// A violated invariant, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The invariant.
    pub invariant: &'static str,
    /// When, in milliseconds of simulated time.
    pub at_ms: u64,
    /// What was seen.
    pub detail: String,
    /// A command line that gives this failure again.
    pub reproduce: String,
}

impl Failure {
    /// A violation, and the command line that leads to it.
    #[must_use]
    pub fn new(violation: &Violation, reproduce: String) -> Self {
        Self {
            invariant: violation.invariant,
            at_ms: millis(violation.at),
            detail: violation.detail.clone(),
            reproduce,
        }
    }
}

/// Milliseconds since the start of the world.
#[must_use]
pub fn millis(at: Instant) -> u64 {
    at.as_micros() / 1_000
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.last_events {
            writeln!(f, "    {event}")?;
        }
        writeln!(
            f,
            "{} seed {}: {} nodes, {:.1} s simulated, {} events, hash {}",
            self.scenario,
            self.seed,
            self.nodes,
            self.simulated_ms as f64 / 1_000.0,
            self.events,
            self.hash
        )?;
        for (name, count) in &self.counters {
            writeln!(f, "  {name:<28} {count:>12}")?;
        }
        match &self.failure {
            None => writeln!(f, "  every invariant held"),
            Some(failure) => write!(f, "{failure}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "VIOLATED: {} at {} ms: {}",
            self.invariant, self.at_ms, self.detail
        )?;
        writeln!(f, "REPRODUCE: {}", self.reproduce)
    }
}

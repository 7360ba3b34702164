//! Runs scenarios: one seed with its report, or many seeds side by side.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use overlay_proto::Instant;

use crate::finder;
use crate::kernel::{Kernel, SimMachine, Violation};
use crate::membership;
use crate::mutant::Mutant;
use crate::names;
use crate::register;
use crate::report::{EVENTS_KEPT, Failure, Report};
use crate::scenario::{Scenario, Workload};
use crate::seed::Seed;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name, for the report and the line that reproduces a failure.
    pub name: String,
    /// The scenario.
    pub scenario: Scenario,
    /// Number of nodes, instead of drawing it.
    pub nodes: Option<u32>,
    /// A rule that is broken on purpose, to show that the sweep catches it.
    pub mutant: Option<Mutant>,
    /// Further arguments for the line that reproduces a failure.
    pub arguments: String,
}

impl Plan {
    /// A scenario as it is.
    #[must_use]
    pub fn new(name: &str, scenario: Scenario) -> Self {
        Self {
            name: name.to_owned(),
            scenario,
            nodes: None,
            mutant: None,
            arguments: String::new(),
        }
    }

    /// Runs one seed and keeps its last `keep` events in words.
    #[must_use]
    pub fn run_traced(&self, seed: u64, keep: usize) -> Report {
        self.attempt(seed, keep)
    }

    /// Runs one seed. After a failure the seed is run again to tell its last events.
    #[must_use]
    pub fn run(&self, seed: u64) -> Report {
        let report = self.attempt(seed, 0);
        if report.failure.is_some() {
            self.attempt(seed, EVENTS_KEPT)
        } else {
            report
        }
    }

    /// Runs one seed. A core that panics has violated an invariant of its own.
    fn attempt(&self, seed: u64, keep: usize) -> Report {
        let ran = catch_unwind(AssertUnwindSafe(|| self.simulate(seed, keep)));
        ran.unwrap_or_else(|panic| {
            let detail = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            let violation = Violation {
                invariant: "no_panic",
                at: Instant::ZERO,
                detail,
            };
            Report {
                scenario: self.name.clone(),
                seed,
                nodes: 0,
                hash: String::new(),
                events: 0,
                simulated_ms: 0,
                counters: BTreeMap::new(),
                last_events: Vec::new(),
                failure: Some(Failure::new(&violation, self.line(seed))),
            }
        })
    }

    /// The command line that runs this seed.
    fn line(&self, seed: u64) -> String {
        format!("sim run {} --seed {seed}{}", self.name, self.arguments)
    }

    fn simulate(&self, seed: u64, keep: usize) -> Report {
        let root = Seed::new(seed).child(&self.name);
        let nodes = self.nodes.unwrap_or_else(|| self.scenario.draw_nodes(root));
        match self.scenario.workload {
            Workload::Membership => {
                let world = membership::run(&self.scenario, nodes, root, keep);
                self.report(seed, &world.kernel)
            }
            Workload::Directory => {
                let world = finder::run(&self.scenario, nodes, root, keep);
                self.report(seed, &world.kernel)
            }
            Workload::Names => {
                let mutant = match self.mutant {
                    Some(Mutant::Naming(mutant)) => Some(mutant),
                    _ => None,
                };
                let world = names::run(&self.scenario, nodes, root, keep, mutant);
                self.report(seed, &world.kernel)
            }
            Workload::Register => {
                let mutation = match self.mutant {
                    Some(Mutant::Replication(mutation)) => Some(mutation),
                    _ => None,
                };
                let world = register::run(&self.scenario, nodes, root, keep, mutation);
                self.report(seed, &world.kernel)
            }
        }
    }

    fn report<M: SimMachine, A>(&self, seed: u64, kernel: &Kernel<M, A>) -> Report {
        Report::of(&self.name, seed, kernel, self.line(seed))
    }

    /// Runs seeds from `first` on, `jobs` at a time, and hands each report to `each` as it
    /// comes. Stops early once `each` returns false.
    pub fn sweep(
        &self,
        first: u64,
        seeds: u64,
        jobs: usize,
        each: impl FnMut(Report) -> bool + Send,
    ) {
        let next = AtomicU64::new(first);
        let end = first.saturating_add(seeds);
        let each = Mutex::new(each);
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end {
                            return;
                        }
                        let report = self.run(seed);
                        let go_on = each.lock().is_ok_and(|mut each| each(report));
                        if !go_on {
                            next.store(end, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    }
}

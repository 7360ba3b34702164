//! Runs scenarios: one seed with its report, or many seeds side by side.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use overlay_proto::Instant;

use crate::finder;
use crate::kernel::{Kernel, SimMachine, Violation};
use crate::membership;
use crate::mutant::Mutant;
use crate::names;
use crate::outages::Outage;
use crate::overrides::Overrides;
use crate::panels;
use crate::panics::words;
use crate::peers;
use crate::register;
use crate::report::{EVENTS_KEPT, EVENTS_SEARCHED, Failure, Report};
use crate::scenario::{Scenario, Workload};
use crate::seed::Seed;
use plot::panel::Panel;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name, for the report and the line that reproduces a failure.
    pub name: String,
    /// The scenario.
    pub scenario: Scenario,
    /// What is given in place of the scenario's own values.
    pub overrides: Overrides,
    /// A rule that is broken on purpose, to show that the sweep catches it.
    pub mutant: Option<Mutant>,
}

impl Plan {
    /// A scenario as it is.
    #[must_use]
    pub fn new(name: &str, scenario: Scenario) -> Self {
        Self {
            name: name.to_owned(),
            scenario,
            overrides: Overrides::default(),
            mutant: None,
        }
    }

    /// The same with these values in place of the scenario's own.
    #[must_use]
    pub fn with(&self, overrides: Overrides) -> Self {
        Self {
            overrides,
            ..self.clone()
        }
    }

    /// Runs one seed and keeps its last `keep` events in words; after a failure, those of the
    /// object concerned.
    #[must_use]
    pub fn run_traced(&self, seed: u64, keep: usize) -> Report {
        let report = self.attempt(seed, keep);
        if report.failure.is_none() {
            return report;
        }
        self.failed(seed, keep)
    }

    /// Runs one seed. After a failure the seed is run again to tell its last events.
    #[must_use]
    pub fn run(&self, seed: u64) -> Report {
        let report = self.attempt(seed, 0);
        if report.failure.is_none() {
            return report;
        }
        self.failed(seed, EVENTS_KEPT)
    }

    /// Runs a seed that fails again, for its last `keep` events of the object concerned.
    fn failed(&self, seed: u64, keep: usize) -> Report {
        let mut report = self.attempt(seed, EVENTS_SEARCHED.max(keep));
        report.keep_concerned(keep);
        report
    }

    /// Runs one seed and keeps no events, not even those of a failure.
    #[must_use]
    pub fn run_plainly(&self, seed: u64) -> Report {
        self.attempt(seed, 0)
    }

    /// The faults that are drawn for this seed.
    #[must_use]
    pub fn outages(&self, seed: u64) -> Vec<Outage> {
        let scenario = self.scenario();
        let root = self.root(seed);
        let nodes = scenario.draw_nodes(root);
        scenario.fault_plan(root, nodes).outages()
    }

    /// The scenario with what is given in place of its own values.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        self.overrides.apply(self.scenario.clone())
    }

    /// What everything of a run is drawn from. A scenario in a file goes by the file's name.
    fn root(&self, seed: u64) -> Seed {
        let stem = Path::new(&self.name).file_stem();
        let name = stem.and_then(|stem| stem.to_str()).unwrap_or(&self.name);
        Seed::new(seed).child(name)
    }

    /// Runs one seed. A core that panics has violated an invariant of its own.
    fn attempt(&self, seed: u64, keep: usize) -> Report {
        let ran = catch_unwind(AssertUnwindSafe(|| self.simulate(seed, keep)));
        ran.unwrap_or_else(|panic| {
            let violation = Violation {
                invariant: "no_panic",
                at: Instant::ZERO,
                detail: words(&*panic),
                subject: None,
            };
            Report {
                scenario: self.name.clone(),
                seed,
                command: self.line(seed),
                nodes: 0,
                hash: String::new(),
                events: 0,
                simulated_ms: 0,
                counters: BTreeMap::new(),
                last_events: Vec::new(),
                panels: Vec::new(),
                failure: Some(Failure::new(&violation, self.line(seed))),
            }
        })
    }

    /// The command line that runs this seed.
    #[must_use]
    pub fn line(&self, seed: u64) -> String {
        let Self {
            name,
            overrides,
            mutant,
            ..
        } = self;
        let broken = mutant.map(|mutant| format!(" --mutant {}", mutant.name()));
        let broken = broken.unwrap_or_default();
        format!("sim run {name} --seed {seed}{overrides}{broken}")
    }

    fn simulate(&self, seed: u64, keep: usize) -> Report {
        let root = self.root(seed);
        let scenario = self.scenario();
        let nodes = scenario.draw_nodes(root);
        match self.scenario.workload {
            Workload::Membership => {
                let world = membership::run(&scenario, nodes, root, keep);
                self.report(seed, &world.kernel)
            }
            Workload::Directory => {
                let world = finder::run(&scenario, nodes, root, keep);
                self.report(seed, &world.kernel)
            }
            Workload::Names => {
                let mutant = match self.mutant {
                    Some(Mutant::Naming(mutant)) => Some(mutant),
                    _ => None,
                };
                let world = names::run(&scenario, nodes, root, keep, mutant);
                self.report(seed, &world.kernel)
            }
            Workload::Peers => {
                let world = peers::run(&scenario, nodes, root, keep);
                self.drawn(seed, &world.kernel, world.environment.panels())
            }
            Workload::Register => {
                let mutation = match self.mutant {
                    Some(Mutant::Replication(mutation)) => Some(mutation),
                    _ => None,
                };
                let world = register::run(&scenario, nodes, root, keep, mutation);
                self.drawn(seed, &world.kernel, world.environment.panels())
            }
        }
    }

    fn report<M: SimMachine, A>(&self, seed: u64, kernel: &Kernel<M, A>) -> Report {
        self.drawn(seed, kernel, Vec::new())
    }

    /// A report with the panels of the workload.
    fn drawn<M: SimMachine, A>(
        &self,
        seed: u64,
        kernel: &Kernel<M, A>,
        panels: Vec<Panel>,
    ) -> Report {
        let mut report = Report::of(&self.name, seed, kernel, self.line(seed));
        report.panels.extend(panels);
        let heal = self.scenario().heal_at().as_micros() as f64 / 1e6;
        panels::mark_heal(&mut report.panels, heal);
        report
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

//! `sim sweep`.

use std::time::Instant;

use clap::Args;

use super::output::say;
use super::progress;
use super::run::print;
use super::which::Which;
use crate::summary::Summary;

/// Run many seeds of a scenario; stop at the first failure.
#[derive(Args, Debug)]
pub struct Sweep {
    #[command(flatten)]
    which: Which,
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_name = "N")]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    first: u64,
    /// Seeds run side by side; default: one per core.
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Print JSON: a line for each failure, then one for the summary.
    #[arg(long)]
    json: bool,
    /// Tell how far the sweep is, also where nobody looks at a terminal.
    #[arg(long)]
    progress: bool,
}

impl Sweep {
    /// Runs the seeds and prints the failures and the sums: true if every invariant held.
    ///
    /// # Errors
    /// What is wrong with the scenario.
    pub fn execute(&self) -> Result<bool, String> {
        let plan = self.which.plan()?;
        let told = progress::wanted(self.progress);
        let began = Instant::now();
        let mut failures = Vec::new();
        let mut summary = Summary::new(&plan.name);
        (summary.command, summary.first) = (plan.line(self.first), self.first);
        plan.sweep(self.first, self.seeds, jobs(self.jobs), |report| {
            summary.add(&report);
            let tenth = self.seeds.div_ceil(10).max(1);
            if told && summary.seeds.is_multiple_of(tenth) {
                let wall = began.elapsed().as_secs_f64();
                let left = wall / summary.seeds as f64 * (self.seeds - summary.seeds) as f64;
                let speed = summary.simulated_hours * 3_600.0 / wall;
                progress::line(&format!(
                    "{}/{} seeds in {wall:.0} s, {speed:.0} x, about {left:.0} s left",
                    summary.seeds, self.seeds
                ));
            }
            if report.failure.is_some() {
                failures.push(report);
            }
            self.keep_going || failures.is_empty()
        });
        for report in &failures {
            print(report, self.json)?;
        }
        if self.json {
            let line = serde_json::to_string(&summary).map_err(|error| error.to_string())?;
            say!("{line}");
        } else {
            super::output::write(format_args!("{summary}"));
        }
        Ok(summary.failed() == 0)
    }
}

/// Seeds to run side by side: as asked for, else one per core.
#[must_use]
pub fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

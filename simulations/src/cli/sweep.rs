//! `sim sweep`.

use clap::Args;

use super::run::print;
use super::which::Which;
use crate::summary::Summary;

/// Run many seeds of a scenario; stop at the first failure.
#[derive(Args)]
pub struct Sweep {
    #[command(flatten)]
    which: Which,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Seeds run side by side; default: one per core.
    #[arg(long)]
    jobs: Option<usize>,
    /// Go on after a failure.
    #[arg(long)]
    keep_going: bool,
}

impl Sweep {
    /// Runs the seeds and prints the failures and the sums: true if every invariant held.
    ///
    /// # Errors
    /// What is wrong with the scenario.
    pub fn execute(&self) -> Result<bool, String> {
        let json = self.which.json;
        let plan = self.which.plan()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.unwrap_or(cores);
        let mut failures = Vec::new();
        let mut summary = Summary::new(&plan.name);
        plan.sweep(self.first, self.seeds, jobs, |report| {
            summary.add(&report);
            if summary.seeds.is_multiple_of(self.seeds.div_ceil(10).max(1)) {
                eprintln!("{}/{} seeds", summary.seeds, self.seeds);
            }
            if report.failure.is_some() {
                failures.push(report);
            }
            self.keep_going || failures.is_empty()
        });
        for report in &failures {
            print(report, json)?;
        }
        if json {
            let line = serde_json::to_string(&summary).map_err(|error| error.to_string())?;
            println!("{line}");
        } else {
            print!("{summary}");
        }
        Ok(summary.failed() == 0)
    }
}

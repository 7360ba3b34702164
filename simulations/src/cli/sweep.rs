//! `sim sweep`.

use std::collections::BTreeMap;

use clap::Args;

use super::run::print;
use super::which::Which;

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
        let mut done = 0_u64;
        let mut failures = Vec::new();
        let mut totals: BTreeMap<&'static str, u64> = BTreeMap::new();
        let (mut events, mut simulated_ms) = (0, 0);
        plan.sweep(self.first, self.seeds, jobs, |report| {
            done += 1;
            events += report.events;
            simulated_ms += report.simulated_ms;
            for (name, count) in &report.counters {
                *totals.entry(name).or_default() += count;
            }
            if done.is_multiple_of(self.seeds.div_ceil(10).max(1)) {
                eprintln!("{done}/{} seeds", self.seeds);
            }
            if report.failure.is_some() {
                failures.push(report);
            }
            self.keep_going || failures.is_empty()
        });
        for report in &failures {
            print(report, json)?;
        }
        let hours = simulated_ms as f64 / 3_600_000.0;
        let failed = failures.len();
        if json {
            let summary = serde_json::json!({
                "scenario": plan.name, "seeds": done, "failed": failed, "events": events,
                "simulated_hours": hours, "counters": totals,
            });
            println!("{summary}");
        } else {
            println!(
                "{}: {done} seeds, {hours:.1} h simulated, {events} events",
                plan.name
            );
            for (name, count) in &totals {
                println!("  {name:<28} {count:>12}");
            }
            println!("  {:<28} {failed:>12}", "failed seeds");
        }
        Ok(failures.is_empty())
    }
}

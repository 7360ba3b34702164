//! `sim run`.

use clap::Args;

use super::which::Which;
use crate::report::Report;

/// Run one seed of a scenario.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    which: Which,
    /// The seed: it alone decides everything that happens.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print this many of the last events, also when every invariant held.
    #[arg(long)]
    events: Option<usize>,
}

impl Run {
    /// Runs the seed and prints its report: true if every invariant held.
    ///
    /// # Errors
    /// What is wrong with the scenario.
    pub fn execute(&self) -> Result<bool, String> {
        let plan = self.which.plan()?;
        let report = match self.events {
            Some(events) => plan.run_traced(self.seed, events),
            None => plan.run(self.seed),
        };
        print(&report, self.which.json)?;
        Ok(report.failure.is_none())
    }
}

/// Prints a report, for people or as one line of JSON.
///
/// # Errors
/// A report that JSON cannot express.
pub fn print(report: &Report, json: bool) -> Result<(), String> {
    if json {
        println!(
            "{}",
            serde_json::to_string(report).map_err(|error| error.to_string())?
        );
    } else {
        print!("{report}");
    }
    Ok(())
}

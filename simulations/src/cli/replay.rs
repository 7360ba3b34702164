//! `sim replay`.

use clap::Args;

use super::run::print;
use super::{line, progress};
use crate::report::EVENTS_KEPT;

/// Run a seed again, with its last events; says whether the same hash came out.
#[derive(Args, Debug)]
pub struct Replay {
    /// The line that a failure printed (as one argument), the file of a JSON report, or a
    /// scenario followed by a seed.
    #[arg(value_name = "LINE|FILE.json|SCENARIO")]
    what: String,
    /// The seed, after a scenario.
    seed: Option<u64>,
    /// The hash that must come out; default: that of the JSON report, else that of a second run.
    #[arg(long)]
    hash: Option<String>,
    /// How many of the last events to print.
    #[arg(long, value_name = "N", default_value_t = EVENTS_KEPT)]
    events: usize,
    /// Print the report as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Tell how far the run is, also where nobody looks at a terminal.
    #[arg(long)]
    progress: bool,
}

impl Replay {
    /// Runs the seed again and prints its report: true if every invariant held.
    ///
    /// # Errors
    /// What is wrong with the line, or that another hash came out.
    pub fn execute(&self) -> Result<bool, String> {
        let made = line::made(&self.what, self.seed)?;
        let (plan, seed) = (made.run.which.plan()?, made.run.seed);
        let told = progress::wanted(self.progress);
        let report = progress::told(&plan, told, || plan.run_traced(seed, self.events));
        print(&report, self.json)?;
        let expected = self.hash.clone().or(made.hash);
        let (expected, from) = match expected {
            Some(hash) => (hash, "as before"),
            None => (plan.run_plainly(seed).hash, "twice"),
        };
        if report.hash != expected {
            return Err(format!(
                "another hash came out: {} instead of {expected}; the program changed, or it is \
                 not deterministic",
                report.hash
            ));
        }
        eprintln!("the same hash came out, {from}: {expected}");
        Ok(report.failure.is_none())
    }
}

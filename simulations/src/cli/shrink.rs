//! `sim shrink`.

use clap::Args;

use super::output::say;
use super::run::print;
use super::{line, progress};
use crate::shrink::shrink;

/// Make a failing run smaller: fewer nodes, fewer faults, an earlier heal.
#[derive(Args, Debug)]
pub struct Shrink {
    /// The line that a failure printed (as one argument), the file of a JSON report, or a
    /// scenario followed by a seed.
    #[arg(value_name = "LINE|FILE.json|SCENARIO")]
    what: String,
    /// The seed, after a scenario.
    seed: Option<u64>,
    /// Runs to try at most.
    #[arg(long, value_name = "N", default_value_t = 300)]
    runs: u32,
    /// Print the smaller run's report as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Tell how far it is, also where nobody looks at a terminal.
    #[arg(long)]
    progress: bool,
}

impl Shrink {
    /// Prints the smallest run that was found, its faults, and the line that gives it: false, as
    /// it fails.
    ///
    /// # Errors
    /// What is wrong with the line, or that the run does not fail.
    pub fn execute(&self) -> Result<bool, String> {
        let made = line::made(&self.what, self.seed)?;
        let (plan, seed) = (made.run.which.plan()?, made.run.seed);
        let told = progress::wanted(self.progress);
        let shrunk = shrink(&plan, seed, self.runs, |words| {
            if told {
                progress::line(words);
            }
        });
        let shrunk = shrunk.ok_or("every invariant held in this run: nothing to shrink")?;
        print(&shrunk.report, self.json)?;
        if !self.json {
            let [before, after] = shrunk.faults;
            say!(
                "FAULTS: {after} of {before} are enough, found in {} runs",
                shrunk.runs
            );
            for outage in shrunk.plan.outages(seed) {
                say!("  {outage}");
            }
            say!("MINIMAL: {}", shrunk.plan.line(seed));
        }
        Ok(false)
    }
}

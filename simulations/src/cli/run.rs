//! `sim run`.

use std::path::PathBuf;

use clap::Args;

use super::output::say;
use super::progress;
use super::which::Which;
use crate::report::Report;

/// Run one seed of a scenario.
#[derive(Args, Debug)]
pub struct Run {
    /// What to run.
    #[command(flatten)]
    pub which: Which,
    /// The seed: it alone decides everything that happens.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print the report as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Draw the run's figures into this file, .svg or .html.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print this many of the last events, also when every invariant held.
    #[arg(long, value_name = "N")]
    events: Option<usize>,
    /// Tell how far the run is, also where nobody looks at a terminal.
    #[arg(long)]
    progress: bool,
}

impl Run {
    /// Runs the seed and prints its report: true if every invariant held.
    ///
    /// # Errors
    /// What is wrong with the scenario, or with the file of the plot.
    pub fn execute(&self) -> Result<bool, String> {
        let plan = self.which.plan()?;
        let kind = self.plot.as_ref().map(|path| plot::Kind::of(path));
        let kind = kind.transpose()?;
        let report = progress::told(&plan, progress::wanted(self.progress), || {
            match self.events {
                Some(events) => plan.run_traced(self.seed, events),
                None => plan.run(self.seed),
            }
        });
        if let (Some(path), Some(kind)) = (&self.plot, kind) {
            let page = report.page().render(kind);
            std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        print(&report, self.json)?;
        Ok(report.failure.is_none())
    }
}

/// Prints a report, for people or as one line of JSON.
///
/// # Errors
/// A report that JSON cannot express.
pub fn print(report: &Report, json: bool) -> Result<(), String> {
    if json {
        say!(
            "{}",
            serde_json::to_string(report).map_err(|error| error.to_string())?
        );
    } else {
        super::output::write(format_args!("{report}"));
    }
    Ok(())
}

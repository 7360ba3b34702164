//! `sim compare`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output::say;
use super::sweep::jobs;
use super::{line, progress};
use crate::compare::{Better, Change, compare};
use crate::run::Plan;
use crate::summary::Summary;

/// Run the seeds of an earlier report again, and compare every figure.
#[derive(Args, Debug)]
pub struct Compare {
    /// What an earlier `sim run --json` or `sim sweep --json` printed.
    #[arg(value_name = "BASELINE.json")]
    baseline: PathBuf,
    /// How much worse a figure may be, as a share of its old value.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    tolerance: f64,
    /// Seeds run side by side; default: one per core.
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Tell how far it is, also where nobody looks at a terminal.
    #[arg(long)]
    progress: bool,
}

impl Compare {
    /// Prints every figure then and now: true if none became worse.
    ///
    /// # Errors
    /// What is wrong with the baseline.
    pub fn execute(&self) -> Result<bool, String> {
        let before = line::report(&self.baseline)?;
        let command = before["command"].as_str().unwrap_or_default();
        let run = line::read(command)?;
        let plan = run.which.plan()?;
        let after = match before["seeds"].as_u64() {
            Some(seeds) => self.sweep(&plan, run.seed, seeds)?,
            None => {
                let told = progress::wanted(self.progress);
                let report = progress::told(&plan, told, || plan.run(run.seed));
                serde_json::to_value(&report).map_err(|error| error.to_string())?
            }
        };
        let changes = compare(&before, &after, self.tolerance);
        let worse = changes.iter().filter(|change| change.worse).count();
        if self.json {
            say!(
                "{}",
                json!({"command": command, "worse": worse, "figures": changes})
            );
        } else {
            say!("{command}");
            changes.iter().for_each(print);
            let same = before["hash"].is_string() && before["hash"] == after["hash"];
            let hash = if same { ", the same hash" } else { "" };
            say!("  {} figures, {worse} worse{hash}", changes.len());
        }
        Ok(worse == 0)
    }

    fn sweep(&self, plan: &Plan, first: u64, seeds: u64) -> Result<Value, String> {
        let mut summary = Summary::new(&plan.name);
        plan.sweep(first, seeds, jobs(self.jobs), |report| {
            summary.add(&report);
            true
        });
        serde_json::to_value(&summary).map_err(|error| error.to_string())
    }
}

fn print(change: &Change) {
    let Change {
        name,
        before,
        after,
        better,
        worse,
    } = change;
    let ratio = change
        .ratio()
        .map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
    let better = match better {
        Better::More => "more is better",
        Better::Less => "less is better",
        Better::Neither => "",
    };
    let verdict = if *worse { "WORSE" } else { "" };
    let line = format!("  {name:<32} {before:>14} {after:>14} {ratio:>8}  {better:<15} {verdict}");
    say!("{}", line.trim_end());
}

//! `sim mutants`.

use clap::Args;

use super::output::say;
use super::sweep::jobs;
use crate::mutant::Mutant;
use crate::mutants::{self, SEEDS_MAX, Verdict};

/// Break each rule of the cores in turn, and say whether the sweep notices.
#[derive(Args)]
pub struct Mutants {
    /// Only this one.
    #[arg(long)]
    only: Option<String>,
    /// Seeds within which a mutant must be noticed.
    #[arg(long, default_value_t = SEEDS_MAX)]
    seeds: u64,
    /// Seeds run side by side; default: one per core.
    #[arg(long)]
    jobs: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Mutants {
    /// Judges the mutants and prints the verdicts: true if each was noticed.
    ///
    /// # Errors
    /// There is no such mutant.
    pub fn execute(&self) -> Result<bool, String> {
        let chosen: Vec<Mutant> = match &self.only {
            Some(name) => vec![named(name)?],
            None => Mutant::all().collect(),
        };
        let jobs = jobs(self.jobs);
        // A core that panics has noticed; that is said in one line.
        std::panic::set_hook(Box::new(|_| {}));
        let mut verdicts = Vec::new();
        for mutant in chosen {
            let verdict = mutants::judge(mutant, self.seeds, jobs);
            let verdict = verdict.map_err(|error| error.to_string())?;
            if self.json {
                eprintln!("{verdict}");
            } else {
                say!("{verdict}");
            }
            verdicts.push(verdict);
        }
        if self.json {
            let line = serde_json::to_string(&verdicts).map_err(|error| error.to_string())?;
            say!("{line}");
        }
        Ok(verdicts.iter().all(Verdict::is_noticed))
    }
}

/// The mutant of this name.
///
/// # Errors
/// There is none; the message names all.
pub fn named(name: &str) -> Result<Mutant, String> {
    let found = Mutant::all().find(|mutant| mutant.name() == name);
    found.ok_or_else(|| {
        let known: Vec<String> = Mutant::all().map(Mutant::name).collect();
        format!("no mutant `{name}`; there are: {}", known.join(", "))
    })
}

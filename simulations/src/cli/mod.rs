//! The command `sim`: one file for each of its subcommands.

pub mod compare;
pub mod figures;
pub mod line;
pub mod list;
pub mod mutants;
mod output;
pub mod progress;
pub mod replay;
pub mod run;
pub mod shrink;
pub mod sweep;
pub mod which;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs PyDO's protocol cores in a simulated world, in virtual time.
///
/// One seed is one run, on any machine. The guide is simulations/README.md.
#[derive(Parser)]
#[command(name = "sim", version, about, long_about)]
#[command(after_help = "Exit codes:
  0  every invariant held; `compare`: no figure became worse
  1  an invariant did not hold; `compare`: a figure became worse
  2  the command line, the scenario or a file is wrong; `replay`: another hash came out")]
pub struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run one seed of a scenario.
    Run(run::Run),
    /// Run many seeds of a scenario; stop at the first failure.
    Sweep(sweep::Sweep),
    /// Break each rule of the cores in turn, and say whether the sweep notices.
    Mutants(mutants::Mutants),
    /// Run a seed again, with its last events; says whether the same hash came out.
    Replay(replay::Replay),
    /// Make a failing run smaller: fewer nodes, fewer faults, an earlier heal.
    Shrink(shrink::Shrink),
    /// Run the seeds of an earlier report again, and compare every figure.
    Compare(compare::Compare),
    /// Measure membership: how soon a death is known, what idling costs, who is wrongly dropped.
    Figures(figures::Figures),
    /// List the scenarios.
    List(list::List),
}

impl Arguments {
    /// Does what the command line says: true if every invariant held.
    ///
    /// # Errors
    /// What is wrong with the command line or the scenario.
    pub fn execute(&self) -> Result<bool, String> {
        match &self.command {
            Action::Run(run) => run.execute(),
            Action::Sweep(sweep) => sweep.execute(),
            Action::Mutants(mutants) => mutants.execute(),
            Action::Replay(replay) => replay.execute(),
            Action::Shrink(shrink) => shrink.execute(),
            Action::Compare(compare) => compare.execute(),
            Action::Figures(figures) => figures.execute(),
            Action::List(list) => list.execute(),
        }
    }
}

/// The program: reads the process's arguments, prints, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    match Arguments::parse().execute() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("sim: {problem}");
            ExitCode::from(2)
        }
    }
}

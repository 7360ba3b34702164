//! The command `sim`: one file for each of its subcommands.
//!
//! Exit codes: 0 every invariant held, 1 one did not, 2 the command line or scenario is wrong.

pub mod list;
pub mod mutants;
pub mod run;
pub mod sweep;
pub mod which;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs PyDO's protocol cores in a simulated world, in virtual time.
#[derive(Parser)]
#[command(name = "sim", version, about)]
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

//! `lab`: see the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::{Life, Options, Outcome};

/// Real peers in network namespaces, under real faults. Needs root, `ip` and /dev/net/tun.
///
/// Exit codes: 0 every promise held, 1 one did not, 2 the lab itself failed, 130 interrupted. What
/// this machine cannot do is printed as skipped, with 0. Ctrl-C ends a run and removes what it
/// made.
#[derive(Parser)]
#[command(name = "lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Hidden>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Hidden {
    /// One process of the lab.
    #[command(hide = true)]
    Live(Life),
}

fn main() -> ExitCode {
    let Cli { command, options } = Cli::parse();
    if let Some(Hidden::Live(life)) = command {
        return lab::live(&life);
    }
    let json = options.json;
    match std::env::current_exe()
        .map_err(|error| error.to_string())
        .and_then(|program| lab::run(&options, &program))
    {
        Ok(Outcome::Skipped(why)) => {
            println!("skipped: {why}");
            ExitCode::SUCCESS
        }
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Ok(Outcome::Ran(report)) => {
            if json {
                println!("{}", report.json());
            } else {
                print!("{report}");
            }
            ExitCode::from(u8::from(!report.holds()))
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

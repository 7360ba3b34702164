//! `peer demo`: the main job on real processes and real sockets.

mod load;
mod report;
mod story;
mod tally;

pub use tally::{Recorded, Tally, TallyProxy};

use clap::Args;

use crate::exit::Exit;
use crate::options::Global;
use crate::output;

/// Options of `peer demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// Peer processes at the start, 5 to 16: two are killed, three must be left.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..=16))]
    peers: u32,
    /// Objects to create, 1 to 1000.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1000))]
    objects: u32,
    /// Seconds that the clients call at least, 5 to 600.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..=600))]
    seconds: u32,
}

/// Plays the story and reports.
pub(crate) async fn run(global: &Global, args: &DemoArgs) -> Exit {
    match story::play(args, !global.json).await {
        Ok(report) => {
            if global.json {
                match serde_json::to_value(&report) {
                    Ok(value) => output::json(&value),
                    Err(error) => eprintln!("cannot print the report: {error}"),
                }
            } else {
                report.print();
            }
            if report.is_good() {
                Exit::Success
            } else {
                Exit::Failed
            }
        }
        Err(error) => {
            eprintln!("the demo could not go on: {error}");
            Exit::NotExecuted
        }
    }
}

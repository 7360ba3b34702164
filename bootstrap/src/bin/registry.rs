//! The `registry` daemon.

use std::process::ExitCode;

use bootstrap::daemon::{self, DaemonArgs};
use clap::Parser;

/// Introduces peers to each other.
#[derive(Parser)]
#[command(name = "registry", version)]
struct Cli {
    /// Print JSON for machines instead of text for people.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    match daemon::run(&cli.daemon, cli.json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

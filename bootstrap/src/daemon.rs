//! The registry as a process.

use std::path::PathBuf;

use clap::Args;

/// Options of a registry.
#[derive(Args, Clone, Debug)]
pub struct DaemonArgs {
    /// Where to listen, `address:port`.
    #[arg(long, default_value = "0.0.0.0:7878")]
    pub listen: String,
    /// File in which the registry remembers across restarts [default: none].
    #[arg(long)]
    pub snapshot: Option<PathBuf>,
    /// Records in all, at most.
    #[arg(long, default_value_t = 20_000)]
    pub records_max: usize,
    /// Records from one network address, at most.
    #[arg(long, default_value_t = 1_024)]
    pub records_per_address_max: usize,
}

/// Why a registry could not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// x
    #[error("not yet")]
    No,
}

/// Runs.
///
/// # Errors
/// [`DaemonError`].
pub async fn run(_args: &DaemonArgs, _json: bool) -> Result<(), DaemonError> {
    Err(DaemonError::No)
}

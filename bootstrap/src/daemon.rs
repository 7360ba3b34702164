//! The registry as a process: it listens, answers, saves, and stops at a signal.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use overlay::Limits;
use overlay::proto::Instant;
use overlay::proto::registry::LeasesConfig;
use overlay::registry::{self, RegistryServer};
use tokio::signal::unix::{SignalKind, signal};

use crate::registry::Registry;
use crate::snapshot::Snapshot;

/// Pause between two snapshots.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// Options of a registry.
#[derive(Args, Clone, Debug)]
pub struct DaemonArgs {
    /// Where to listen, `address:port`; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:7878")]
    pub listen: String,
    /// File in which the registry remembers across restarts [default: none].
    #[arg(long)]
    pub snapshot: Option<PathBuf>,
    /// Records of one cluster, at most.
    #[arg(long, default_value_t = 20_000)]
    pub records_max: usize,
    /// Records of one cluster from one network address, at most.
    #[arg(long, default_value_t = 1_024)]
    pub records_per_address_max: usize,
}

/// Why a registry could not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// It cannot listen.
    #[error("the registry cannot start: {0}")]
    Start(#[from] overlay::StartError),
    /// The snapshot cannot be read: starting without it would overwrite it.
    #[error("the snapshot {path} cannot be read: {reason}; move it away to start without it")]
    Snapshot {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Signals cannot be received.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
}

/// Runs a registry until SIGTERM or Ctrl-C; then it saves its snapshot and ends.
///
/// # Errors
/// [`DaemonError`]; nothing is left running.
pub async fn run(args: &DaemonArgs, json: bool) -> Result<(), DaemonError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let began = std::time::Instant::now();
    let now = move || Instant::ZERO + began.elapsed();
    let registry = Arc::new(Registry::new(LeasesConfig {
        records_max: args.records_max,
        records_per_origin_max: args.records_per_address_max,
    }));
    let snapshot = args.snapshot.as_deref().map(Snapshot::at);
    if let (Some(snapshot), Some(path)) = (&snapshot, &args.snapshot) {
        load(snapshot, path, &registry, now())?;
    }
    let answering = registry.clone();
    let listen = std::slice::from_ref(&args.listen);
    let server = registry::serve(listen, Limits::default(), move |origin, call| {
        answering.answer(now(), origin, &call)
    });
    let server = server.await?;
    announce(&server, &registry, json);
    let mut pause = tokio::time::interval(SAVE_EVERY);
    loop {
        tokio::select! {
            _ = pause.tick() => save(snapshot.as_ref(), &registry).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    save(snapshot.as_ref(), &registry).await;
    server.shutdown().await;
    Ok(())
}

fn load(
    snapshot: &Snapshot,
    path: &std::path::Path,
    registry: &Registry,
    now: Instant,
) -> Result<(), DaemonError> {
    let unreadable = |reason: String| DaemonError::Snapshot {
        path: path.to_owned(),
        reason,
    };
    if let Some(bytes) = snapshot
        .load()
        .map_err(|error| unreadable(error.to_string()))?
    {
        registry
            .restore(now, &bytes)
            .map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(())
}

async fn save(snapshot: Option<&Snapshot>, registry: &Arc<Registry>) {
    let Some(snapshot) = snapshot.cloned() else {
        return;
    };
    let registry = registry.clone();
    let saved = tokio::task::spawn_blocking(move || snapshot.save(&registry.snapshot())).await;
    if let Ok(Err(error)) = saved {
        tracing::warn!(%error, "the snapshot was not saved");
    }
}

fn announce(server: &RegistryServer, registry: &Registry, json: bool) {
    let addresses = server.addresses();
    if json {
        let line = serde_json::json!({ "event": "started", "addresses": addresses });
        println!("{line}");
    } else {
        println!("registry listens on {}", addresses.join(", "));
        println!("{} records remembered", registry.records());
    }
}

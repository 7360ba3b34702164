//! Options that commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Print JSON for machines instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Name of the cluster [default: PYDO_CLUSTER, else `lan`].
    #[arg(long, global = true)]
    pub(crate) cluster: Option<String>,
    /// A registry, `host:port`; may be given several times [default: PYDO_REGISTRY].
    #[arg(long, global = true)]
    pub(crate) registry: Vec<String>,
    /// A peer to join through, `host:port`; may be given several times [default: PYDO_PEER].
    #[arg(long = "peer", global = true)]
    pub(crate) through: Vec<String>,
    /// Do not look for peers by mDNS.
    #[arg(long, global = true)]
    pub(crate) no_mdns: bool,
    /// Do not look for peers among the processes of this machine.
    #[arg(long, global = true)]
    pub(crate) no_local: bool,
    /// Seconds until a command gives up.
    #[arg(long, global = true, default_value_t = 10.0)]
    pub(crate) timeout: f64,
}

impl Global {
    /// Longest wait of a command.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.timeout).unwrap_or(Duration::from_secs(10))
    }
}

/// Options of `peer run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    /// Where to listen, `address:port`; may be given several times [default: PYDO_LISTEN, else
    /// all interfaces on a free port].
    #[arg(long)]
    pub(crate) listen: Vec<String>,
    /// Folder for the identity and for remembered peers [default: PYDO_DATA_DIR, else none].
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// A label, `key=value`; replicas avoid sharing a `host` or `zone`.
    #[arg(long = "label")]
    pub(crate) labels: Vec<String>,
    /// Print the node's counters each second, with --json.
    #[arg(long, hide = true)]
    pub(crate) metrics: bool,
}

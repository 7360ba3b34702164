//! Why a node or a registry did not start.

use std::time::Duration;

use crate::cluster_name::ClusterNameError;
use crate::data_dir::DataDirError;

/// Longest wait for the first address to listen on.
pub(crate) const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The cluster's name is not one.
    #[error("cluster {name:?}: {source}")]
    Cluster {
        /// As given.
        name: String,
        /// Why.
        source: ClusterNameError,
    },
    /// An address is not one.
    #[error("{0:?} is neither host:port nor a multiaddress")]
    Address(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// No address to listen on could be taken.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The key cannot be used for encrypted connections.
    #[error("cannot set up the transport: {0}")]
    Transport(std::io::Error),
    /// Called outside of a tokio runtime.
    #[error("a node must be started inside a tokio runtime")]
    NoRuntime,
}

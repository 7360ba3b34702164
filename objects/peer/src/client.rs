//! Joining for one command, as a client that hosts nothing and is not announced.

use std::time::Duration;

use objects::{Builder, Node, ViewWatch};

use crate::exit::Exit;
use crate::options::Global;

/// How long a command looks for a cluster before it says that there is none.
const FIND_PEERS: Duration = Duration::from_secs(4);
/// The view is whole when it did not change for so long.
const QUIET: Duration = Duration::from_millis(120);
/// Longest wait for that.
const SETTLE: Duration = Duration::from_secs(1);

/// A builder with the command line's options; the environment fills in what they leave out.
pub(crate) fn builder(global: &Global) -> Builder {
    let mut builder = Node::builder();
    if let Some(cluster) = &global.cluster {
        builder = builder.cluster(cluster);
    }
    for registry in &global.registry {
        builder = builder.registry(registry);
    }
    for peer in &global.through {
        builder = builder.peer(peer);
    }
    if global.no_mdns {
        builder = builder.mdns(false);
    }
    if global.no_local {
        builder = builder.runtime_folder(false);
    }
    builder
}

/// Joins as a client and waits until a host is known. Says what is wrong otherwise.
pub(crate) async fn join(global: &Global) -> Result<Node, Exit> {
    let node = builder(global).client().start().await.map_err(|error| {
        eprintln!("{error}");
        Exit::NotExecuted
    })?;
    let mut watch = node.watch();
    let found = tokio::time::timeout(FIND_PEERS, async {
        while node.members().hosts().next().is_none() {
            if watch.changed().await.is_err() {
                break;
            }
        }
    });
    let ended = found.await;
    if ended.is_err() || node.members().hosts().next().is_none() {
        eprintln!(
            "no peer found: none answered by mDNS, in the runtime folder, at a registry or at a \
             given address. Start one with `peer run`, or name one with --peer or --registry."
        );
        return Err(Exit::NotExecuted);
    }
    settle(&mut watch).await;
    Ok(node)
}

/// Waits until the view, which comes in parts, has not changed for a moment.
async fn settle(watch: &mut ViewWatch) {
    let quiet = async { while tokio::time::timeout(QUIET, watch.changed()).await.is_ok() {} };
    tokio::time::timeout(SETTLE, quiet).await.ok();
}

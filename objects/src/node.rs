//! The handle of a running node.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use objects_proto::caller::Caller;
use objects_proto::machine::Command;
use overlay::{MembershipView, ViewWatch};
use overlay_proto::{Announcement, ClusterId, Duration, Input, ProcessId};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::naming::Namer;
use crate::shard::Shard;

/// Longest wait for everything to be handed over.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// A running node: hosts objects, makes and finds them, and binds proxies. Cheap to clone.
///
/// [`shutdown`](Self::shutdown) hands over and leaves. **Dropping the last clone is a crash**:
/// the others find out and take over what they hold replicas of. Proxies do not keep a node
/// alive; their calls then end with `NotExecuted`.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) shard: Arc<Shard>,
    pub(crate) overlay: overlay::Node,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) namer: Namer,
    pub(crate) announcement: Arc<watch::Sender<Announcement>>,
    pub(crate) factor: u8,
}

struct Inner {
    parts: Parts,
    tasks: Mutex<Option<JoinSet<()>>>,
    /// Whether the node has been shut down; locked while it is.
    ended: tokio::sync::Mutex<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.parts.shard.close();
    }
}

impl Node {
    pub(crate) fn new(parts: Parts, tasks: Mutex<Option<JoinSet<()>>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                tasks,
                ended: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// This process; its `peer` is the part that others dial.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.parts().overlay.process()
    }

    /// The name of the cluster that it belongs to.
    #[must_use]
    pub fn cluster_name(&self) -> &str {
        self.parts().overlay.cluster_name()
    }

    /// The cluster's identity, once it is known here: names belong to it. Its directory of names
    /// is the object with the same number.
    #[must_use]
    pub fn cluster_id(&self) -> Option<ClusterId> {
        self.cluster().id()
    }

    /// Where other peers may reach this node, as multiaddresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.parts().overlay.addresses()
    }

    /// The members as this node sees them now, itself included unless it is a client.
    #[must_use]
    pub fn members(&self) -> MembershipView {
        self.parts().overlay.view()
    }

    /// Watches the members.
    #[must_use]
    pub fn watch(&self) -> ViewWatch {
        self.parts().overlay.watch()
    }

    /// What happens at and around this node from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.parts().shard.events().listen()
    }

    /// What this node counted since its start.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.parts().shard, &self.parts().overlay)
    }

    /// Hands over what this node holds, leaves the cluster and ends all tasks. Takes up to 15 s
    /// if nobody can take what it holds. Calls made afterwards end with `NotExecuted`, those
    /// under way when it ends with `Indeterminate`.
    ///
    /// # Errors
    /// None at present. Repeated, it waits for the first one's end.
    pub async fn shutdown(&self) -> Result<()> {
        let mut ended = self.inner.ended.lock().await;
        if *ended {
            return Ok(());
        }
        let Parts {
            shard,
            overlay,
            announcement,
            ..
        } = self.parts();
        announcement.send_modify(|announcement| announcement.leaving = true);
        let leaving = announcement.borrow().clone();
        let _only_if_closed = overlay.announce(leaving).await;
        let mut drained = shard.drained();
        shard.handle(Input::Command(Command::Drain));
        let drain = drained.wait_for(Option::is_some);
        match tokio::time::timeout(DRAIN_TIMEOUT, drain).await {
            Ok(Ok(left)) if left.is_some_and(|left| left > 0) => {
                tracing::warn!(objects = *left, "objects were left behind");
            }
            Ok(_) => {}
            Err(_) => tracing::warn!("not everything was handed over in time"),
        }
        overlay.clone().shutdown().await;
        shard.close();
        if !shard.executors().stopped().await {
            tracing::warn!("a method does not return; its thread is left behind");
        }
        let tasks = self
            .inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
        *ended = true;
        Ok(())
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.inner.parts
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.inner.parts.namer.cluster
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.id())
    }
}

//! Nodes for tests: over loopback, found by address, in a cluster of their own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use objects::{Builder, Node, shared};
use serde::{Deserialize, Serialize};

/// Longest wait for anything: far beyond what it takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The kind of most tests.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    count: u64,
    ids: Vec<u64>,
}

/// Why a tally did not add.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TooMuch {
    pub(crate) limit: u64,
}

#[shared]
impl Tally {
    /// Adds one and remembers the id of the call.
    pub(crate) fn add(&mut self, id: u64) -> u64 {
        self.count += 1;
        self.ids.push(id);
        self.count
    }

    /// Changes the tally, then says no.
    pub(crate) fn add_at_most(&mut self, by: u64, limit: u64) -> Result<u64, TooMuch> {
        self.count += by;
        if by > limit {
            Err(TooMuch { limit })
        } else {
            Ok(self.count)
        }
    }

    /// Changes the tally, then panics.
    pub(crate) fn panic(&mut self, words: &str) {
        self.count += 1_000;
        panic!("{words}");
    }

    /// Takes its time and holds the thread.
    pub(crate) fn block(&mut self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }

    /// Takes its time without holding the thread.
    pub(crate) async fn wait(&mut self, cx: &objects::Context, millis: u64) {
        cx.sleep(Duration::from_millis(millis)).await;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.ids.clone()
    }
}

/// A name for a cluster that no other test uses.
pub(crate) fn cluster() -> String {
    static CLUSTERS: AtomicU32 = AtomicU32::new(0);
    let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{number}", std::process::id())
}

/// A node that only meets whom it is told of.
pub(crate) fn builder(cluster: &str) -> Builder {
    Node::builder()
        .ignore_environment()
        .cluster(cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
}

/// Starts `count` hosts of [`Tally`] that see each other.
pub(crate) async fn hosts(count: usize) -> Vec<Node> {
    start(count, |builder| builder.host::<Tally>()).await
}

/// Starts `count` nodes that see each other.
pub(crate) async fn start(count: usize, configure: impl Fn(Builder) -> Builder) -> Vec<Node> {
    let cluster = cluster();
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..count {
        let node = join(&cluster, nodes.first(), &configure).await;
        nodes.push(node);
    }
    for node in &nodes {
        see(node, count).await;
    }
    nodes
}

/// Starts one node that joins by another one.
pub(crate) async fn join(
    cluster: &str,
    by: Option<&Node>,
    configure: impl Fn(Builder) -> Builder,
) -> Node {
    let mut builder = configure(builder(cluster));
    if let Some(by) = by {
        builder = builder.peer(&by.addresses()[0]);
    }
    builder.start().await.expect("the node starts")
}

/// Waits until `node` sees so many hosts.
pub(crate) async fn see(node: &Node, hosts: usize) {
    let mut watch = node.watch();
    let seen = watch.until(|view| view.hosts().count() == hosts);
    let seen = tokio::time::timeout(PATIENCE, seen).await;
    seen.expect("the nodes see each other in time")
        .expect("the node runs");
}

/// Waits until `done` says so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let repeated = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, repeated)
        .await
        .unwrap_or_else(|_| panic!("in time: {what}"));
}

//! Clusters of real peer processes on loopback.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use objects::Node;
use peer::processes::Process;
use tokio::process::Command;

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Peers of one cluster, and a client of it in this process.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) peers: Vec<Process>,
    pub(crate) node: Node,
}

impl Cluster {
    /// Starts `peers` peers that meet through the first one.
    pub(crate) async fn start(peers: usize) -> Self {
        let name = fresh_name();
        let mut started: Vec<Process> = Vec::new();
        for index in 0..peers {
            let through: Vec<String> = started
                .iter()
                .take(2)
                .map(|peer: &Process| peer.address.clone())
                .collect();
            started.push(start_peer(&format!("peer {index}"), &name, &through).await);
        }
        let node = client(&name, &started).await;
        let cluster = Self {
            name,
            peers: started,
            node,
        };
        cluster.wait_for_hosts(peers).await;
        cluster
    }

    /// One more peer, through the living ones.
    pub(crate) async fn join(&mut self) -> usize {
        let through: Vec<String> = self.living().map(|peer| peer.address.clone()).collect();
        let name = format!("peer {}", self.peers.len());
        self.peers
            .push(start_peer(&name, &self.name, &through).await);
        self.peers.len() - 1
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = &Process> {
        self.peers.iter().filter(|peer| peer.is_running())
    }

    /// The index of the process with this peer id.
    pub(crate) fn index_of(&self, peer: &str) -> usize {
        self.peers
            .iter()
            .position(|process| process.peer == peer)
            .expect("a peer of ours")
    }

    pub(crate) async fn wait_for_hosts(&self, hosts: usize) {
        let node = &self.node;
        until("the hosts in the view", async || {
            node.members().hosts().count() == hosts
        })
        .await;
    }

    /// The peer id of the object's primary and of its replicas.
    pub(crate) async fn place(&self, object: &objects::RawRef) -> (String, Vec<String>) {
        let description = self
            .node
            .inspect(object)
            .await
            .expect("the object can be described");
        let set = &description.configuration;
        let primary = set.process(description.ballot.member).expect("a primary");
        (
            primary.peer.to_string(),
            set.processes().map(|p| p.peer.to_string()).collect(),
        )
    }
}

/// A cluster name that no other test uses.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "test-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The `peer` binary.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_peer"))
}

/// A peer on loopback that is found only through the given addresses.
pub(crate) async fn start_peer(name: &str, cluster: &str, through: &[String]) -> Process {
    let mut arguments = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "--no-mdns",
        "--no-local",
    ]
    .map(String::from)
    .to_vec();
    arguments.extend(["--cluster".to_owned(), cluster.to_owned()]);
    for address in through {
        arguments.extend(["--peer".to_owned(), address.clone()]);
    }
    Process::spawn(name, binary(), &arguments)
        .await
        .expect("the peer starts")
}

/// A client in this process.
pub(crate) async fn client(cluster: &str, peers: &[Process]) -> Node {
    let running = peers.iter().filter(|peer| peer.is_running());
    let addresses: Vec<String> = running.map(|peer| peer.address.clone()).collect();
    client_at(cluster, "127.0.0.1:0", &addresses).await
}

/// A client in this process that listens there and is told of these peers.
pub(crate) async fn client_at(cluster: &str, listen: &str, peers: &[String]) -> Node {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer()
        .try_init()
        .ok();
    let mut builder = Node::builder()
        .client()
        .cluster(cluster)
        .mdns(false)
        .runtime_folder(false);
    for peer in peers {
        builder = builder.peer(peer);
    }
    let node = builder
        .listen(listen)
        .start()
        .await
        .expect("the client starts");
    until("a host in the client's view", async || {
        node.members().hosts().next().is_some()
    })
    .await;
    node
}

/// Polls until it is so; fails the test after [`PATIENCE`].
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs the binary as a client of the cluster and returns its exit code and its output.
pub(crate) async fn run(cluster: &Cluster, arguments: &[&str]) -> (i32, String) {
    let mut command = binary();
    command
        .args(arguments)
        .args(["--no-mdns", "--no-local", "--cluster", &cluster.name]);
    for peer in cluster.living() {
        command.args(["--peer", &peer.address]);
    }
    let output = command.output().await.expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

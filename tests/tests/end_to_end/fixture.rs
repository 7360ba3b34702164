//! Nodes on loopback in clusters of their own, other processes, and folders that go away.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use objects::{Builder, Node};

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A name that no other test uses, for a cluster or a folder.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("end-to-end-{}-{number}", std::process::id())
}

/// A node that meets only whom it is told of.
pub(crate) fn builder(cluster: &str) -> Builder {
    Node::builder()
        .ignore_environment()
        .cluster(cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
}

/// Starts `count` nodes that see each other.
pub(crate) async fn start(count: usize, configure: impl Fn(Builder) -> Builder) -> Vec<Node> {
    let cluster = fresh_name();
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..count {
        let mut builder = configure(builder(&cluster));
        if let Some(first) = nodes.first() {
            builder = builder.peer(&first.addresses()[0]);
        }
        nodes.push(builder.start().await.expect("the node starts"));
    }
    for node in &nodes {
        see(node, count).await;
    }
    nodes
}

/// Waits until a node sees so many hosts.
pub(crate) async fn see(node: &Node, hosts: usize) {
    let mut watch = node.watch();
    let seen = watch.until(|view| view.hosts().count() == hosts);
    soon("the hosts in the view", seen)
        .await
        .expect("the node runs");
}

/// Waits for what must happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Polls until it is so.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// This test executable once more, as another process that runs one test with `variable` set;
/// killed at the end.
pub(crate) struct Process {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(test: &str, variable: &'static str, value: &str) -> Self {
        Self::start_with(test, [(variable, value)])
    }

    pub(crate) fn start_with<V: AsRef<OsStr>>(
        test: &str,
        variables: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Self {
        let own = std::env::current_exe().expect("this executable has a path");
        let mut child = Command::new(own)
            .args(["--exact", test, "--nocapture"])
            .envs(variables)
            .stdout(Stdio::piped())
            .spawn()
            .expect("this executable starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// The next line that starts with this word, without it. Blocks.
    pub(crate) fn told(&mut self, word: &str) -> String {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        let line =
            lines.find_map(|line| line.strip_prefix(word).map(|rest| rest.trim().to_owned()));
        line.unwrap_or_else(|| panic!("the other process ended without telling `{word}`"))
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number of KiB")
            * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A folder that is removed at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(fresh_name());
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

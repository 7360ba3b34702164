//! Nodes that find each other by nothing but what a test gives them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use overlay::{Builder, FrameHandler, LinkDown, Node, ProcessId};
use tokio::sync::mpsc;

/// Longest wait for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A builder of nodes on loopback without any discovery.
pub(crate) fn builder() -> Builder {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_test_writer()
            .try_init(),
    );
    Node::builder()
        .ignore_environment()
        .cluster("test")
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
}

/// Waits for a future, or fails the test.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it must happen soon")
}

/// The only address of a node.
pub(crate) fn address(node: &Node) -> String {
    node.addresses()
        .first()
        .cloned()
        .expect("a listening node has an address")
}

/// A folder that is removed at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("pydo-test-{:016x}", rand::random::<u64>()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What a handler was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Up(ProcessId),
    Down(ProcessId, LinkDown),
    Frame(ProcessId, Bytes),
}

/// A handler that writes down what it is told.
pub(crate) struct Recorder {
    told: mpsc::UnboundedSender<Told>,
}

impl FrameHandler for Recorder {
    fn frames(&self, from: ProcessId, frames: &mut Vec<Bytes>) {
        for frame in frames.drain(..) {
            drop(self.told.send(Told::Frame(from, frame)));
        }
    }

    fn link_up(&self, process: ProcessId) {
        drop(self.told.send(Told::Up(process)));
    }

    fn link_down(&self, process: ProcessId, reason: LinkDown) {
        drop(self.told.send(Told::Down(process, reason)));
    }
}

/// What a [`Recorder`] was told, in order.
pub(crate) struct Record {
    told: mpsc::UnboundedReceiver<Told>,
}

impl Record {
    pub(crate) fn new() -> (Arc<Recorder>, Self) {
        let (sender, told) = mpsc::unbounded_channel();
        (Arc::new(Recorder { told: sender }), Self { told })
    }

    pub(crate) async fn next(&mut self) -> Told {
        soon(self.told.recv()).await.expect("the node runs")
    }

    pub(crate) fn try_next(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }
}

/// Waits until a node's view is exactly these nodes.
pub(crate) async fn sees(node: &Node, members: &[&Node]) {
    let mut processes: Vec<ProcessId> = members.iter().map(|node| node.process()).collect();
    processes.sort();
    let complete = |view: &overlay::MembershipView| {
        view.members()
            .iter()
            .map(|member| member.record.process)
            .eq(processes.iter().copied())
    };
    soon(node.watch().until(complete))
        .await
        .expect("the node runs");
}

//! The `registry` binary: it is killed, and comes back with what it remembered.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use overlay::Node;
use overlay::proto::registry::{Answer, Request};
use overlay::registry::call;
use serde_json::Value;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start(listen: &str, snapshot: &PathBuf) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_registry"))
            .args(["--json", "--listen", listen, "--snapshot"])
            .arg(snapshot)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the registry starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let started: Value = serde_json::from_str(&line).expect("JSON");
        let address = started["addresses"][0]
            .as_str()
            .expect("an address")
            .to_owned();
        Self { process, address }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

async fn listed(registry: &str) -> usize {
    match call(registry, "kept", Request::List { limit: 10 }).await {
        Ok(Answer::List { records, .. }) => records.len(),
        _ => 0,
    }
}

fn node(registry: &str) -> overlay::Builder {
    let node = Node::builder()
        .ignore_environment()
        .cluster("kept")
        .listen("127.0.0.1:0");
    node.mdns(false).runtime_folder(false).registry(registry)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_registry_comes_back_with_its_snapshot() {
    let folder = std::env::temp_dir().join(format!("pydo-registry-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let snapshot = folder.join("snapshot");
    let first = Registry::start("127.0.0.1:0", &snapshot);
    let member = node(&first.address).start().await.expect("a node");
    let began = Instant::now();
    let saved = || std::fs::metadata(&snapshot).map_or(0, |file| file.len());
    while listed(&first.address).await == 0 || saved() < 100 {
        assert!(
            began.elapsed() < PATIENCE,
            "the member is registered and saved"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(first);

    let second = Registry::start("127.0.0.1:0", &snapshot);
    assert_eq!(
        listed(&second.address).await,
        1,
        "remembered from the snapshot"
    );
    assert_eq!(
        call(&second.address, "other", Request::List { limit: 10 })
            .await
            .ok(),
        Some(Answer::List {
            records: Vec::new(),
            cluster: None
        }),
        "clusters are apart"
    );
    let late = node(&second.address).start().await.expect("a late node");
    let both = || late.view().len() == 2 && member.view().len() == 2;
    while !both() {
        assert!(
            began.elapsed() < PATIENCE,
            "the late node meets the first one"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    late.shutdown().await;
    member.shutdown().await;
    std::fs::remove_dir_all(&folder).ok();
}

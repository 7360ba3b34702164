//! Peers that are told no address find each other: by mDNS between network namespaces, through
//! the runtime folder on a loopback-only machine.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{PATIENCE, fresh_name};
use crate::ns::Namespaces;

/// Promised from the start of a peer until it and another one on its bridge know each other.
const MEET_MAX: Duration = Duration::from_secs(3);

impl Namespaces {
    /// What the command line prints in this namespace.
    async fn print(&self, index: usize, arguments: &[&str]) -> String {
        let mut command = self.command(index, env!("CARGO_BIN_EXE_peer"));
        let output = command.args(arguments).output().await.expect("it runs");
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {problem}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// How many members a client in this namespace sees.
    async fn members(&self, index: usize, arguments: &[&str]) -> usize {
        let command = [&["members", "--json"], arguments].concat();
        let printed = self.print(index, &command).await;
        let value: Value = serde_json::from_str(&printed).expect("JSON");
        value["members"].as_array().expect("members").len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_on_one_bridge_meet_by_mdns() {
    let Some(hosts) = Namespaces::make(3, true) else {
        return;
    };
    let (ours, theirs) = (fresh_name(), fresh_name());
    let here = ["--no-local", "--cluster", &ours];
    let run = ["run", "--no-local", "--cluster", &ours];
    let there = ["run", "--no-local", "--cluster", &theirs];
    let first = hosts.peer(0, &run).await;
    let stranger = hosts.peer(2, &there).await;
    let started = Instant::now();
    let second = hosts.peer(1, &run).await;
    let met = async {
        tokio::join!(
            first.told("joined", &second.peer),
            second.told("joined", &first.peer)
        )
    };
    tokio::time::timeout(MEET_MAX, met)
        .await
        .expect("they meet by mDNS");
    let took = started.elapsed();
    println!("met {took:?} after the second one was started");
    assert!(took <= MEET_MAX, "met after {took:?}");

    let create = [&["create", "Counter", "--name", "hits"], &here[..]].concat();
    hosts.print(0, &create).await;
    let call = [&["call", "hits", "increment", "3"], &here[..]].concat();
    assert_eq!(hosts.print(1, &call).await, "3");
    assert_eq!(
        hosts.members(0, &here).await,
        2,
        "another cluster stays apart"
    );
    assert!(!stranger.has_told("joined"), "and nobody comes to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_only_processes_meet() {
    let Some(hosts) = Namespaces::make(1, false) else {
        return;
    };
    let (ours, theirs) = (fresh_name(), fresh_name());
    let first = hosts.peer(0, &["run", "--cluster", &ours]).await;
    let stranger = hosts.peer(0, &["run", "--cluster", &theirs]).await;
    let second = hosts.peer(0, &["run", "--cluster", &ours]).await;
    let met = async {
        tokio::join!(
            first.told("joined", &second.peer),
            second.told("joined", &first.peer)
        )
    };
    tokio::time::timeout(PATIENCE, met)
        .await
        .expect("they meet on loopback");
    assert_eq!(hosts.members(0, &["--cluster", &ours]).await, 2);
    let apart = hosts.members(0, &["--cluster", &theirs]).await;
    assert_eq!(apart, 1, "clusters stay apart");
    assert!(!stranger.has_told("joined"));
}

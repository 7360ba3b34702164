//! Peers that are told no address find each other: by mDNS between network namespaces, through
//! the runtime folder on a loopback-only machine.

use std::process::Command as Blocking;
use std::time::Instant;

use peer::processes::Process;
use serde_json::Value;
use tokio::process::Command;

use crate::fixture::{PATIENCE, fresh_name};

/// Namespaces joined by a bridge of their own, or each with nothing but loopback.
struct Namespaces {
    names: Vec<String>,
    bridge: Option<String>,
}

fn ip(arguments: &[&str]) -> bool {
    Blocking::new("ip")
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

impl Namespaces {
    /// `None` where namespaces cannot be made; a failure where the gate says that they can.
    fn make(count: usize, joined: bool) -> Option<Self> {
        let base = format!(
            "pd{}{}",
            std::process::id() % 100_000,
            if joined { "b" } else { "l" }
        );
        let mut made = Self {
            names: Vec::new(),
            bridge: None,
        };
        for index in 0..count {
            let name = format!("{base}{index}");
            if !ip(&["netns", "add", &name]) {
                let required = std::env::var_os("PYDO_TEST_NAMESPACES").is_some();
                assert!(
                    !required,
                    "namespaces can be made here, but this test could not"
                );
                println!("skipped: network namespaces cannot be made here");
                return None;
            }
            made.names.push(name.clone());
            assert!(ip(&["-n", &name, "link", "set", "lo", "up"]));
        }
        if joined {
            made.join(&base);
        }
        Some(made)
    }

    /// The bridge lives in the first namespace, so that the host's own network is not touched.
    fn join(&mut self, base: &str) {
        let home = self.names[0].clone();
        let bridge = format!("{base}br");
        assert!(ip(&["-n", &home, "link", "add", &bridge, "type", "bridge"]));
        assert!(ip(&[
            "-n",
            &home,
            "addr",
            "add",
            "10.213.0.1/24",
            "dev",
            &bridge
        ]));
        assert!(ip(&["-n", &home, "link", "set", &bridge, "up"]));
        for (index, name) in self.names.iter().enumerate().skip(1) {
            let (near, far) = (format!("{base}n{index}"), format!("{base}f{index}"));
            assert!(ip(&[
                "-n", &home, "link", "add", &near, "type", "veth", "peer", "name", &far
            ]));
            assert!(ip(&["-n", &home, "link", "set", &far, "netns", name]));
            assert!(ip(&["-n", &home, "link", "set", &near, "master", &bridge]));
            assert!(ip(&["-n", &home, "link", "set", &near, "up"]));
            let address = format!("10.213.0.{}/24", index + 1);
            assert!(ip(&["-n", name, "addr", "add", &address, "dev", &far]));
            assert!(ip(&["-n", name, "link", "set", &far, "up"]));
            assert!(ip(&[
                "-n",
                name,
                "route",
                "add",
                "default",
                "via",
                "10.213.0.1"
            ]));
        }
        let route = ["-n", &home, "route", "add", "224.0.0.0/4", "dev", &bridge];
        assert!(ip(&route));
        self.bridge = Some(bridge);
    }

    fn command(&self, index: usize) -> Command {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.names[index],
            env!("CARGO_BIN_EXE_peer"),
        ]);
        command
    }

    async fn peer(&self, index: usize, arguments: &[&str]) -> Process {
        let arguments: Vec<String> = arguments.iter().copied().map(String::from).collect();
        let name = format!("peer {index}");
        Process::spawn(&name, self.command(index), &arguments)
            .await
            .expect("the peer starts")
    }

    /// How many members a client in this namespace sees.
    async fn members(&self, index: usize, arguments: &[&str]) -> usize {
        let mut command = self.command(index);
        command.args(["members", "--json"]).args(arguments);
        let output = command.output().await.expect("members");
        let text = String::from_utf8_lossy(&output.stdout);
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        value["members"].as_array().map_or(0, Vec::len)
    }

    async fn call(&self, index: usize, arguments: &[&str]) -> String {
        let output = self
            .command(index)
            .args(arguments)
            .output()
            .await
            .expect("call");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&["netns", "delete", name]);
        }
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
    let _first = hosts.peer(0, &run).await;
    let started = Instant::now();
    let _second = hosts.peer(1, &run).await;
    let _stranger = hosts
        .peer(2, &["run", "--no-local", "--cluster", &theirs])
        .await;
    while hosts.members(0, &here).await < 2 {
        assert!(
            started.elapsed() < PATIENCE,
            "the peers did not meet by mDNS"
        );
    }
    println!("met after {:?}, polling included", started.elapsed());
    hosts
        .call(
            0,
            &[&["create", "Counter", "--name", "hits"], &here[..]].concat(),
        )
        .await;
    let count = hosts
        .call(
            1,
            &[&["call", "hits", "increment", "3"], &here[..]].concat(),
        )
        .await;
    assert_eq!(count, "3");
    assert_eq!(
        hosts.members(0, &here).await,
        2,
        "another cluster stays apart"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_only_processes_meet() {
    let Some(hosts) = Namespaces::make(1, false) else {
        return;
    };
    let (ours, theirs) = (fresh_name(), fresh_name());
    let _first = hosts.peer(0, &["run", "--cluster", &ours]).await;
    let _second = hosts.peer(0, &["run", "--cluster", &ours]).await;
    let _stranger = hosts.peer(0, &["run", "--cluster", &theirs]).await;
    let started = Instant::now();
    while hosts.members(0, &["--cluster", &ours]).await < 2 {
        assert!(
            started.elapsed() < PATIENCE,
            "the processes did not meet on loopback"
        );
    }
    assert_eq!(hosts.members(0, &["--cluster", &ours]).await, 2);
    assert_eq!(
        hosts.members(0, &["--cluster", &theirs]).await,
        1,
        "clusters stay apart"
    );
}

//! Runs every example as its reader would. Cargo builds them for this package's tests.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for a line of output, or for the end of a program.
const PATIENCE: Duration = Duration::from_secs(40);

/// An example that runs; killed at the end.
struct Example {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Example {
    /// Starts an example in a cluster of its own.
    fn start(name: &str, cluster: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(built(name))
            .args(arguments)
            .env("PYDO_CLUSTER", cluster)
            .env_remove("PYDO_PEER")
            .env_remove("PYDO_LISTEN")
            .env_remove("PYDO_REGISTRY")
            .env_remove("PYDO_DATA_DIR")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line of output that the test knows.
    fn line(&mut self, what: &str, known: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line with {what}:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if known(&line) {
                return line;
            }
        }
    }

    /// Waits for the end, which must be a success, and returns all lines.
    fn end(mut self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(_) => panic!("it does not end:\n{}", self.seen.join("\n")),
            }
        }
        let status = self.child.wait().expect("the child ran");
        assert!(status.success(), "{status}:\n{}", self.seen.join("\n"));
        std::mem::take(&mut self.seen)
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The executable of an example: beside those of the tests.
fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this executable has a path");
    let profile = own.ancestors().nth(2).expect("target/PROFILE/deps/run");
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "cargo has not built {}", path.display());
    path
}

/// A cluster that no other test uses.
fn cluster(test: &str) -> String {
    format!("example-{test}-{}", std::process::id())
}

#[test]
fn the_bank_makes_and_loses_no_money() {
    let lines = Example::start("bank", &cluster("bank"), &[]).end();
    let all = lines.join("\n");
    let invariant = lines.iter().rfind(|line| line.starts_with("balances"));
    assert_eq!(
        invariant.map(String::as_str),
        Some("balances 400 + in flight 0 = 400?"),
        "{all}"
    );
    assert!(all.contains("all arrived"), "{all}");
}

#[test]
fn three_counters_started_at_once_count_together() {
    const ROUNDS: usize = 4;
    let (cluster, started) = (cluster("counter"), Instant::now());
    let rounds = ROUNDS.to_string();
    let running: Vec<Example> = (0..3)
        .map(|_| Example::start("counter", &cluster, &[&rounds]))
        .collect();
    let mut counts = Vec::new();
    for example in running {
        for line in example.end() {
            if let Some(count) = line.strip_prefix("count ") {
                let number = count.split(' ').next().expect("a number");
                counts.push(number.parse::<usize>().expect("a number"));
            }
        }
    }
    let distinct: BTreeSet<usize> = counts.iter().copied().collect();
    assert_eq!(counts.len(), 3 * ROUNDS, "every call was acknowledged");
    assert!(
        distinct.into_iter().eq(1..=3 * ROUNDS),
        "one object counts for all: {counts:?}"
    );
    println!(
        "three counters: {} counts within {:?}",
        counts.len(),
        started.elapsed()
    );
}

#[test]
fn the_overlay_alone_tells_its_story() {
    let lines = Example::start("overlay_alone", &cluster("overlay"), &[]).end();
    let all = lines.join("\n");
    for words in [
        "sees 3 members",
        "answers: hello neighbour",
        "says: open now",
        "was here",
    ] {
        assert!(all.contains(words), "no `{words}` in:\n{all}");
    }
}

#[test]
fn the_overlay_alone_joins_another_process() {
    let cluster = cluster("joins");
    let mut stays = Example::start("overlay_alone", &cluster, &["--stay"]);
    let listens = stays.line("an address", |line| line.contains("listens on "));
    let address = listens.split(' ').next_back().expect("an address");
    let mut joins = Example::start("overlay_alone", &cluster, &["--peer", address]);
    for example in [&mut stays, &mut joins] {
        example.line("a greeting", |line| line.contains("answers: hello"));
        example.line("news", |line| line.contains("says: still here"));
    }
    joins.signal("-KILL");
    let killed = Instant::now();
    stays.line("the will of the dead", |line| line.contains("was here"));
    println!(
        "a record was found {:?} after its writer was killed",
        killed.elapsed()
    );
    stays.signal("-INT");
    stays.end();
}

#[test]
fn an_own_peer_serves_its_own_kind() {
    let cluster = cluster("own-peer");
    let here = ["--no-mdns", "--no-local", "--json"];
    let run = [&["run", "--listen", "127.0.0.1:0"], &here[..]].concat();
    let mut peer = Example::start("own_peer", &cluster, &run);
    let started = peer.line("its address", |line| line.contains("\"started\""));
    let started: serde_json::Value = serde_json::from_str(&started).expect("JSON");
    let address = started["addresses"][0].as_str().expect("an address");
    let ask = |arguments: &[&str]| {
        let joins = [arguments, &here, &["--peer", address]].concat();
        Example::start("own_peer", &cluster, &joins)
            .end()
            .join("\n")
    };
    ask(&["create", "Cart", "--name", "mine", r#"{"items": []}"#]);
    ask(&["call", "mine", "add", "apple"]);
    let added = ask(&["call", "mine", "add", "pear"]);
    assert!(added.contains('2'), "{added}");
    let items = ask(&["call", "mine", "items"]);
    assert!(items.contains(r#"["apple","pear"]"#), "{items}");
    peer.signal("-TERM");
    peer.end();
}

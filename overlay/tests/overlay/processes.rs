//! Real processes: this test executable starts itself again as a node.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use overlay::{LinkDown, Node, PeerId};

use crate::crowd::hasty;
use crate::fixture::{Record, Told, address, builder, sees, soon};

const PEER: &str = "PYDO_TEST_CHILD_PEER";

/// The other process: a node that joins by the address in the environment and waits.
#[test]
fn child() {
    let Ok(peer) = std::env::var(PEER) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let node = builder().config(hasty()).peer(peer).start().await.unwrap();
        let id = node.id().0.map(|byte| format!("{byte:02x}")).concat();
        println!("\nnode {id}");
        std::future::pending::<()>().await;
    });
}

/// A child process that is killed at the end.
struct Process {
    child: Child,
    id: PeerId,
}

impl Process {
    fn start(peer: &Node) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::child", "--nocapture"])
            .env(PEER, address(peer))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .map_while(Result::ok)
            .find_map(|l| l.strip_prefix("node ").map(str::to_owned));
        let hex = line.expect("the child tells its id");
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        Self {
            child,
            id: PeerId(std::array::from_fn(byte)),
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_is_known_to_be_gone_in_milliseconds() {
    let (handler, mut record) = Record::new();
    let a = builder().frames(handler).start().await.unwrap();
    let mut other = Process::start(&a);
    let Told::Up(process) = record.next().await else {
        panic!("no link")
    };
    assert_eq!(process.peer, other.id);
    let killed = Instant::now();
    other.child.kill().unwrap();
    assert_eq!(record.next().await, Told::Down(process, LinkDown::Refused));
    assert!(
        killed.elapsed() < Duration::from_millis(500),
        "{:?}",
        killed.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_process_is_taken_for_dead_and_refutes_when_it_thaws() {
    let a = builder().config(hasty()).start().await.unwrap();
    let b = builder()
        .config(hasty())
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    sees(&a, &[&a, &b]).await;
    let other = Process::start(&a);
    for node in [&a, &b] {
        soon(node.watch().until(|view| view.peer(&other.id).is_some()))
            .await
            .unwrap();
    }
    other.signal("-STOP");
    for node in [&a, &b] {
        soon(node.watch().until(|view| view.peer(&other.id).is_none()))
            .await
            .unwrap();
    }
    other.signal("-CONT");
    for node in [&a, &b] {
        soon(node.watch().until(|view| view.peer(&other.id).is_some()))
            .await
            .unwrap();
    }
}

//! The same measurement on shared objects: hosts in processes of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use objects::Node;
use objects::kinds::Counter;

use crate::measure::{self, Figures};

/// Objects that the calls go to.
const OBJECTS: usize = 64;

/// A host process, until it is killed.
pub(crate) async fn host(arguments: &[String]) {
    let mut builder = Node::builder()
        .cluster(&arguments[0])
        .mdns(false)
        .runtime_folder(false);
    for peer in &arguments[1..] {
        builder = builder.peer(peer);
    }
    let builder = builder.listen("127.0.0.1:0").host::<Counter>();
    let node = builder.start().await.expect("the host starts");
    println!("{}", node.addresses()[0]);
    std::io::stdout().flush().expect("stdout");
    std::future::pending::<()>().await;
}

/// Calls from this process to `hosts` hosts, each object on all of them.
pub(crate) async fn measure(hosts: usize) -> Figures {
    let cluster = format!("bench-{}-{hosts}", std::process::id());
    let mut children: Vec<Child> = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..hosts {
        let (child, address) = start(&cluster, &addresses);
        children.push(child);
        addresses.push(address);
    }
    let mut builder = Node::builder()
        .client()
        .cluster(&cluster)
        .mdns(false)
        .runtime_folder(false);
    for address in &addresses {
        builder = builder.peer(address);
    }
    let node = builder
        .listen("127.0.0.1:0")
        .start()
        .await
        .expect("the client starts");
    let mut watch = node.watch();
    while node.members().hosts().count() < hosts {
        watch.changed().await.ok();
    }
    let mut counters = Vec::new();
    for _ in 0..OBJECTS {
        counters.push(node.create(Counter::default()).await.expect("created"));
    }
    let figures = measure::measure(|index| {
        let counter = counters[index % OBJECTS].clone();
        move || {
            let call = counter.increment(1);
            async move {
                call.await.expect("counted");
            }
        }
    });
    let figures = figures.await;
    for mut child in children {
        child.kill().expect("the host is ours");
        child.wait().expect("it ends");
    }
    figures
}

fn start(cluster: &str, peers: &[String]) -> (Child, String) {
    let program = std::env::current_exe().expect("this executable");
    let mut command = Command::new(program);
    command
        .arg("host")
        .arg(cluster)
        .args(peers)
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("the host starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("a pipe");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("an address");
    (child, line.trim().to_owned())
}

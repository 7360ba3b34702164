//! The overlay without objects, in two processes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use overlay::{Node, PeerId, Received};

use crate::fixture::{PATIENCE, Process, fresh_name, soon};

const ADDRESS: &str = "PYDO_TEST_OVERLAY";
const MESSAGES: u32 = 1_000;
const KEY: [u8; 32] = [7; 32];

fn node(cluster: &str) -> overlay::Builder {
    Node::builder()
        .ignore_environment()
        .cluster(cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
}

/// The other process: joins by the cluster and address in the environment, serves, listens.
#[test]
fn other_process() {
    let Ok(place) = std::env::var(ADDRESS) else {
        return;
    };
    let (cluster, address) = place.split_once(' ').expect("a cluster and an address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let node = node(cluster).peer(address).start().await.expect("starts");
        node.serve("sum", |_, numbers: Vec<u64>| async move {
            numbers.iter().sum::<u64>()
        });
        let mut news = node.subscribe("news").await.expect("subscribed");
        let hex = node.id().0.map(|byte| format!("{byte:02x}")).concat();
        println!("\nnode {hex}");
        let mut heard = BTreeSet::new();
        while heard.len() < MESSAGES as usize {
            let Some(Received::Message(message)) = news.next().await else {
                panic!("messages were lost");
            };
            if message.data == "ready?" {
                node.publish("answers", "ready").await.expect("published");
            } else {
                assert!(heard.insert(message.data), "a message came twice");
            }
        }
        println!("heard {}", heard.len());
        while !node.put_record(KEY.to_vec(), "found").await.expect("runs") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("kept");
        std::future::pending::<()>().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_need_nothing_else() {
    let cluster = fresh_name();
    let node = node(&cluster).start().await.expect("the node starts");
    let place = format!("{cluster} {}", node.addresses()[0]);
    let mut other = Process::start("overlay_alone::other_process", ADDRESS, &place);
    let hex = other.told("node ");
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
    let peer = PeerId(std::array::from_fn(byte));
    let mut watch = node.watch();
    soon(
        "the other one in the view",
        watch.until(|view| view.peer(&peer).is_some()),
    )
    .await
    .expect("the node runs");

    let sum = node.request::<_, u64>(peer, "sum", &[1_u64, 2, 39], PATIENCE);
    assert_eq!(sum.await, Ok(42));

    let mut answers = node.subscribe("answers").await.expect("subscribed");
    soon("an answer to what is published", async {
        let pause = Duration::from_millis(100);
        loop {
            node.publish("news", "ready?").await.expect("published");
            if tokio::time::timeout(pause, answers.next()).await.is_ok() {
                return;
            }
        }
    })
    .await;
    let started = Instant::now();
    for number in 0..MESSAGES {
        node.publish("news", number.to_string())
            .await
            .expect("published");
    }
    assert_eq!(other.told("heard "), MESSAGES.to_string());
    println!(
        "{MESSAGES} messages to another process: {:?}",
        started.elapsed()
    );

    other.told("kept");
    other.child.kill().expect("it is killed");
    let killed = Instant::now();
    soon(
        "its death in the view",
        watch.until(|view| view.peer(&peer).is_none()),
    )
    .await
    .expect("the node runs");
    println!(
        "a killed process left the view after {:?}",
        killed.elapsed()
    );
    let mut found = node.get_record(KEY.to_vec()).await.expect("the node runs");
    let found = soon("the record of the dead", found.next()).await;
    assert_eq!(found.as_deref(), Some(&b"found"[..]));
}

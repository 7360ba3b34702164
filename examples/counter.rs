//! The three-terminal story: start this in three terminals, then `kill -9` the one that runs the
//! object. The others go on, the count is right, and they say who took over and how fast.
//!
//! `counter [ROUNDS]` stops after so many increments.

use std::time::{Duration, Instant};

use objects::{Event, Node, shared};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared]
impl Counter {
    fn increment(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }
}

#[tokio::main]
async fn main() -> objects::Result<()> {
    let rounds: u64 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(u64::MAX);
    let node = Node::builder().host::<Counter>().start().await?;
    println!("this is {}, process {}", node.id().peer, std::process::id());
    tell_events(&node);
    let hits = node.get_or_create("hits", Counter { count: 0 }).await?;
    for _ in 0..rounds {
        let sent = Instant::now();
        match hits.increment(1).await {
            Ok(count) => {
                let took = sent.elapsed().as_micros();
                println!(
                    "count {count:<6} primary {}  {took} us",
                    primary(&node, &hits).await
                );
            }
            Err(error) => println!("{error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    node.shutdown().await
}

/// Who runs the object now, and how many replicas stand by.
async fn primary(node: &Node, hits: &CounterProxy) -> String {
    let Ok(description) = node.inspect(hits).await else {
        return "unknown".to_owned();
    };
    let set = &description.configuration;
    let primary = set.process(description.ballot.member);
    let name = primary.map_or_else(|| "unknown".to_owned(), |process| process.peer.to_string());
    format!("{name} of {} replicas", set.members.len())
}

fn tell_events(node: &Node) {
    let mut events = node.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::Joined(process) => println!("  + {} joined", process.peer),
                Event::Lost { process, .. } => println!("  - {} is gone", process.peer),
                Event::TookOver { kind, after, .. } => {
                    println!(
                        "  * this peer took over a {kind} after {} ms",
                        after.as_millis()
                    );
                }
                _ => {}
            }
        }
    });
}

//! SIGTERM hands over: no call fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use objects::kinds::Counter;

use crate::fixture::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_of_a_primary_fails_no_call() {
    let mut cluster = Cluster::start(4).await;
    let mut objects = Vec::new();
    for _ in 0..6 {
        let made = cluster.node.create(Counter::default()).await;
        objects.push(made.expect("created"));
    }
    let counter = objects[0].clone();
    let objects: Vec<_> = objects.iter().map(objects::Ref::from).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (proxy, stop) = (counter.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut calls, mut longest) = (0_u64, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    proxy.increment(1).await.expect("no call fails");
                    longest = longest.max(sent.elapsed());
                    calls += 1;
                }
                (calls, longest)
            })
        })
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (gone, _) = cluster.place(objects[0].raw()).await;
        let index = cluster.index_of(&gone);
        cluster.peers[index].terminate().await;
        for object in &objects {
            let (primary, members) = cluster.place(object.raw()).await;
            assert_ne!(primary, gone);
            assert!(!members.contains(&gone), "the peer that left holds nothing");
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for client in clients {
        let (made, longest) = client.await.expect("no call failed");
        calls += made;
        println!("time without service: {longest:?}");
    }
    assert_eq!(counter.count().await.expect("the count"), calls);
}

/// Every peer restarts, one after the other: three hosts, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_loses_nothing() {
    let mut cluster = Cluster::start(3).await;
    let mut counters = Vec::new();
    for _ in 0..6 {
        let counter = cluster
            .node
            .create(Counter::default())
            .await
            .expect("created");
        counter.increment(7).await.expect("counted");
        counters.push(counter);
    }
    for index in 0..3 {
        cluster.peers[index].terminate().await;
        cluster.join().await;
        cluster.wait_for_hosts(3).await;
        for counter in &counters {
            let raw = objects::Ref::from(counter).raw().clone();
            crate::fixture::until("three replicas", async || {
                cluster
                    .node
                    .inspect(&raw)
                    .await
                    .is_ok_and(|d| d.configuration.members.len() == 3)
            })
            .await;
        }
    }
    for counter in &counters {
        assert_eq!(counter.count().await.expect("still there"), 7);
    }
}

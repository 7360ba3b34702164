//! SIGTERM hands over: no call fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use objects::kinds::Counter;

use crate::fixture::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_of_a_primary_fails_no_call() {
    let mut cluster = Cluster::start(5).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    let reference = objects::Ref::from(&counter);
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
        let (primary, _) = cluster.place(reference.raw()).await;
        let index = cluster.index_of(&primary);
        cluster.peers[index].terminate().await;
        let (next, _) = cluster.place(reference.raw()).await;
        assert_ne!(next, primary);
        crate::fixture::until("a whole set without the peer that left", async || {
            let (_, members) = cluster.place(reference.raw()).await;
            members.len() == 3 && !members.contains(&primary)
        })
        .await;
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

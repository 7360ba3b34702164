//! A frozen primary acknowledges nothing; another takes over; after the thaw nothing stale.

use std::time::{Duration, Instant};

use objects::Ref;
use objects::kinds::Counter;

use crate::fixture::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn frozen_primary_is_replaced_and_answers_nothing_stale() {
    let cluster = Cluster::start(4).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    let mut expected = 0;
    for round in 0..3 {
        let raw = Ref::from(&counter).raw().clone();
        let (primary, _) = cluster.place(&raw).await;
        let frozen = &cluster.peers[cluster.index_of(&primary)];
        frozen.signal("STOP").await;
        let stopped = Instant::now();
        expected += 1;
        let count = counter.increment(1).timeout(Duration::from_secs(15)).await;
        assert_eq!(count.expect("another takes over"), expected);
        println!("round {round}: served again after {:?}", stopped.elapsed());
        frozen.signal("CONT").await;
        let stale = cluster.node.get(Ref::<Counter>::from_raw(raw));
        for _ in 0..20 {
            assert_eq!(stale.count().await.expect("answered"), expected);
        }
    }
}

/// With two of three members frozen, calls end within their deadline and say why.
#[tokio::test(flavor = "multi_thread")]
async fn minority_answers_no_quorum() {
    let cluster = Cluster::start(3).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    counter.increment(1).await.expect("counted");
    let raw = Ref::from(&counter).raw().clone();
    let (primary, members) = cluster.place(&raw).await;
    let frozen: Vec<_> = members
        .iter()
        .filter(|member| **member != primary)
        .map(|member| &cluster.peers[cluster.index_of(member)])
        .collect();
    for peer in &frozen {
        peer.signal("STOP").await;
    }
    let sent = Instant::now();
    let error = counter
        .increment(1)
        .timeout(Duration::from_secs(3))
        .await
        .expect_err("stopped");
    assert!(
        sent.elapsed() < Duration::from_secs(4),
        "within the deadline"
    );
    assert!(error.to_string().contains("quorum"), "{error}");
    for peer in &frozen {
        peer.signal("CONT").await;
    }
    crate::fixture::until("service again", async || counter.count().await.is_ok()).await;
}

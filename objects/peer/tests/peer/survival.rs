//! Peers are killed one after the other; objects and clusters go on.

use std::time::{Duration, Instant};

use objects::kinds::Counter;
use objects::{CallError, Ref};

use crate::fixture::{Cluster, client, until};

/// From a death until every object is whole again.
const RESTORED_WITHIN: Duration = Duration::from_secs(15);

async fn whole(cluster: &Cluster, object: &objects::RawRef, gone: &str, replicas: usize) -> bool {
    cluster.node.inspect(object).await.is_ok_and(|description| {
        let set = description.configuration;
        set.members.len() == replicas && set.processes().all(|p| p.peer.to_string() != gone)
    })
}

/// Seven peers, killed one after the other until three are left: no object is lost.
#[tokio::test(flavor = "multi_thread")]
async fn seven_down_to_three() {
    let mut cluster = Cluster::start(7).await;
    let mut counters = Vec::new();
    for number in 0..14 {
        let counter = cluster
            .node
            .create(Counter::default())
            .await
            .expect("created");
        counter.increment(number).await.expect("counted");
        counters.push(counter);
    }
    for index in 0..4 {
        let gone = cluster.peers[index].peer.clone();
        cluster.peers[index].kill().await;
        let killed = Instant::now();
        for counter in &counters {
            let raw = Ref::from(counter).raw().clone();
            until("three replicas", async || {
                whole(&cluster, &raw, &gone, 3).await
            })
            .await;
        }
        assert!(
            killed.elapsed() < RESTORED_WITHIN,
            "took {:?}",
            killed.elapsed()
        );
    }
    for (number, counter) in (0..).zip(&counters) {
        assert_eq!(counter.count().await.expect("alive"), number);
    }
}

/// An object made on one host grows to three as hosts join.
#[tokio::test(flavor = "multi_thread")]
async fn grows_as_hosts_join() {
    let mut cluster = Cluster::start(1).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    counter.increment(1).await.expect("counted");
    let raw = Ref::from(&counter).raw().clone();
    cluster.join().await;
    until("a learner", async || {
        cluster
            .node
            .inspect(&raw)
            .await
            .is_ok_and(|d| d.learners.len() == 1)
    })
    .await;
    cluster.join().await;
    until("three members", async || whole(&cluster, &raw, "", 3).await).await;
    cluster.wait_for_hosts(3).await;
    let first = cluster.peers[0].peer.clone();
    cluster.peers[0].kill().await;
    assert_eq!(counter.increment(1).await.expect("goes on"), 2);
    assert_ne!(cluster.place(&raw).await.0, first);
}

/// Two hosts: losing the learner stops nothing; losing the primary ends calls with the error
/// that names `peer recover`, which works.
#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_and_recover() {
    let mut cluster = Cluster::start(2).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    counter.increment(5).await.expect("counted");
    let raw = Ref::from(&counter).raw().clone();
    until("a learner", async || {
        cluster
            .node
            .inspect(&raw)
            .await
            .is_ok_and(|d| d.learners.len() == 1)
    })
    .await;
    counter.increment(1).await.expect("counted at both");
    let (primary, _) = cluster.place(&raw).await;
    let index = cluster.index_of(&primary);
    cluster.peers[index].kill().await;
    let error = counter
        .increment(1)
        .timeout(Duration::from_secs(3))
        .await
        .expect_err("stopped");
    assert!(error.to_string().contains("peer recover"), "{error}");
    cluster
        .node
        .recover(&raw)
        .await
        .expect("recovered from the learner");
    let fresh = cluster.node.get(Ref::<Counter>::from_raw(raw.stripped()));
    assert_eq!(fresh.count().await.expect("goes on"), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_lose_the_learner() {
    let mut cluster = Cluster::start(2).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    let raw = Ref::from(&counter).raw().clone();
    until("a learner", async || {
        cluster
            .node
            .inspect(&raw)
            .await
            .is_ok_and(|d| d.learners.len() == 1)
    })
    .await;
    let (primary, _) = cluster.place(&raw).await;
    let learner = 1 - cluster.index_of(&primary);
    cluster.peers[learner].kill().await;
    assert_eq!(counter.increment(1).await.expect("nothing stops"), 1);
}

/// All members of a reference are gone: the directory knows where the object went.
#[tokio::test(flavor = "multi_thread")]
async fn stale_and_stripped_references_find_the_primary() {
    let mut cluster = Cluster::start(6).await;
    let counter = cluster
        .node
        .create(Counter::default())
        .await
        .expect("created");
    counter.increment(9).await.expect("counted");
    let old = Ref::from(&counter);
    let (_, members) = cluster.place(old.raw()).await;
    for member in members {
        let index = cluster.index_of(&member);
        cluster.peers[index].kill().await;
        until("three replicas", async || {
            whole(&cluster, old.raw(), &member, 3).await
        })
        .await;
    }
    for reference in [old.clone(), Ref::from_raw(old.raw().stripped())] {
        let node = client(&cluster.name, &cluster.peers).await;
        let proxy = node.get(reference);
        assert_eq!(proxy.count().await.expect("found"), 9);
        assert!(node.metrics().lookup_records > 0, "the directory answered");
    }
}

/// Nothing runs twice and nothing is guessed while two primaries die under load.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_objects_are_an_error_not_a_wait() {
    let cluster = Cluster::start(3).await;
    let id = objects::ObjectId(42);
    let nobody: Ref<Counter> = Ref::from_raw(objects::RawRef::bare(id, "Counter"));
    let error = cluster
        .node
        .get(nobody)
        .count()
        .await
        .expect_err("nothing there");
    assert!(matches!(error, CallError::NotExecuted(_)), "{error}");
}

//! Losing the process that runs an object: nothing acknowledged is lost, nothing runs twice.

use std::collections::BTreeSet;
use std::time::Duration;

use objects::{Event, Node, RawRef, Ref};

use crate::harness::{PATIENCE, Tally, builder, hosts, until};

/// Clients of the load.
const CLIENTS: u64 = 8;
/// Calls of each of them.
const CALLS: u64 = 40;

/// Which of the nodes runs the object.
async fn primary(nodes: &[Node], object: &impl AsRef<RawRef>) -> usize {
    let description = nodes[0].inspect(object).await.expect("a description");
    let primary = description.configuration.process(description.ballot.member);
    nodes
        .iter()
        .position(|node| Some(node.id()) == primary)
        .expect("one of the nodes")
}

/// Adds from `CLIENTS` handles at once, ids without repetition.
async fn load(node: Node, reference: Ref<Tally>) -> Vec<u64> {
    let clients = (0..CLIENTS).map(|client| {
        let tally = node.get(reference.clone());
        async move {
            let mut acknowledged = Vec::new();
            for call in 0..CALLS {
                let id = client * CALLS + call;
                let added = tally.add(id).timeout(Duration::from_secs(30)).await;
                added.unwrap_or_else(|error| panic!("call {id}: {error}"));
                acknowledged.push(id);
            }
            acknowledged
        }
    });
    futures::future::join_all(clients).await.concat()
}

#[tokio::test]
async fn no_call_is_lost_or_repeated_when_the_primary_dies() {
    let mut nodes = hosts(4).await;
    let reference = Ref::from(&nodes[0].create(Tally::default()).await.unwrap());
    let lost = primary(&nodes, &reference).await;
    let caller = nodes[(lost + 1) % 4].clone();
    let running = tokio::spawn(load(caller.clone(), reference.clone()));
    let tally = caller.get(reference);
    until("the load is under way", || async {
        tally.count().await.unwrap() > 40
    })
    .await;
    drop(nodes.remove(lost));

    let acknowledged = running.await.expect("no call of the load fails");
    let ids = tally.ids().await.unwrap();
    assert_eq!(ids.len(), acknowledged.len(), "each call ran once");
    let distinct: BTreeSet<u64> = ids.iter().copied().collect();
    assert_eq!(
        distinct,
        acknowledged.into_iter().collect(),
        "and none is missing"
    );
}

#[tokio::test]
async fn a_takeover_is_told_and_the_set_made_whole() {
    let mut nodes = hosts(4).await;
    let reference = Ref::from(&nodes[0].create(Tally::default()).await.unwrap());
    let lost = primary(&nodes, &reference).await;
    let gone = nodes.remove(lost);
    let id = gone.id();
    let mut events: Vec<_> = nodes.iter().map(Node::events).collect();
    drop(gone);
    let told = events.iter_mut().map(|events| {
        Box::pin(async move {
            loop {
                match events.next().await.expect("the node runs") {
                    Event::TookOver { object, from, .. } => return (object, from),
                    _ => continue,
                }
            }
        })
    });
    let told = tokio::time::timeout(PATIENCE, futures::future::select_all(told)).await;
    assert_eq!(
        told.expect("a takeover is told").0,
        (reference.id(), Some(id))
    );
    until("three replicas again", || async {
        let found = nodes[0].inspect(&reference).await;
        found.is_ok_and(|found| {
            let members: Vec<_> = found.configuration.processes().collect();
            members.len() == 3 && !members.contains(&id)
        })
    })
    .await;
}

#[tokio::test]
async fn an_object_is_found_by_its_id_alone() {
    let nodes = hosts(3).await;
    let tally = nodes[0].create(Tally::default()).await.unwrap();
    tally.add(1).await.unwrap();
    until("its place is published", || async {
        nodes
            .iter()
            .map(|node| node.metrics().publications)
            .sum::<u64>()
            > 0
    })
    .await;
    let bare = Ref::<Tally>::from_raw(Ref::from(&tally).raw().stripped());
    let caller = builder(nodes[0].cluster_name()).client();
    let caller = caller.peer(&nodes[0].addresses()[0]).start().await.unwrap();
    assert_eq!(caller.get(bare).count().await.unwrap(), 1);
}

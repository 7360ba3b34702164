//! How nodes come and go.

use std::time::Duration;

use objects::{CallError, Cause, Event, ObjectId, RawRef, Ref};
use tokio::runtime::Handle;

use crate::harness::{PATIENCE, Tally, hosts, join, see, start, until};

#[tokio::test]
async fn shutting_down_ends_all_tasks() {
    let before = Handle::current().metrics().num_alive_tasks();
    let nodes = hosts(2).await;
    let tally = nodes[0]
        .get_or_create("hits", Tally::default())
        .await
        .unwrap();
    tally.add(1).await.unwrap();
    for node in &nodes {
        node.shutdown().await.unwrap();
        node.shutdown().await.expect("repeated, it changes nothing");
    }
    let refused = tally.add(2).await.unwrap_err();
    assert_eq!(refused, CallError::NotExecuted(Cause::ShuttingDown));
    drop(nodes);
    until("no task is left", || async {
        Handle::current().metrics().num_alive_tasks() <= before
    })
    .await;
}

#[tokio::test]
async fn dropping_a_node_ends_its_tasks_too() {
    let before = Handle::current().metrics().num_alive_tasks();
    let nodes = hosts(1).await;
    let tally = nodes[0].create(Tally::default()).await.unwrap();
    let waiting = tokio::spawn(tally.wait(60_000).timeout(Duration::from_secs(50)));
    until("the call is under way", || async {
        nodes[0].metrics().executions > 0
    })
    .await;
    drop(nodes);
    let ended = tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it ends")
        .unwrap();
    assert_eq!(ended, Err(CallError::Indeterminate(Cause::ShuttingDown)));
    until("no task is left", || async {
        Handle::current().metrics().num_alive_tasks() <= before
    })
    .await;
}

#[tokio::test]
async fn a_node_that_leaves_hands_over_and_nobody_waits() {
    let mut nodes = hosts(4).await;
    let mut tallies = Vec::new();
    for _ in 0..8 {
        tallies.push(Ref::from(&nodes[0].create(Tally::default()).await.unwrap()));
    }
    let stays = nodes.remove(3);
    for node in nodes {
        let mut events = node.events();
        node.shutdown().await.unwrap();
        let mut left_behind = None;
        while let Some(event) = events.next().await {
            if let Event::Drained { left_behind: left } = event {
                left_behind = Some(left);
            }
            if left_behind.is_some() {
                break;
            }
        }
        assert_eq!(left_behind, Some(0));
        for tally in &tallies {
            stays
                .get(tally.clone())
                .add(0)
                .await
                .expect("the object goes on");
        }
    }
    for tally in tallies {
        assert_eq!(
            stays.get(tally).count().await.unwrap(),
            3,
            "nothing is lost"
        );
    }
}

#[tokio::test]
async fn an_object_grows_with_its_cluster() {
    let first = hosts(1).await.remove(0);
    let tally = first.create(Tally::default()).await.unwrap();
    tally.add(1).await.unwrap();
    let mut others = Vec::new();
    for hosts in 2..=3 {
        let other = join(first.cluster_name(), Some(&first), |builder| {
            builder.host::<Tally>()
        })
        .await;
        see(&other, hosts).await;
        others.push(other);
    }
    until("three replicas", || async {
        let found = first.inspect(&tally).await;
        found.is_ok_and(|found| found.configuration.members.len() == 3)
    })
    .await;
    let reference = Ref::from(&tally);
    drop((tally, first));
    let tally = others[0].get(reference);
    let count = tally.count().timeout(Duration::from_secs(30)).await;
    assert_eq!(count.unwrap(), 1, "the first host is no longer needed");
}

#[tokio::test]
async fn an_operator_restores_what_lost_its_only_voter() {
    let mut nodes = hosts(2).await;
    let tally = nodes[0].create(Tally::default()).await.unwrap();
    let reference = Ref::from(&tally);
    until("a learner", || async {
        let found = nodes[0].inspect(&reference).await;
        found.is_ok_and(|found| found.learners.len() == 1)
    })
    .await;
    tally.add(7).await.unwrap();
    let found = nodes[0].inspect(&reference).await.unwrap();
    let voter = found.configuration.process(found.ballot.member).unwrap();
    nodes.retain(|node| node.id() != voter);
    let survivor = &nodes[0];
    see(survivor, 1).await;

    let lost = survivor
        .get(reference.clone())
        .add(8)
        .timeout(Duration::from_secs(2))
        .await;
    let lost = lost.unwrap_err();
    assert!(
        matches!(
            lost,
            CallError::NotExecuted(_) | CallError::Indeterminate(_)
        ),
        "{lost}"
    );
    let (restored, _) = survivor.recover(&reference).await.unwrap();
    assert_eq!(restored.id, reference.id());
    let tally = survivor.get(reference);
    assert_eq!(
        tally.ids().await.unwrap().first(),
        Some(&7),
        "what was acknowledged is there"
    );
}

#[tokio::test]
async fn an_operator_restores_the_names_too() {
    let founder = hosts(1).await.remove(0);
    founder
        .get_or_create("hits", Tally::default())
        .await
        .unwrap();
    assert!(
        !founder.recover_names().await.unwrap(),
        "nothing is lost yet"
    );
    let survivor = join(founder.cluster_name(), Some(&founder), |builder| {
        builder.host::<Tally>()
    })
    .await;
    let names = ObjectId(founder.cluster_id().expect("a cluster has been founded").0);
    let names = RawRef::bare(names, "pydo.Names");
    until("the second host has a copy", || async {
        founder
            .inspect(&names)
            .await
            .is_ok_and(|found| found.learners.len() == 1)
    })
    .await;
    survivor
        .find::<Tally>("hits")
        .await
        .expect("it is found from everywhere");
    drop(founder);
    see(&survivor, 1).await;
    assert!(survivor.recover_names().await.unwrap(), "they were lost");
    survivor
        .find::<Tally>("hits")
        .await
        .expect("the name is there again");
}

#[tokio::test]
async fn a_slow_method_delays_neither_the_node_nor_other_threads() {
    let node = start(1, |builder| builder.host::<Tally>().executor_threads(2))
        .await
        .remove(0);
    let mut tallies = Vec::new();
    for _ in 0..8 {
        tallies.push(node.create(Tally::default()).await.unwrap());
    }
    let others = tallies.split_off(1);
    let mut slow = Box::pin(tallies[0].block(3_000).timeout(Duration::from_secs(30)));
    assert!(futures::poll!(&mut slow).is_pending());
    until("it runs", || async { node.metrics().executions > 0 }).await;
    node.inspect(&others[0]).await.expect("the node answers");
    let (first, _) = tokio::time::timeout(
        PATIENCE,
        futures::future::select_ok(others.iter().map(|tally| tally.add(1))),
    )
    .await
    .expect("an object of the other thread answers")
    .unwrap();
    assert_eq!(first, 1);
    assert!(
        futures::poll!(&mut slow).is_pending(),
        "meanwhile the slow method runs"
    );
    slow.await.expect("it is not cut short");
}

#[tokio::test]
async fn a_process_that_was_stopped_notices_and_goes_on() {
    let node = hosts(1).await.remove(0);
    let tally = node.create(Tally::default()).await.unwrap();
    let mut events = node.events();
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(tally.add(1).await.unwrap(), 1);
    assert_eq!(events.next().await, Some(Event::Stopped));
}

//! Calls: what returns, what fails, and what that leaves behind.

use std::time::Duration;

use objects::{CallError, Cause, MethodFailure, Ref, shared};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::harness::{Tally, TooMuch, builder, cluster, hosts};

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

    fn count(&self) -> u64 {
        self.count
    }
}

/// The program of the documentation, but for where it listens.
#[tokio::test]
async fn the_printed_program_counts_alone() -> objects::Result<()> {
    let node = builder(&cluster()).host::<Counter>().start().await?;
    let hits = node.get_or_create("hits", Counter { count: 0 }).await?;
    assert_eq!(hits.increment(1).await?, 1);
    assert_eq!(
        hits.increment(1)
            .timeout(Duration::from_millis(500))
            .await?,
        2
    );
    assert_eq!(node.find::<Counter>("hits").await?.count().await?, 2);
    node.shutdown().await
}

#[tokio::test]
async fn every_node_calls_the_same_object() {
    let nodes = hosts(3).await;
    let made = nodes[0].create(Tally::default()).await.unwrap();
    let reference = Ref::from(&made);
    for (index, node) in nodes.iter().enumerate() {
        let tally = node.get(reference.clone());
        assert_eq!(tally.add(index as u64).await.unwrap(), index as u64 + 1);
        assert_eq!(tally.count().await.unwrap(), index as u64 + 1);
    }
    let description = nodes[2].inspect(&reference).await.unwrap();
    assert_eq!(
        (
            description.kind.as_str(),
            description.configuration.members.len()
        ),
        ("Tally", 3)
    );
}

#[tokio::test]
async fn a_call_that_says_no_leaves_the_object_as_it_was() {
    let nodes = hosts(1).await;
    let tally = nodes[0].create(Tally::default()).await.unwrap();
    assert_eq!(tally.add(1).await.unwrap(), 1);

    let refused = tally.add_at_most(10, 5).await.unwrap_err();
    assert_eq!(
        refused,
        CallError::Failed(MethodFailure::Returned(TooMuch { limit: 5 }))
    );
    assert_eq!(tally.count().await.unwrap(), 1);

    let panicked = tally.panic("out of cheese").await.unwrap_err();
    assert_eq!(
        panicked,
        CallError::Failed(MethodFailure::Panicked("out of cheese".into()))
    );
    assert_eq!(
        tally.add(2).await.unwrap(),
        2,
        "the panic failed its own call only"
    );
}

#[tokio::test]
async fn a_method_that_runs_beyond_its_deadline_is_stopped() {
    let nodes = hosts(1).await;
    let tally = nodes[0].create(Tally::default()).await.unwrap();
    let late = tally
        .wait(60_000)
        .timeout(Duration::from_millis(300))
        .await
        .unwrap_err();
    let stopped = CallError::Failed(MethodFailure::Deadline);
    let given_up = CallError::Indeterminate(Cause::Deadline);
    assert!(late == stopped || late == given_up, "{late}");
    assert_eq!(tally.add(1).await.unwrap(), 1, "the object goes on");
}

#[tokio::test]
async fn calls_of_one_handle_take_effect_in_the_order_made() {
    let nodes = hosts(3).await;
    let reference = Ref::from(&nodes[0].create(Tally::default()).await.unwrap());
    let tally = nodes[1].get(reference);
    let calls: Vec<_> = (0..200).map(|id| tally.add(id)).collect();
    let counts = futures::future::join_all(calls).await;
    let counts: Vec<u64> = counts.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, (1..=200).collect::<Vec<_>>());
    assert_eq!(tally.ids().await.unwrap(), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_way_calls_arrive_in_their_place() {
    let nodes = hosts(1).await;
    let tally = nodes[0].create(Tally::default()).await.unwrap();
    for id in 0..10 {
        tally.add(id).send();
    }
    assert_eq!(tally.add(10).await.unwrap(), 11);
}

#[tokio::test]
async fn a_command_line_calls_kinds_that_it_does_not_know() {
    let nodes = hosts(1).await;
    let node = &nodes[0];
    let second = Duration::from_secs(5);
    let state = json!({ "count": 7, "ids": [] });
    let tally = node
        .create_json("Tally", Some("hits"), state, second)
        .await
        .unwrap();
    let call = |method, arguments: serde_json::Value| {
        let arguments = arguments.as_array().cloned().unwrap();
        let tally = tally.clone();
        async move { node.call_json(&tally, method, &arguments, second).await }
    };
    assert_eq!(call("add", json!([1])).await, Ok(json!(8)));
    assert_eq!(call("count", json!([])).await, Ok(json!(8)));
    let refused = call("add_at_most", json!([9, 3])).await.unwrap_err();
    assert_eq!(refused.returned(), Some(json!({ "limit": 3 })));
    let unknown = call("subtract", json!([1])).await.unwrap_err();
    let cause = |error| match error {
        CallError::NotExecuted(cause) => cause,
        other => panic!("{other}"),
    };
    assert!(matches!(cause(unknown), Cause::UnknownMethod { .. }));
    let misfit = call("add", json!(["one"])).await.unwrap_err();
    assert!(matches!(cause(misfit), Cause::Arguments(_)));

    let by_id = node.resolve(&tally.id.to_string()).await.unwrap();
    assert_eq!((by_id.id, &*by_id.kind), (tally.id, "Tally"));
    assert_eq!(node.resolve("hits").await.unwrap().id, tally.id);
}

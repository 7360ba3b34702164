//! Names: one object each, of one kind, until it is deleted.

use std::time::Duration;

use objects::kinds::{Counter, Lock, Map};
use objects::{Builder, Error, Event, Node, OverlayConfig, Ran};

use crate::harness::{PATIENCE, Tally, builder, cluster, hosts, start};

#[tokio::test]
async fn a_name_means_one_object_on_every_node() {
    let nodes = hosts(3).await;
    let making = nodes
        .iter()
        .map(|node| node.get_or_create("hits", Tally::default()));
    let made = futures::future::join_all(making).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    for (index, tally) in made.iter().enumerate() {
        assert_eq!(
            tally.add(0).await.unwrap(),
            index as u64 + 1,
            "all three are one object"
        );
    }
    for node in &nodes {
        let names = node.names("").await.unwrap();
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!((names[0].0.as_str(), &*names[0].1.kind), ("hits", "Tally"));
    }
}

#[tokio::test]
async fn names_are_strict_when_asked_to_be() {
    let node = start(1, |builder| builder.host::<Tally>().host::<Counter>())
        .await
        .remove(0);
    let missing = node.find::<Tally>("hits").await.unwrap_err();
    assert!(
        matches!(&missing, Error::NotFound(name) if name == "hits"),
        "{missing}"
    );

    node.create_named("hits", Tally::default()).await.unwrap();
    let taken = node
        .create_named("hits", Tally::default())
        .await
        .unwrap_err();
    assert!(
        matches!(&taken, Error::AlreadyExists(name) if name == "hits"),
        "{taken}"
    );

    let other = node.find::<Counter>("hits").await.unwrap_err();
    let Error::WrongKind {
        expected, found, ..
    } = &other
    else {
        panic!("{other}")
    };
    assert_eq!((expected.as_str(), found.as_str()), ("Counter", "Tally"));
    assert_eq!(other.ran(), Ran::No);

    let empty = node.create_named("", Tally::default()).await.unwrap_err();
    assert!(matches!(empty, Error::BadName), "{empty}");
}

#[tokio::test]
async fn a_deleted_object_is_gone_and_its_name_free() {
    let nodes = hosts(2).await;
    let old = nodes[0]
        .get_or_create("hits", Tally::default())
        .await
        .unwrap();
    old.add(1).await.unwrap();
    nodes[1].delete(&old).await.unwrap();

    let gone = old.add(2).await.unwrap_err();
    assert!(gone.changed_nothing(), "{gone}");
    assert!(matches!(
        nodes[0].find::<Tally>("hits").await,
        Err(Error::NotFound(_))
    ));
    let new = nodes[0]
        .get_or_create("hits", Tally::default())
        .await
        .unwrap();
    assert_eq!(new.add(3).await.unwrap(), 1);
}

#[tokio::test]
async fn who_cannot_hold_names_says_so_and_uses_those_of_others() {
    let cluster = cluster();
    let client = builder(&cluster).client().start().await.unwrap();
    let nobody = client.find::<Tally>("hits").await.unwrap_err();
    let Error::NoCluster { reason, .. } = &nobody else {
        panic!("{nobody}")
    };
    assert_eq!(*reason, "is a client");
    drop(client);

    let host = builder(&cluster).host::<Tally>().start().await.unwrap();
    host.create_named("hits", Tally::default()).await.unwrap();
    let address = &host.addresses()[0];
    let client = builder(&cluster)
        .client()
        .peer(address)
        .start()
        .await
        .unwrap();
    let hits = client.find::<Tally>("hits").await.unwrap();
    assert_eq!(hits.add(1).await.unwrap(), 1);
    assert_eq!(host.members().len(), 1, "a client is not announced");
}

#[tokio::test]
async fn two_kinds_of_one_name_are_refused() {
    let twice = builder(&cluster())
        .host::<Tally>()
        .host::<Tally>()
        .start()
        .await
        .unwrap_err();
    assert!(matches!(&twice, Error::Start(_)), "{twice}");
    assert!(twice.to_string().contains("`Tally`"), "{twice}");
}

#[tokio::test]
async fn the_standard_kinds_work_together() {
    let configure =
        |builder: objects::Builder| builder.host::<Counter>().host::<Map>().host::<Lock>();
    let nodes = start(2, configure).await;
    let counter = nodes[0]
        .get_or_create("hits", Counter::default())
        .await
        .unwrap();
    assert_eq!(counter.increment(3).await.unwrap(), 3);
    let settings = nodes[0]
        .get_or_create("settings", Map::default())
        .await
        .unwrap();
    assert_eq!(settings.put("color", "blue").await.unwrap(), None);
    let settings = nodes[1].find::<Map>("settings").await.unwrap();
    assert_eq!(
        settings.get("color").await.unwrap().as_deref(),
        Some("blue")
    );
    let lock = nodes[1]
        .get_or_create("lock", Lock::default())
        .await
        .unwrap();
    let token = lock.acquire("a", None).await.unwrap();
    let held = lock.acquire("b", None).await.unwrap_err().returned();
    assert_eq!(held.map(|held| held.owner).as_deref(), Some("a"));
    assert!(lock.release("a", token).await.unwrap());
    assert!(lock.acquire("b", Some(60_000)).await.unwrap() > token);
}

/// Two nodes that founded a cluster each and meet afterwards, and what they tell of it.
async fn meet(configure: impl Fn(Builder) -> Builder) -> (Vec<Node>, Event) {
    let cluster = cluster();
    let one = configure(builder(&cluster)).start().await.unwrap();
    let other = configure(builder(&cluster)).start().await.unwrap();
    let named = async |node: &Node, own: &str| {
        for name in [own, "both"] {
            node.create_named(name, Tally::default())
                .await
                .expect("its own cluster");
        }
    };
    named(&one, "a").await;
    named(&other, "b").await;
    let mut events = [one.events(), other.events()];
    let bridge = configure(builder(&cluster)).peer(&one.addresses()[0]);
    let bridge = bridge.peer(&other.addresses()[0]).start().await.unwrap();
    let told = events.iter_mut().map(|events| {
        Box::pin(async move {
            loop {
                let event = events.next().await.expect("the node runs");
                if matches!(
                    event,
                    Event::ClusterMerged { .. } | Event::ClusterConflict { .. }
                ) {
                    return event;
                }
            }
        })
    });
    let told = tokio::time::timeout(PATIENCE, futures::future::select_all(told)).await;
    (
        vec![one, other, bridge],
        told.expect("a meeting of clusters is told").0,
    )
}

#[tokio::test]
async fn young_clusters_that_meet_share_their_names() {
    let (nodes, told) = meet(|builder| builder.host::<Tally>()).await;
    assert!(matches!(told, Event::ClusterMerged { .. }), "{told}");
    for node in &nodes {
        for name in ["a", "b", "both"] {
            let tally = node
                .find::<Tally>(name)
                .await
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            tally.add(0).await.unwrap();
        }
    }
    assert_eq!(
        nodes[0]
            .find::<Tally>("both")
            .await
            .unwrap()
            .count()
            .await
            .unwrap(),
        3
    );
}

#[tokio::test]
async fn established_clusters_that_meet_are_told_apart() {
    let configure = |builder: Builder| {
        let mut config = OverlayConfig::default();
        config.founding.merge_window = Duration::ZERO;
        builder.host::<Tally>().overlay_config(config)
    };
    let (nodes, told) = meet(configure).await;
    let Event::ClusterConflict { ours, theirs } = told else {
        panic!("{told}")
    };
    let refused = futures::future::join_all(nodes.iter().map(|node| node.find::<Tally>("a"))).await;
    let conflict = |error: &Error| match error {
        Error::ClusterConflict {
            ours: one,
            theirs: other,
        } => [*one, *other].contains(&ours) && [*one, *other].contains(&theirs),
        _ => false,
    };
    let refused = refused.into_iter().filter_map(Result::err);
    assert!(
        refused.into_iter().any(|error| conflict(&error)),
        "the error names both clusters"
    );
}

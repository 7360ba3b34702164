//! One name is one object, however many make it at once.

use std::collections::BTreeSet;
use std::time::Instant;

use objects::kinds::Counter;
use objects::{Error, Ref};

use crate::fixture::{Scratch, builder, fresh_name, see, soon, start, until};

const ROUNDS: usize = 50;

/// In a founded cluster two nodes make one name at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_make_one_name_at_once() {
    let nodes = start(3, |builder| builder.host::<Counter>()).await;
    nodes[0]
        .create_named("first", Counter::default())
        .await
        .expect("founds the cluster");
    let (one, other) = (&nodes[1], &nodes[2]);
    let (started, mut won) = (Instant::now(), [0; 2]);
    for round in 0..ROUNDS {
        let strict = format!("strict-{round:02}");
        let made = tokio::join!(
            one.create_named(&strict, Counter::default()),
            other.create_named(&strict, Counter::default()),
        );
        let winner = match made {
            (Ok(_), Err(Error::AlreadyExists(_))) => 0,
            (Err(Error::AlreadyExists(_)), Ok(_)) => 1,
            both => panic!("round {round}: {both:?}"),
        };
        won[winner] += 1;

        let shared = format!("shared-{round:02}");
        let made = tokio::join!(
            one.get_or_create(&shared, Counter::default()),
            other.get_or_create(&shared, Counter::default()),
        );
        let (one, other) = (made.0.expect("made"), made.1.expect("made"));
        assert_eq!(
            Ref::from(&one).id(),
            Ref::from(&other).id(),
            "round {round}"
        );
        let counts = tokio::join!(one.increment(1), other.increment(1));
        let counts = BTreeSet::from([counts.0.expect("counted"), counts.1.expect("counted")]);
        assert_eq!(counts, BTreeSet::from([1, 2]), "round {round}");
    }
    println!(
        "{ROUNDS} names made by two nodes at once, twice: {:?}, strictly won {won:?}",
        started.elapsed()
    );
    for node in &nodes {
        let names = node.names("").await.expect("listed");
        let ids: BTreeSet<_> = names.iter().map(|(_, object)| object.id).collect();
        assert_eq!((names.len(), ids.len()), (2 * ROUNDS + 1, 2 * ROUNDS + 1));
    }
}

/// The same program started three times at once, with nobody there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_fresh_nodes_found_one_cluster() {
    let (cluster, folder, started) = (fresh_name(), Scratch::new(), Instant::now());
    let program = || async {
        let node = builder(&cluster)
            .runtime_folder_at(&folder.0)
            .host::<Counter>()
            .start()
            .await?;
        let hits = node.get_or_create("hits", Counter::default()).await?;
        let count = hits.increment(1).await?;
        objects::Result::Ok((node, Ref::from(&hits).id(), count))
    };
    let ran = soon("three programs", async {
        tokio::join!(program(), program(), program())
    });
    let (one, two, three) = Box::pin(ran).await;
    let ran = [one, two, three].map(|ran: objects::Result<_>| ran.expect("the program runs"));
    let took = started.elapsed();
    let objects: BTreeSet<_> = ran.iter().map(|(_, object, _)| *object).collect();
    let counts: BTreeSet<_> = ran.iter().map(|(_, _, count)| *count).collect();
    assert_eq!(objects.len(), 1, "one `hits`: {objects:?}");
    assert_eq!(counts, BTreeSet::from([1, 2, 3]));
    let clusters: BTreeSet<_> = ran.iter().map(|(node, ..)| node.cluster_id()).collect();
    assert_eq!(clusters.len(), 1, "one cluster: {clusters:?}");
    println!("three programs started at once counted to 3 within {took:?}");
    for (node, ..) in &ran {
        see(node, 3).await;
        until("one name everywhere", async || {
            node.names("").await.is_ok_and(|names| names.len() == 1)
        })
        .await;
    }
}

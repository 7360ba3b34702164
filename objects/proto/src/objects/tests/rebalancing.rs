//! Hosts that join take replicas over, a few at a time, and nobody notices.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::Cluster;
use crate::caller::HandleId;
use crate::machine::Event;
use crate::reference::RawRef;

fn loads(cluster: &Cluster) -> Vec<usize> {
    let nodes = cluster.nodes.iter();
    nodes.map(|node| node.machine.replicas().count()).collect()
}

fn moved(cluster: &Cluster) -> usize {
    let moved = |event: &Event| matches!(event, Event::Reconfigured { .. });
    (0..cluster.nodes.len())
        .map(|node| cluster.count(node, moved))
        .sum()
}

/// Five hosts with 60 objects of three replicas, and ten more that have just joined.
fn crowded(seed: u64) -> (Cluster, Vec<(RawRef, HandleId)>) {
    let mut cluster = Cluster::new(seed, 5);
    let objects: Vec<(RawRef, HandleId)> = (0..60).map(|_| cluster.create(0, 0)).collect();
    cluster.run(Duration::from_secs(10));
    assert_eq!(moved(&cluster), 0, "five even hosts");
    for _ in 0..10 {
        cluster.add(true);
    }
    (cluster, objects)
}

#[test]
fn hosts_that_join_take_their_share_and_then_nothing_moves() {
    let (mut cluster, objects) = crowded(31);
    for round in 1..=200 {
        cluster.run(Duration::from_secs(1));
        for (reference, handle) in objects.iter().take(5) {
            let sum = cluster.call(0, *handle, (reference, "add", 1));
            assert_eq!(sum, Ok(round), "no call fails while replicas move");
        }
    }
    let loads = loads(&cluster);
    assert_eq!(loads.iter().sum::<usize>(), 3 * objects.len(), "{loads:?}");
    let (least, most) = (loads.iter().min(), loads.iter().max());
    assert!(least >= Some(&6) && most <= Some(&18), "{loads:?}, mean 12");
    let before = moved(&cluster);
    assert!(before <= 150, "{before} moves where 120 would do");
    cluster.run(Duration::from_secs(60));
    assert_eq!(moved(&cluster), before);
    assert!(cluster.is_idle());
}

#[test]
fn few_replicas_move_at_a_time() {
    let (mut cluster, _) = crowded(32);
    let mut before = 0;
    for _ in 0..20 {
        cluster.run(Duration::from_secs(1));
        let now = moved(&cluster);
        assert!(now - before <= 2 * 4 * 15, "{} in a second", now - before);
        before = now;
    }
    assert!(before > 20, "{before} in 20 s");
}

#[test]
fn a_host_that_dies_while_it_takes_a_replica_over_costs_nothing() {
    let (mut cluster, objects) = crowded(33);
    cluster.run(Duration::from_secs(3));
    let taker = (5..15).find(|node| cluster.nodes[*node].machine.replicas().count() > 0);
    let taker = taker.unwrap();
    cluster.kill(taker);
    cluster.run(Duration::from_secs(60));
    for (reference, handle) in &objects {
        assert_eq!(cluster.call(0, *handle, (reference, "add", 1)), Ok(1));
        let members = cluster.members(reference.id);
        assert!(
            members.len() == 3 && !members.contains(&taker),
            "{members:?}"
        );
    }
}

//! Primaries that nobody calls rest, and are as they were when they are called again.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::Cluster;
use crate::caller::HandleId;
use crate::config::Pace;

const OBJECTS: usize = 20;

fn few_awake(awake: usize) -> Cluster {
    let pace = Pace {
        awake,
        ..Pace::default()
    };
    Cluster::paced(pace, 61, 3)
}

fn awake(cluster: &Cluster) -> usize {
    let nodes = cluster.nodes.iter();
    let replicas = nodes.flat_map(|node| node.machine.replicas());
    replicas.filter(|(_, replica)| replica.is_awake()).count()
}

#[test]
fn a_burst_goes_to_rest_and_costs_no_timer_after_it() {
    let mut cluster = few_awake(2);
    let made: Vec<_> = (0..OBJECTS).map(|_| cluster.create(0, 0)).collect();
    cluster.run(Duration::from_secs(60));
    assert_eq!(awake(&cluster), 0, "nothing was called");
    assert!(cluster.is_idle());
    for (reference, handle) in &made {
        for number in 1..=2 {
            let added = cluster.call(1, *handle, (reference, "add", 1));
            assert_eq!(added, Ok(number));
        }
    }
    cluster.run(Duration::from_secs(60));
    assert_eq!(awake(&cluster), 2 * cluster.nodes.len());
    assert!(cluster.is_idle());
}

#[test]
fn what_rests_is_taken_over_with_all_that_was_written() {
    let mut cluster = few_awake(0);
    let (reference, handle) = cluster.create(0, 5);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(6));
    cluster.run(Duration::from_secs(5));
    assert_eq!(awake(&cluster), 0);
    let primary = cluster.primary(reference.id).unwrap();
    cluster.kill(primary);
    let caller = (primary + 1) % 3;
    let added = cluster.call(caller, HandleId(900), (&reference, "add", 1));
    assert_eq!(added, Ok(7));
    cluster.run(Duration::from_secs(30));
    assert_eq!(awake(&cluster), 0);
}

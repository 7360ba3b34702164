//! A third of the hosts vanishes at once: what is left serves every object, and mends a few at a
//! time.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::{Cluster, State};
use crate::caller::HandleId;
use crate::config::Limits;

/// Changes of replica sets under way at the node that has most of them.
fn changes_at_once(cluster: &Cluster) -> usize {
    let living = cluster
        .nodes
        .iter()
        .filter(|node| node.state == State::Running);
    let jobs = living.flat_map(|node| node.machine.tables());
    let jobs = jobs.filter(|table| table.name == "repairs.jobs");
    jobs.map(|table| table.len).max().unwrap_or_default()
}

#[test]
fn in_a_storm_few_sets_change_at_a_time_and_every_object_is_served_at_once() {
    let mut cluster = Cluster::new(81, 20);
    let made: Vec<_> = (0..400).map(|_| cluster.create(0, 0).0).collect();
    cluster.run(Duration::from_secs(5));
    let dead = [2, 5, 8, 11, 14, 17];
    for node in dead {
        cluster.kill(node);
    }
    let mut most = 0;
    for (number, reference) in (0..).zip(made.iter().step_by(10)) {
        let began = cluster.now;
        let added = cluster.call(0, HandleId(100 + number), (reference, "add", 1));
        assert_eq!(added, Ok(1));
        let took = cluster.now.since(began);
        assert!(
            took < Duration::from_secs(2),
            "takeovers wait for no repair: {took:?}"
        );
        most = most.max(changes_at_once(&cluster));
    }
    for _ in 0..3_000 {
        cluster.run(Duration::from_millis(10));
        most = most.max(changes_at_once(&cluster));
    }
    assert_eq!(most, Limits::default().repairs / 8);
    cluster.run(Duration::from_secs(60));
    for reference in made {
        let members = cluster.members(reference.id);
        assert_eq!(members.len(), 3);
        assert!(
            !members.iter().any(|member| dead.contains(member)),
            "{members:?}"
        );
    }
}

//! Objects are made where round-robin says, and nobody else hears of it.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::{Cluster, Node};
use crate::config::Timings;
use crate::machine::{Command, Event};
use crate::outcome::{Cause, Outcome};

#[test]
fn three_hundred_objects_over_five_hosts_are_dealt_evenly_and_can_be_called() {
    let mut cluster = Cluster::new(1, 5);
    let mut made = alloc::vec::Vec::new();
    for _ in 0..300 {
        made.push(cluster.create(0, 0));
    }
    let replicas: alloc::vec::Vec<usize> = (0..5)
        .map(|node| cluster.nodes[node].machine.replicas().count())
        .collect();
    assert_eq!(replicas, [180; 5]);
    for node in 0..5 {
        let machine = &cluster.nodes[node].machine;
        let primaries = machine
            .replicas()
            .filter(|(_, replica)| replica.is_primary());
        assert_eq!(primaries.count(), 60);
    }
    for (reference, handle) in made.iter().step_by(37) {
        assert_eq!(cluster.call(0, *handle, (reference, "add", 5)), Ok(5));
    }
}

#[test]
fn creating_an_object_sends_messages_to_its_replicas_only_and_leaves_no_timer() {
    let mut cluster = Cluster::new(2, 9);
    cluster.run(Duration::from_secs(1));
    cluster.messages.clear();
    let (reference, _) = cluster.create(0, 7);
    cluster.run(Duration::from_secs(5));
    let members = cluster.members(reference.id);
    let strangers = cluster
        .messages
        .keys()
        .filter(|(_, to)| *to != 0 && !members.contains(to));
    assert_eq!(strangers.count(), 0);
    assert!(
        cluster.is_idle(),
        "an idle object has no timer and no message"
    );
}

#[test]
fn an_idle_object_is_published_again_by_its_primary_alone() {
    let mut cluster = Cluster::new(3, 8);
    let objects: Vec<_> = (0..30).map(|_| cluster.create(0, 7).0.id).collect();
    cluster.run(Duration::from_secs(5));
    for node in &mut cluster.nodes {
        node.events.clear();
    }
    cluster.run(Timings::default().republish + Duration::from_secs(30));
    for object in objects {
        let is_primary = |node: &Node| {
            let replica = node.machine.replica(&object);
            replica.is_some_and(|replica| replica.is_primary())
        };
        let primary = cluster.nodes.iter().position(is_primary);
        for (index, node) in cluster.nodes.iter().enumerate() {
            let published = node.events.iter().filter(
                |event| matches!(event, Event::Publish { object: one, .. } if *one == object),
            );
            let times = published.count();
            assert!(
                if Some(index) == primary {
                    (1..=2).contains(&times)
                } else {
                    times == 0
                },
                "node {index} published {object:?} {times} times, {primary:?} is its primary"
            );
        }
    }
    assert!(cluster.is_idle());
}

#[test]
fn a_creation_avoids_a_host_that_just_died() {
    let mut cluster = Cluster::new(3, 6);
    for dead in [2, 3] {
        cluster.kill(dead);
    }
    for _ in 0..12 {
        let (reference, handle) = cluster.create(0, 0);
        assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(1));
    }
}

#[test]
fn a_node_that_leaves_makes_no_objects() {
    let mut cluster = Cluster::new(4, 3);
    cluster.drain(0);
    let (ticket, _) = cluster.begin_create(0, 0);
    let refused = cluster.nodes[0].events.iter().any(|event| {
        let Event::Created { ticket: t, result } = event else {
            return false;
        };
        *t == ticket && matches!(result, Err(Cause::ShuttingDown))
    });
    assert!(refused);
}

#[test]
fn without_a_host_of_the_kind_a_creation_says_so() {
    let mut cluster = Cluster::new(5, 0);
    let client = cluster.add(false);
    let (ticket, _) = cluster.begin_create(client, 0);
    cluster.run(Duration::from_secs(11));
    let failed = cluster.nodes[client].events.iter().any(|event| {
        let Event::Created { ticket: t, result } = event else {
            return false;
        };
        *t == ticket && matches!(result, Err(Cause::UnknownKind(_)))
    });
    assert!(failed);
}

#[test]
fn a_deleted_object_is_gone_for_everybody() {
    let mut cluster = Cluster::new(6, 4);
    let (reference, handle) = cluster.create(0, 1);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(2));
    cluster.delete(1, &reference);
    cluster.run(Duration::from_secs(1));
    for node in 0..4 {
        assert!(cluster.nodes[node].machine.replica(&reference.id).is_none());
        let ended = cluster.call(node, handle, (&reference, "get", 0));
        assert_eq!(ended, Err(Outcome::NotExecuted(Cause::Deleted)));
    }
}

#[test]
fn inspect_shows_where_an_object_is_and_what_it_can_do() {
    let mut cluster = Cluster::new(7, 4);
    let (reference, handle) = cluster.create(0, 1);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(2));
    let ticket = cluster.ticket();
    let timeout = Duration::from_secs(5);
    let target = reference.clone();
    let inspect = Command::Inspect {
        ticket,
        target,
        timeout,
    };
    cluster.command(3, inspect);
    let described = |cluster: &Cluster| {
        let events = cluster.nodes[3].events.iter();
        events.rev().find_map(|event| match event {
            Event::Inspected { ticket: t, result } if *t == ticket => Some(result.clone()),
            _ => None,
        })
    };
    cluster.run_until("the object is described", |c| described(c).is_some());
    let description = described(&cluster).unwrap().unwrap();
    assert_eq!(description.object, reference.id);
    assert_eq!(description.configuration.members.len(), 3);
    assert_eq!(description.methods, ["add", "get"]);
    assert_eq!(description.factor, 3);
}

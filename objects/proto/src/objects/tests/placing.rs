//! Objects are made where round-robin says, and nobody else hears of it.

use alloc::vec::Vec;

use overlay_proto::{Duration, ProcessId};

use super::cluster::{Cluster, Node};
use crate::config::Timings;
use crate::machine::{Command, Event};
use crate::object::{ObjectId, Slot};
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
                |event| matches!(event, Event::Publish { slot, .. } if *slot == object.slot()),
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
fn objects_are_dealt_to_the_slots_in_turn_and_a_slot_lives_in_one_place_whoever_made_it() {
    let mut cluster = Cluster::new(4, 7);
    let made: Vec<ObjectId> = (0..9).map(|_| cluster.create(0, 7).0.id).collect();
    for two in made.windows(2) {
        assert_eq!(two[1].slot(), two[0].slot().next());
    }
    for object in made {
        let same_slot = ObjectId::in_slot(object.slot(), 77);
        cluster.create_as(5, same_slot, None);
        assert_eq!(cluster.members(same_slot), cluster.members(object));
    }
}

fn publications(cluster: &Cluster, node: usize) -> Vec<(Slot, Vec<ProcessId>)> {
    let events = cluster.nodes[node].events.iter();
    let published = events.filter_map(|event| match event {
        Event::Publish { slot, holders } => Some((*slot, holders.clone())),
        _ => None,
    });
    published.collect()
}

#[test]
fn a_slot_is_published_with_the_members_of_all_its_objects_here() {
    let mut cluster = Cluster::new(5, 7);
    let slot = Slot(0xab_cd);
    let mut create = |slot, number, members: &[usize]| {
        cluster.create_as(0, ObjectId::in_slot(slot, number), Some(members));
        cluster.run(Timings::default().tick);
    };
    create(slot, 5, &[2, 3, 4]);
    create(slot, 1, &[2, 5, 6]);
    create(slot.next(), 1, &[2, 0, 1]);
    create(slot, 9, &[1, 2, 3]);
    let holders = |nodes: &[usize]| -> Vec<ProcessId> {
        let processes = nodes.iter().map(|node| cluster.nodes[*node].process);
        processes.collect()
    };
    let published = publications(&cluster, 2);
    assert_eq!(published[0], (slot, holders(&[2, 3, 4])));
    assert_eq!(published[1], (slot, holders(&[2, 5, 6, 3, 4])));
    assert_eq!(published[2], (slot.next(), holders(&[2, 0, 1])));
    assert_eq!(published.len(), 3);
    assert_eq!(publications(&cluster, 1), [(slot, holders(&[1, 2, 3]))]);
}

#[test]
fn what_many_objects_need_at_once_is_published_once() {
    let mut cluster = Cluster::new(7, 3);
    for random in 0..50 {
        cluster.begin_create_as(0, ObjectId::in_slot(Slot(8), random), Some(&[0, 1, 2]));
    }
    cluster.run(Timings::default().tick * 2);
    assert_eq!(publications(&cluster, 0).len(), 1);
}

#[test]
fn many_objects_of_one_slot_are_published_again_as_one() {
    let mut cluster = Cluster::new(6, 3);
    for random in 0..50 {
        cluster.create_as(0, ObjectId::in_slot(Slot(8), random), Some(&[0, 1, 2]));
    }
    cluster.create_as(0, ObjectId::in_slot(Slot(9), 0), Some(&[0, 1, 2]));
    cluster.run(Duration::from_secs(5));
    for period in 0..3 {
        cluster.nodes[0].events.clear();
        cluster.run(Timings::default().republish);
        let mut slots: Vec<Slot> = publications(&cluster, 0)
            .into_iter()
            .map(|(slot, _)| slot)
            .collect();
        slots.sort_unstable();
        assert_eq!(slots, [Slot(8), Slot(9)], "period {period}");
    }
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

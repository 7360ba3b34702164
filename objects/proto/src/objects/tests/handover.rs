//! Hosts that leave on purpose: nothing is lost, nobody waits for a failure to be noticed.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::{Cluster, State};
use crate::caller::HandleId;
use crate::machine::Event;
use crate::outcome::Outcome;

fn drained(cluster: &Cluster, node: usize) -> Option<u32> {
    let events = cluster.nodes[node].events.iter();
    events.rev().find_map(|event| match event {
        Event::Drained { left_behind } => Some(*left_behind),
        _ => None,
    })
}

fn leave(cluster: &mut Cluster, node: usize) {
    cluster.drain(node);
    cluster.run_until("the node is drained", |c| drained(c, node).is_some());
    assert_eq!(drained(cluster, node), Some(0));
    assert_eq!(cluster.nodes[node].machine.replicas().count(), 0);
    cluster.leave(node);
}

#[test]
fn a_leaving_host_hands_over_with_calls_in_flight_and_loses_none() {
    let mut cluster = Cluster::new(31, 5);
    let (reference, _) = cluster.create(0, 0);
    let leaving = cluster.primary(reference.id).unwrap();
    let caller = (0..5).find(|node| *node != leaving).unwrap();
    let mut tickets = Vec::new();
    let send = |cluster: &mut Cluster, tickets: &mut Vec<_>| {
        let mut invocation = cluster.invocation(&reference, "add", 1);
        invocation.handle = HandleId(50);
        tickets.push(cluster.invoke(caller, invocation));
    };
    for _ in 0..20 {
        send(&mut cluster, &mut tickets);
    }
    cluster.drain(leaving);
    for _ in 0..200 {
        send(&mut cluster, &mut tickets);
        cluster.run(Duration::from_millis(2));
    }
    cluster.run_until("the node is drained", |c| drained(c, leaving).is_some());
    assert_eq!(drained(&cluster, leaving), Some(0));
    cluster.leave(leaving);
    for ticket in &tickets {
        let outcome = cluster.wait(caller, *ticket);
        assert!(matches!(outcome, Outcome::Returned(_)), "{outcome:?}");
    }
    let total = cluster.call(caller, HandleId(50), (&reference, "get", 0));
    assert_eq!(total, Ok(tickets.len() as u64));
    let members = cluster.members(reference.id);
    assert!(members.len() == 3 && !members.contains(&leaving));
}

#[test]
fn a_host_with_many_objects_hands_over_in_time() {
    let mut cluster = Cluster::new(32, 4);
    let made: Vec<_> = (0..200).map(|n| cluster.create(0, n)).collect();
    leave(&mut cluster, 2);
    for (index, (reference, handle)) in made.iter().enumerate() {
        let read = cluster.call(0, *handle, (reference, "get", 0));
        assert_eq!(read, Ok(index as u64));
        assert_eq!(cluster.members(reference.id).len(), 3);
    }
}

#[test]
fn three_hosts_shrink_to_two_to_one_and_grow_again() {
    let mut cluster = Cluster::new(33, 3);
    let (reference, _) = cluster.create(0, 0);
    let stays = 1;
    let handle = HandleId(51);
    assert_eq!(cluster.call(stays, handle, (&reference, "add", 1)), Ok(1));
    leave(&mut cluster, 0);
    assert_eq!(cluster.members(reference.id).len(), 2);
    assert_eq!(cluster.call(stays, handle, (&reference, "add", 1)), Ok(2));
    leave(&mut cluster, 2);
    assert_eq!(cluster.members(reference.id), [stays]);
    assert_eq!(cluster.call(stays, handle, (&reference, "add", 1)), Ok(3));
    cluster.add(true);
    cluster.add(true);
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.members(reference.id).len(), 3);
    assert_eq!(cluster.call(stays, handle, (&reference, "add", 1)), Ok(4));
}

#[test]
fn the_last_host_says_what_it_leaves_behind() {
    let mut cluster = Cluster::new(34, 1);
    cluster.create(0, 0);
    cluster.create(0, 0);
    cluster.drain(0);
    cluster.run(Duration::from_millis(100));
    assert_eq!(drained(&cluster, 0), Some(2));
}

#[test]
fn every_host_is_restarted_in_turn_and_the_objects_live_on() {
    let mut cluster = Cluster::new(35, 4);
    let client = cluster.add(false);
    let made: Vec<_> = (0..20).map(|_| cluster.create(client, 0)).collect();
    let mut expected = 0;
    for host in 0..4 {
        leave(&mut cluster, host);
        cluster.restart(host);
        cluster.run(Duration::from_millis(700));
        expected += 1;
        for (reference, handle) in &made {
            let added = cluster.call(client, *handle, (reference, "add", 1));
            assert_eq!(added, Ok(expected));
        }
    }
    cluster.run(Duration::from_secs(10));
    for (reference, _) in &made {
        let members = cluster.members(reference.id);
        assert_eq!(members.len(), 3);
        let running = |node: &usize| cluster.nodes[*node].state == State::Running;
        assert!(members.iter().all(running));
    }
}

#[test]
fn a_reference_to_members_that_are_all_gone_is_found_through_the_directory() {
    let mut cluster = Cluster::new(36, 4);
    let client = cluster.add(false);
    let (reference, handle) = cluster.create(client, 5);
    for host in 0..4 {
        leave(&mut cluster, host);
        cluster.restart(host);
        cluster.run(Duration::from_secs(2));
    }
    let _ = handle;
    let read = cluster.call(client, HandleId(52), (&reference, "get", 0));
    assert_eq!(read, Ok(5));
}

#[test]
fn a_slow_method_does_not_hold_up_the_hand_over() {
    let mut cluster = Cluster::new(37, 4);
    let (reference, _) = cluster.create(0, 0);
    let leaving = cluster.primary(reference.id).unwrap();
    let caller = (0..4).find(|node| *node != leaving).unwrap();
    let mut slow = cluster.invocation(&reference, "slow_add", 1);
    slow.handle = HandleId(53);
    let slow = cluster.invoke(caller, slow);
    cluster.run(Duration::from_millis(20));
    leave(&mut cluster, leaving);
    assert!(matches!(cluster.wait(caller, slow), Outcome::Returned(_)));
    let read = cluster.call(caller, HandleId(53), (&reference, "get", 0));
    assert_eq!(read, Ok(1), "it ran once");
}

#[test]
fn a_host_whose_kind_nobody_else_hosts_says_so_without_waiting() {
    let mut cluster = Cluster::new(38, 1);
    cluster.add(false);
    cluster.create(0, 0);
    cluster.drain(0);
    cluster.run(Duration::from_millis(100));
    assert_eq!(drained(&cluster, 0), Some(1));
}

/// Members that store what others have stored long before are never in step while calls come
/// in without a pause.
#[test]
fn a_loaded_object_is_handed_over_to_members_that_lag_behind() {
    for slow in 1..8 {
        let mut cluster = Cluster::new(39, 4);
        let (reference, _) = cluster.create(0, 0);
        let leaving = cluster.primary(reference.id).unwrap();
        let client = cluster.add(false);
        let others = (0..4).filter(|node| *node != leaving).enumerate();
        for (_, node) in others.filter(|(place, _)| slow & (1 << place) != 0) {
            cluster.slow(node, Duration::from_millis(6));
        }
        let begun = cluster.now;
        cluster.drain(leaving);
        let mut tickets = Vec::new();
        while drained(&cluster, leaving).is_none() {
            let mut invocation = cluster.invocation(&reference, "add", 1);
            invocation.handle = HandleId(54);
            tickets.push(cluster.invoke(client, invocation));
            cluster.run(Duration::from_millis(1));
        }
        let took = cluster.now.since(begun);
        assert!(took < Duration::from_secs(1), "{slow:03b}: {took:?}");
        cluster.leave(leaving);
        for ticket in &tickets {
            let outcome = cluster.wait(client, *ticket);
            assert!(matches!(outcome, Outcome::Returned(_)), "{outcome:?}");
        }
        let members = cluster.members(reference.id);
        assert!(members.len() == 3 && !members.contains(&leaving));
    }
}

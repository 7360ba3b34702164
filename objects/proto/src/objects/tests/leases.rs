//! Reads under leases: what they cost, and how long they hold up a takeover.

use overlay_proto::Duration;

use super::cluster::Cluster;
use crate::caller::HandleId;
use crate::machine::Command;
use crate::reads::Reads;
use crate::reference::RawRef;

/// Four hosts and a number at three of them, whose primary has leases.
fn leased(seed: u64) -> (Cluster, RawRef, HandleId, usize) {
    let mut cluster = Cluster::reading(Reads::Lease, seed, 4);
    let (reference, handle) = cluster.create(0, 5);
    assert_eq!(cluster.call(0, handle, (&reference, "get", 0)), Ok(5));
    let primary = cluster.primary(reference.id).unwrap();
    (cluster, reference, handle, primary)
}

/// Messages between hosts that hold the object.
fn among_members(cluster: &Cluster, reference: &RawRef) -> u64 {
    let members = cluster.members(reference.id);
    let both = |(from, to): &(usize, usize)| members.contains(from) && members.contains(to);
    let pairs = cluster.messages.iter().filter(|(pair, _)| both(pair));
    pairs.map(|(_, count)| count).sum()
}

#[test]
fn a_leased_read_sends_nothing_to_the_backups() {
    let (mut cluster, reference, handle, primary) = leased(41);
    let caller = (0..4).find(|node| !cluster.members(reference.id).contains(node));
    let caller = caller.expect("one host holds nothing");
    let before = among_members(&cluster, &reference);
    for _ in 0..50 {
        let target = (&reference, "get", 0);
        assert_eq!(cluster.call(caller, handle, target), Ok(5));
    }
    assert_eq!(among_members(&cluster, &reference), before);
    let counters = cluster.nodes[primary].machine.counters();
    assert!(counters.lease_reads >= 50, "{counters:?}");
}

#[test]
fn leases_are_renewed_while_they_are_used_and_an_idle_object_costs_nothing() {
    let (mut cluster, reference, handle, primary) = leased(42);
    for _ in 0..20 {
        cluster.run(Duration::from_millis(500));
        assert_eq!(cluster.call(0, handle, (&reference, "get", 0)), Ok(5));
        let now = cluster.now;
        let machine = &cluster.nodes[primary].machine;
        assert!(machine.holds_lease(now, &reference.id));
    }
    cluster.run(Duration::from_secs(9));
    assert!(cluster.is_idle(), "no timer is left of a lease out of use");
    let now = cluster.now;
    assert!(
        !cluster.nodes[primary]
            .machine
            .holds_lease(now, &reference.id)
    );
    assert_eq!(cluster.call(0, handle, (&reference, "get", 0)), Ok(5));
}

#[test]
fn a_dead_primary_is_replaced_when_its_leases_are_over() {
    let (mut cluster, reference, _, primary) = leased(43);
    let caller = (0..4).find(|node| *node != primary).unwrap();
    let killed_at = cluster.now;
    cluster.kill(primary);
    let handle = HandleId(77);
    assert_eq!(cluster.call(caller, handle, (&reference, "add", 1)), Ok(6));
    let took = cluster.now.since(killed_at);
    assert!(took > Duration::from_millis(1_900), "{took:?}");
}

#[test]
fn a_dead_or_frozen_primary_with_leases_is_replaced_within_three_seconds() {
    for seed in 200..240 {
        let (mut cluster, reference, handle, primary) = leased(seed);
        for _ in 0..seed % 7 {
            cluster.run(Duration::from_millis(370));
            let target = (&reference, "get", 0);
            assert_eq!(cluster.call(0, handle, target), Ok(5));
        }
        let caller = (0..4).find(|node| *node != primary).unwrap();
        let lost_at = cluster.now;
        if seed % 2 == 0 {
            cluster.kill(primary);
        } else {
            cluster.freeze(primary);
        }
        let handle = HandleId(77);
        assert_eq!(cluster.call(caller, handle, (&reference, "add", 1)), Ok(6));
        let took = cluster.now.since(lost_at);
        assert!(took < Duration::from_secs(3), "seed {seed}: {took:?}");
    }
}

#[test]
fn an_object_that_is_only_written_is_not_held_up() {
    let mut cluster = Cluster::reading(Reads::Lease, 44, 4);
    let (reference, handle) = cluster.create(0, 5);
    cluster.call(0, handle, (&reference, "add", 1)).unwrap();
    let primary = cluster.primary(reference.id).unwrap();
    let caller = (0..4).find(|node| *node != primary).unwrap();
    let killed_at = cluster.now;
    cluster.kill(primary);
    let handle = HandleId(77);
    assert_eq!(cluster.call(caller, handle, (&reference, "add", 1)), Ok(7));
    assert!(cluster.now.since(killed_at) < Duration::from_secs(1));
}

#[test]
fn a_primary_that_hands_over_is_not_waited_for() {
    let (mut cluster, reference, _, primary) = leased(45);
    let caller = (0..4).find(|node| *node != primary).unwrap();
    let begun = cluster.now;
    cluster.drain(primary);
    let object = reference.id;
    cluster.run_until("the object moves", |c| {
        c.primary(object).is_some_and(|node| node != primary)
    });
    let handle = HandleId(77);
    assert_eq!(cluster.call(caller, handle, (&reference, "add", 1)), Ok(6));
    assert!(cluster.now.since(begun) < Duration::from_secs(1));
}

#[test]
fn a_clock_that_stood_still_ends_what_was_measured_with_it() {
    let (mut cluster, reference, handle, primary) = leased(46);
    let now = cluster.now;
    assert!(
        cluster.nodes[primary]
            .machine
            .holds_lease(now, &reference.id)
    );
    cluster.command(primary, Command::ClockStopped);
    assert!(
        !cluster.nodes[primary]
            .machine
            .holds_lease(now, &reference.id)
    );
    assert_eq!(cluster.call(0, handle, (&reference, "get", 0)), Ok(5));
}

//! Calls between objects: recorded ones arrive once, crossing ones do not wait for ever.

use overlay_proto::Duration;

use super::cluster::Cluster;
use crate::caller::HandleId;
use crate::object::ObjectId;
use crate::outcome::{Failure, Outcome};

fn low(object: ObjectId) -> u64 {
    u64::try_from(object.0 & u128::from(u64::MAX)).unwrap()
}

#[test]
fn a_recorded_call_is_delivered_once() {
    let mut cluster = Cluster::new(41, 5);
    let (source, handle) = cluster.create(0, 0);
    let (target, _) = cluster.create(0, 0);
    for n in 1..=5 {
        let deferred = cluster.call(0, handle, (&source, "defer", low(target.id)));
        assert_eq!(deferred, Ok(n));
    }
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.state(target.id), Some(5));
    cluster.run(Duration::from_secs(5));
    assert!(cluster.is_idle(), "what is delivered is forgotten");
}

#[test]
fn a_recorded_call_is_delivered_once_across_a_failover_of_its_source() {
    for seed in 0..12 {
        let mut cluster = Cluster::new(400 + seed, 6);
        let (source, _) = cluster.create(0, 0);
        let (target, _) = cluster.create(0, 0);
        let primary = cluster.primary(source.id).unwrap();
        let caller = (0..6).find(|node| *node != primary).unwrap();
        let mut invocation = cluster.invocation(&source, "defer", low(target.id));
        invocation.handle = HandleId(60);
        let ticket = cluster.invoke(caller, invocation);
        cluster.run(Duration::from_micros(800 + seed * 350));
        cluster.kill(primary);
        let outcome = cluster.wait(caller, ticket);
        assert!(
            matches!(outcome, Outcome::Returned(_)),
            "seed {seed}: {outcome:?}"
        );
        cluster.run(Duration::from_secs(15));
        let read = cluster.call(caller, HandleId(61), (&target, "get", 0));
        assert_eq!(read, Ok(1), "seed {seed}");
    }
}

#[test]
fn a_method_waits_for_a_call_to_another_object() {
    let mut cluster = Cluster::new(42, 4);
    let (first, handle) = cluster.create(0, 0);
    let (second, _) = cluster.create(0, 10);
    assert_eq!(
        cluster.call(0, handle, (&first, "relay", low(second.id))),
        Ok(11)
    );
    assert_eq!(cluster.state(first.id), Some(1));
    assert_eq!(cluster.state(second.id), Some(11));
}

#[test]
fn a_method_that_calls_its_own_object_is_told_so_at_once() {
    let mut cluster = Cluster::new(43, 3);
    let (object, handle) = cluster.create(0, 0);
    let before = cluster.now;
    let ended = cluster.call(0, handle, (&object, "relay", low(object.id)));
    assert_eq!(ended, Err(Outcome::Failed(Failure::Deadlock)));
    assert!(cluster.now.since(before) < Duration::from_secs(1));
}

#[test]
fn of_two_calls_that_cross_one_is_ended_and_the_other_goes_on() {
    let mut cluster = Cluster::new(44, 5);
    let (first, _) = cluster.create(0, 0);
    let (second, _) = cluster.create(0, 0);
    let before = cluster.now;
    let mut there = cluster.invocation(&first, "relay", low(second.id));
    there.handle = HandleId(70);
    let mut back = cluster.invocation(&second, "relay", low(first.id));
    back.handle = HandleId(71);
    let there = cluster.invoke(0, there);
    let back = cluster.invoke(1, back);
    let outcomes = [cluster.wait(0, there), cluster.wait(1, back)];
    let deadlocked = Outcome::Failed(Failure::Deadlock);
    let ended = outcomes.iter().filter(|one| **one == deadlocked).count();
    let returned = |one: &&Outcome| matches!(one, Outcome::Returned(_));
    assert_eq!(ended, 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(returned).count(), 1, "{outcomes:?}");
    assert!(cluster.now.since(before) < Duration::from_secs(2));
}

//! Crashes, freezes and cuts: another replica goes on, nothing is lost, nothing runs twice.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::{Cluster, KIND};
use crate::config::Pace;
use crate::machine::Event;
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome};
use crate::reference::RawRef;

#[test]
fn a_killed_primary_is_replaced_by_a_backup_and_the_set_is_whole_again() {
    let mut cluster = Cluster::new(11, 5);
    let (reference, handle) = cluster.create(0, 0);
    for n in 1..=5 {
        assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(n));
    }
    let victim = cluster.primary(reference.id).unwrap();
    let caller = cluster.members(reference.id)[1];
    let caller = if victim == 0 { caller } else { 0 };
    let caller_handle = if caller == 0 {
        handle
    } else {
        crate::caller::HandleId(77)
    };
    let killed_at = cluster.now;
    cluster.kill(victim);
    let added = cluster.call(caller, caller_handle, (&reference, "add", 1));
    assert_eq!(added, Ok(6));
    assert!(
        cluster.now.since(killed_at) < Duration::from_secs(1),
        "took over in time"
    );
    cluster.run(Duration::from_secs(15));
    let members = cluster.members(reference.id);
    assert_eq!(members.len(), 3);
    assert!(!members.contains(&victim));
    for member in members {
        let replica = cluster.nodes[member]
            .machine
            .replica(&reference.id)
            .unwrap();
        let (_, _, value) = replica.value().unwrap();
        assert_eq!(super::cluster::read(&value.state), 6);
    }
    let took_over: usize = cluster
        .living()
        .map(|node| cluster.count(node, |e| matches!(e, Event::TookOver { .. })))
        .sum();
    assert_eq!(took_over, 1);
    assert!(cluster.is_idle(), "a repaired cluster is quiet");
}

#[test]
fn a_hundred_objects_survive_a_killed_host_without_a_call() {
    let mut cluster = Cluster::new(12, 5);
    let made: Vec<_> = (0..100).map(|n| cluster.create(0, n)).collect();
    for (index, (reference, handle)) in made.iter().enumerate() {
        let expected = index as u64 + 1;
        assert_eq!(
            cluster.call(0, *handle, (reference, "add", 1)),
            Ok(expected)
        );
    }
    cluster.kill(4);
    cluster.run(Duration::from_secs(20));
    for (index, (reference, handle)) in made.iter().enumerate() {
        let members = cluster.members(reference.id);
        assert!(members.len() == 3 && !members.contains(&4), "{members:?}");
        let expected = index as u64 + 1;
        assert_eq!(
            cluster.call(0, *handle, (reference, "get", 0)),
            Ok(expected)
        );
    }
    cluster.run(Duration::from_secs(5));
    assert!(cluster.is_idle());
}

#[test]
fn objects_that_were_never_called_are_repaired_too() {
    let mut cluster = Cluster::new(13, 5);
    let made: Vec<_> = (0..50).map(|n| cluster.create(0, n)).collect();
    cluster.run(Duration::from_secs(1));
    cluster.kill(3);
    cluster.run(Duration::from_secs(20));
    for (reference, _) in &made {
        let members = cluster.members(reference.id);
        assert!(members.len() == 3 && !members.contains(&3), "{members:?}");
    }
}

#[test]
fn a_frozen_primary_is_replaced_and_answers_nothing_stale_when_it_thaws() {
    let mut cluster = Cluster::new(14, 5);
    let (reference, handle) = cluster.create(0, 0);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(1));
    let frozen = cluster.primary(reference.id).unwrap();
    let caller = (0..5).find(|node| *node != frozen).unwrap();
    let late = cluster.invocation(&reference, "get", 0);
    cluster.freeze(frozen);
    let late = cluster.invoke(frozen, late);
    let frozen_at = cluster.now;
    let other = crate::caller::HandleId(78);
    assert_eq!(cluster.call(caller, other, (&reference, "add", 10)), Ok(11));
    assert!(cluster.now.since(frozen_at) < Duration::from_secs(3));
    cluster.thaw(frozen);
    let seen = cluster.wait(frozen, late);
    assert_eq!(
        seen,
        Outcome::Returned(super::cluster::number(11)),
        "not the old 1"
    );
    assert_eq!(cluster.call(caller, other, (&reference, "add", 1)), Ok(12));
    let took_over = cluster
        .living()
        .map(|node| cluster.count(node, |e| matches!(e, Event::TookOver { .. })))
        .sum::<usize>();
    assert_eq!(took_over, 1);
}

#[test]
fn one_cut_link_to_the_primary_causes_no_takeover() {
    let mut cluster = Cluster::new(15, 4);
    let (reference, handle) = cluster.create(0, 0);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(1));
    let members = cluster.members(reference.id);
    let primary = cluster.primary(reference.id).unwrap();
    let backup = members.iter().copied().find(|m| *m != primary).unwrap();
    cluster.cut(primary, backup);
    let other = crate::caller::HandleId(79);
    let caller = (0..4)
        .find(|node| *node != primary && *node != backup)
        .unwrap();
    for n in 2..=10 {
        assert_eq!(cluster.call(caller, other, (&reference, "add", 1)), Ok(n));
        cluster.run(Duration::from_millis(500));
    }
    assert_eq!(cluster.primary(reference.id), Some(primary));
    cluster.heal(primary, backup);
}

#[test]
fn a_primary_cut_off_from_both_backups_serves_nothing() {
    let mut cluster = Cluster::new(16, 3);
    let (reference, handle) = cluster.create(0, 0);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(1));
    let primary = cluster.primary(reference.id).unwrap();
    let others: Vec<usize> = (0..3).filter(|node| *node != primary).collect();
    for other in &others {
        cluster.cut(primary, *other);
    }
    let here = crate::caller::HandleId(80);
    let there = crate::caller::HandleId(81);
    let stale = cluster.invocation(&reference, "get", 0);
    let stale = cluster.invoke(
        primary,
        crate::caller::Invocation {
            handle: here,
            ..stale
        },
    );
    let outcome = cluster.call(others[0], there, (&reference, "add", 1));
    assert_eq!(outcome, Ok(2));
    let ended = cluster.wait(primary, stale);
    assert!(
        matches!(
            ended,
            Outcome::NotExecuted(Cause::NoQuorum | Cause::Unreachable | Cause::Deadline)
                | Outcome::Indeterminate(_)
        ),
        "{ended:?}"
    );
    for other in &others {
        cluster.heal(primary, *other);
    }
    assert_eq!(cluster.call(primary, here, (&reference, "add", 1)), Ok(3));
}

#[test]
fn writes_in_flight_while_primaries_die_take_effect_once_each() {
    for seed in 100..110 {
        let mut cluster = Cluster::new(seed, 7);
        let (reference, _) = cluster.create(6, 0);
        let mut acknowledged = 0;
        let mut unclear = 0;
        for round in 0..3_u64 {
            let primary = cluster.primary(reference.id).unwrap();
            let caller = cluster.living().find(|node| *node != primary).unwrap();
            let handle = crate::caller::HandleId(1_000 + round);
            let tickets: Vec<_> = (0..40)
                .map(|_| {
                    let mut invocation = cluster.invocation(&reference, "add", 1);
                    invocation.handle = handle;
                    cluster.invoke(caller, invocation)
                })
                .collect();
            cluster.run(Duration::from_micros(500 + 311 * (seed % 10)));
            cluster.kill(primary);
            for ticket in tickets {
                match cluster.wait(caller, ticket) {
                    Outcome::Returned(_) => acknowledged += 1,
                    Outcome::Indeterminate(_) | Outcome::Executed => unclear += 1,
                    Outcome::NotExecuted(_) => {}
                    Outcome::Failed(failure) => panic!("{failure:?}"),
                }
            }
            cluster.run(Duration::from_secs(15));
        }
        let reader = cluster.living().next().unwrap();
        let last = crate::caller::HandleId(2_000);
        let total = cluster.call(reader, last, (&reference, "get", 0)).unwrap();
        assert!(
            (acknowledged..=acknowledged + unclear).contains(&total),
            "seed {seed}: {total} of {acknowledged} and {unclear} unclear"
        );
        assert!(acknowledged >= 100, "seed {seed}: only {acknowledged}");
    }
}

#[test]
fn a_first_primary_that_never_got_its_object_is_replaced_by_a_backup() {
    for seed in 0..8 {
        let mut cluster = Cluster::new(50 + seed, 6);
        for other in 1..6 {
            cluster.cut(0, other);
        }
        let (ticket, handle) = cluster.begin_create(0, 4);
        let asked: Vec<usize> = cluster.messages.keys().map(|(_, to)| *to).collect();
        let first = asked.first().copied().unwrap();
        for other in (1..6).filter(|other| *other != first) {
            cluster.heal(0, other);
        }
        cluster.run_until("an object is made", |c| c.created(0, ticket).is_some());
        let reference = cluster.created(0, ticket).unwrap();
        let caller = (1..6).find(|node| !asked.contains(node)).unwrap();
        let other = crate::caller::HandleId(82);
        assert_eq!(cluster.call(caller, other, (&reference, "add", 1)), Ok(5));
        assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(6));
    }
}

#[test]
fn what_waits_in_vain_for_its_members_holds_up_no_takeover() {
    let pace = Pace {
        standing: 1,
        ..Pace::default()
    };
    let mut cluster = Cluster::paced(pace, 17, 7);
    let [stuck, stuck_too, whole] = [1, 2, 3].map(ObjectId);
    for (id, members) in [
        (stuck, [0, 3, 4]),
        (stuck_too, [1, 3, 4]),
        (whole, [2, 0, 1]),
    ] {
        cluster.create_as(members[0], id, Some(&members));
    }
    cluster.kill(3);
    cluster.kill(4);
    for id in [stuck, stuck_too] {
        let reference = RawRef::bare(id, KIND);
        let invocation = cluster.invocation(&reference, "add", 1);
        cluster.invoke(5, invocation);
    }
    cluster.run(Duration::from_secs(1));
    cluster.kill(2);
    cluster.run(Duration::from_secs(10));
    assert!(cluster.primary(whole).is_some(), "nobody stood for it");
}

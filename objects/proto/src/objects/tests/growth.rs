//! Small clusters: one host, two hosts, three hosts, and what survives what.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::Cluster;
use crate::caller::HandleId;
use crate::machine::{Command, Event};
use crate::outcome::{Cause, Outcome};

#[test]
fn an_object_grows_from_one_replica_to_three_in_one_step_as_hosts_join() {
    let mut cluster = Cluster::new(21, 1);
    let (reference, handle) = cluster.create(0, 0);
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(1));
    cluster.add(true);
    cluster.run(Duration::from_secs(2));
    assert_eq!(
        cluster.members(reference.id),
        [0],
        "two hosts: one member and a learner"
    );
    let learner = cluster.nodes[1].machine.replica(&reference.id);
    assert!(learner.is_some_and(|replica| !replica.is_installed_member()));
    assert_eq!(cluster.call(0, handle, (&reference, "add", 1)), Ok(2));
    cluster.add(true);
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.members(reference.id), [0, 1, 2]);
    let changes = cluster.count(0, |e| matches!(e, Event::Reconfigured { .. }));
    assert_eq!(changes, 1, "in one step");
    cluster.kill(0);
    assert_eq!(cluster.call(1, HandleId(5), (&reference, "add", 1)), Ok(3));
}

#[test]
fn an_object_that_was_never_called_grows_too() {
    let mut cluster = Cluster::new(22, 1);
    let (reference, _) = cluster.create(0, 3);
    cluster.add(true);
    cluster.add(true);
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.members(reference.id), [0, 1, 2]);
    cluster.run(Duration::from_secs(5));
    assert!(cluster.is_idle());
}

#[test]
fn with_two_hosts_losing_the_learner_stops_nothing() {
    let mut cluster = Cluster::new(23, 2);
    let (reference, handle) = cluster.create(0, 0);
    cluster.run(Duration::from_secs(2));
    let primary = cluster.primary(reference.id).unwrap();
    let handle = if primary == 0 { handle } else { HandleId(6) };
    assert_eq!(cluster.call(primary, handle, (&reference, "add", 1)), Ok(1));
    cluster.kill(1 - primary);
    let before = cluster.now;
    for n in 2..=5 {
        assert_eq!(cluster.call(primary, handle, (&reference, "add", 1)), Ok(n));
    }
    assert!(cluster.now.since(before) < Duration::from_secs(1));
}

#[test]
fn with_two_hosts_losing_the_primary_stops_the_object_until_it_is_recovered() {
    let mut cluster = Cluster::new(24, 2);
    let (reference, handle) = cluster.create(0, 0);
    cluster.run(Duration::from_secs(2));
    let primary = cluster.primary(reference.id).unwrap();
    let survivor = 1 - primary;
    let handle = if survivor == 0 { handle } else { HandleId(7) };
    for n in 1..=4 {
        assert_eq!(
            cluster.call(survivor, handle, (&reference, "add", 1)),
            Ok(n)
        );
    }
    cluster.kill(primary);
    let stopped = cluster.call(survivor, HandleId(8), (&reference, "add", 1));
    let says_so = |cause: &Cause| matches!(cause, Cause::NoQuorum | Cause::Unreachable);
    match &stopped {
        Err(Outcome::NotExecuted(cause) | Outcome::Indeterminate(cause)) if says_so(cause) => {}
        other => panic!("{other:?}"),
    }
    let ticket = cluster.ticket();
    let target = reference.clone();
    cluster.command(survivor, Command::Recover { ticket, target });
    let recovered = |cluster: &Cluster| {
        cluster.nodes[survivor]
            .events
            .iter()
            .find_map(|event| match event {
                Event::Recovered { ticket: t, result } if *t == ticket => Some(result.clone()),
                _ => None,
            })
    };
    cluster.run_until("the recovery ends", |c| recovered(c).is_some());
    let (place, _) = recovered(&cluster).unwrap().unwrap();
    assert_eq!(place.configuration.unwrap().epoch.lineage.number, 1);
    let added = cluster.call(survivor, HandleId(9), (&reference, "add", 1));
    assert_eq!(added, Ok(5), "nothing acknowledged is lost");
}

#[test]
fn a_set_that_lost_its_majority_says_no_quorum_and_is_recovered_from_the_best_copy() {
    let mut cluster = Cluster::new(25, 6);
    let (reference, handle) = cluster.create(0, 0);
    let mut members = cluster.members(reference.id);
    let caller = (0..6).find(|node| !members.contains(node)).unwrap();
    let _ = handle;
    for n in 1..=3 {
        assert_eq!(
            cluster.call(caller, HandleId(10), (&reference, "add", 1)),
            Ok(n)
        );
    }
    let survivor = members.pop().unwrap();
    for member in &members {
        cluster.kill(*member);
    }
    let stopped = cluster.call(caller, HandleId(11), (&reference, "add", 1));
    let Err(Outcome::NotExecuted(Cause::NoQuorum) | Outcome::Indeterminate(Cause::NoQuorum)) =
        stopped
    else {
        panic!("{stopped:?}");
    };
    let ticket = cluster.ticket();
    let target = reference.clone();
    cluster.command(caller, Command::Recover { ticket, target });
    cluster.run(Duration::from_secs(15));
    let again = cluster.call(caller, HandleId(12), (&reference, "add", 1));
    assert_eq!(again, Ok(4));
    let members = cluster.members(reference.id);
    assert!(
        members.len() == 3 && members.contains(&survivor),
        "{members:?}"
    );
}

#[test]
fn nobody_has_a_copy_to_recover_from() {
    let mut cluster = Cluster::new(26, 6);
    let (reference, _) = cluster.create(0, 0);
    let members: Vec<usize> = cluster.members(reference.id);
    let caller = (0..6).find(|node| !members.contains(node)).unwrap();
    for member in members {
        cluster.kill(member);
    }
    let ticket = cluster.ticket();
    let target = reference;
    cluster.command(caller, Command::Recover { ticket, target });
    cluster.run(Duration::from_secs(5));
    let said = cluster.nodes[caller].events.iter().any(|event| {
        let Event::Recovered { ticket: t, result } = event else {
            return false;
        };
        *t == ticket && matches!(result, Err(Cause::NotFound))
    });
    assert!(said);
}

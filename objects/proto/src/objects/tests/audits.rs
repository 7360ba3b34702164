//! Replicas that were left behind, and that nobody calls, are found in the end.

use alloc::vec::Vec;

use overlay_proto::Duration;

use super::cluster::Cluster;
use crate::message::{AUDIT_MAX, Message};
use crate::object::ObjectId;

const HOUR: Duration = Duration::from_secs(3_600);

/// A backup is cut off from all while something happens to its object.
fn left_behind(happens: impl FnOnce(&mut Cluster, ObjectId)) -> (Cluster, ObjectId, usize) {
    let mut cluster = Cluster::new(51, 5);
    let (reference, _) = cluster.create(0, 0);
    cluster.run(Duration::from_secs(2));
    let primary = cluster.primary(reference.id);
    let members = cluster.members(reference.id);
    let backup = members.into_iter().find(|node| Some(*node) != primary);
    let backup = backup.unwrap();
    let others: Vec<usize> = (0..5).filter(|node| *node != backup).collect();
    others.iter().for_each(|node| cluster.cut(backup, *node));
    cluster.show(backup, false);
    happens(&mut cluster, reference.id);
    others.iter().for_each(|node| cluster.heal(backup, *node));
    cluster.show(backup, true);
    cluster.run(Duration::from_secs(5));
    let replica = cluster.nodes[backup].machine.replica(&reference.id);
    assert!(replica.is_some(), "nobody has told it yet");
    (cluster, reference.id, backup)
}

#[test]
fn a_backup_that_missed_a_change_of_its_set_ends_within_hours() {
    let (mut cluster, object, backup) = left_behind(|cluster, object| {
        cluster.run(Duration::from_secs(30));
        assert_eq!(cluster.members(object).len(), 3);
    });
    cluster.run(HOUR * 3);
    assert!(cluster.nodes[backup].machine.replica(&object).is_none());
    let members = cluster.members(object);
    assert!(members.len() == 3 && !members.contains(&backup));
}

#[test]
fn a_backup_that_missed_the_deletion_ends_within_hours() {
    let (mut cluster, object, backup) = left_behind(|cluster, object| {
        let reference = cluster.references[&object].clone();
        cluster.delete(cluster.primary(object).unwrap(), &reference);
        cluster.run(Duration::from_secs(5));
    });
    cluster.run(HOUR * 3);
    assert!(cluster.nodes[backup].machine.replica(&object).is_none());
}

#[test]
fn replicas_that_are_up_to_date_cost_a_message_in_six_hours_and_pair() {
    let mut cluster = Cluster::new(52, 3);
    for _ in 0..200 {
        cluster.create(0, 0);
    }
    cluster.run(Duration::from_secs(10));
    cluster.sent = Some(Vec::new());
    cluster.run(HOUR * 6 + HOUR / 4);
    let sent = cluster.sent.take().unwrap();
    let named = |message: &Message| match message {
        Message::Audit { replicas } => {
            assert!(replicas.len() <= AUDIT_MAX);
            replicas.len()
        }
        other => panic!("{other:?} in quiet hours"),
    };
    let named: usize = sent.iter().map(named).sum();
    assert!((350..=450).contains(&named), "{named} of 400 backups");
}

//! Stories of a registry.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::id::{ClusterId, Incarnation, ProcessId};
use crate::plain_keys::PlainKeys;

const T0: Instant = Instant::from_micros(1_000_000);

fn record(number: u64, sequence: u64) -> SignedRecord {
    let keys = PlainKeys::numbered(number);
    let record = MemberRecord {
        process: ProcessId {
            peer: keys.peer(),
            incarnation: Incarnation(1),
        },
        sequence,
        addresses: vec!["/memory/1".into()],
        kinds: Vec::new(),
        capacity: 0,
        load: 0,
        primaries: 0,
        labels: Vec::new(),
        leaving: false,
        stamp: 0,
    };
    SignedRecord::sign(&record, &keys)
}

fn register(leases: &mut Leases, now: Instant, origin: &str, record: SignedRecord) -> Answer {
    let request = Request::Register {
        record,
        lease_s: 45,
        cluster: None,
        limit: 10,
    };
    leases.answer(now, origin, &request, &PlainKeys::numbered(0))
}

fn list(leases: &mut Leases, now: Instant, limit: u32) -> Vec<SignedRecord> {
    match leases.answer(now, "x", &Request::List { limit }, &PlainKeys::numbered(0)) {
        Answer::List { records, .. } => records,
        other => panic!("{other:?}"),
    }
}

fn cluster(id: u128, founded_at_ms: u64, root_version: u64) -> ClusterRecord {
    let keys = PlainKeys::numbered(1);
    let founder = ProcessId {
        peer: keys.peer(),
        incarnation: Incarnation(1),
    };
    ClusterRecord {
        id: ClusterId(id),
        founder,
        founded_at_ms,
        root_version,
        root: bytes::Bytes::new(),
    }
}

#[test]
fn who_registers_is_told_of_the_others_until_their_lease_ends() {
    let mut leases = Leases::new(LeasesConfig::default(), 1);
    register(&mut leases, T0, "a", record(1, 1));
    let Answer::Registered {
        lease_s, records, ..
    } = register(&mut leases, T0, "b", record(2, 1))
    else {
        panic!("refused")
    };
    assert_eq!((lease_s, records), (45, vec![record(1, 1)]));
    let later = T0 + Duration::from_secs(44);
    register(&mut leases, later, "b", record(2, 1));
    assert_eq!(
        list(&mut leases, later + Duration::from_secs(2), 10),
        [record(2, 1)]
    );
}

#[test]
fn leases_are_neither_shorter_nor_longer_than_allowed() {
    let mut leases = Leases::new(LeasesConfig::default(), 1);
    for (asked, granted) in [(0, 30), (45, 45), (u32::MAX, 60)] {
        let request = Request::Register {
            record: record(1, 1),
            lease_s: asked,
            cluster: None,
            limit: 0,
        };
        let answer = leases.answer(T0, "a", &request, &PlainKeys::numbered(0));
        assert!(matches!(answer, Answer::Registered { lease_s, .. } if lease_s == granted));
    }
}

#[test]
fn only_the_owner_speaks_for_a_peer_and_only_forward() {
    let mut leases = Leases::new(LeasesConfig::default(), 1);
    register(&mut leases, T0, "a", record(1, 5));
    let (body, signature) = (record(1, 6), record(2, 6));
    let forged = SignedRecord::new(body.body().clone(), signature.signature().clone());
    let refused = Answer::Refused(Refusal::Record);
    assert_eq!(register(&mut leases, T0, "a", forged.clone()), refused);
    let leave = Request::Leave { record: forged };
    assert_eq!(
        leases.answer(T0, "a", &leave, &PlainKeys::numbered(0)),
        refused
    );
    let stale = Answer::Refused(Refusal::Stale);
    assert_eq!(register(&mut leases, T0, "a", record(1, 4)), stale);
    let leave = Request::Leave {
        record: record(1, 5),
    };
    assert_eq!(
        leases.answer(T0, "a", &leave, &PlainKeys::numbered(0)),
        Answer::Left
    );
    assert!(leases.is_empty());
}

#[test]
fn one_address_cannot_fill_the_registry() {
    let config = LeasesConfig {
        records_max: 5,
        records_per_origin_max: 2,
    };
    let mut leases = Leases::new(config, 1);
    for number in 0..2 {
        register(&mut leases, T0, "greedy", record(number, 1));
    }
    let refused = Answer::Refused(Refusal::OriginFull);
    assert_eq!(register(&mut leases, T0, "greedy", record(2, 1)), refused);
    let renewed = register(&mut leases, T0, "greedy", record(1, 2));
    assert!(
        matches!(renewed, Answer::Registered { .. }),
        "who is in may renew"
    );
    register(&mut leases, T0, "moved", record(1, 3));
    let room = register(&mut leases, T0, "greedy", record(2, 1));
    assert!(
        matches!(room, Answer::Registered { .. }),
        "who moves makes room"
    );
    for number in 10..12 {
        register(&mut leases, T0, "other", record(number, 1));
    }
    let full = register(&mut leases, T0, "another", record(20, 1));
    assert_eq!(full, Answer::Refused(Refusal::Full));
    let later = T0 + LEASE_MAX;
    let again = register(&mut leases, later, "greedy", record(30, 1));
    assert!(
        matches!(again, Answer::Registered { .. }),
        "leases end and make room"
    );
    assert_eq!(leases.len(), 1);
}

#[test]
fn a_move_to_a_full_address_keeps_the_lease_that_there_was() {
    let config = LeasesConfig {
        records_max: 5,
        records_per_origin_max: 1,
    };
    let mut leases = Leases::new(config, 1);
    register(&mut leases, T0, "a", record(1, 1));
    register(&mut leases, T0, "b", record(2, 1));
    let refused = register(&mut leases, T0, "b", record(1, 2));
    assert_eq!(refused, Answer::Refused(Refusal::OriginFull));
    assert_eq!(leases.len(), 2);
}

#[test]
fn the_cluster_that_wins_is_remembered_with_its_newest_hint() {
    let mut leases = Leases::new(LeasesConfig::default(), 1);
    for told in [
        cluster(7, 100, 1),
        cluster(7, 100, 3),
        cluster(7, 100, 2),
        cluster(9, 200, 9),
    ] {
        leases.remember(&told);
    }
    assert_eq!(leases.cluster(), Some(&cluster(7, 100, 3)));
    leases.remember(&cluster(5, 50, 0));
    assert_eq!(leases.cluster(), Some(&cluster(5, 50, 0)));
}

#[test]
fn a_snapshot_brings_everything_back_but_forgeries() {
    let keys = PlainKeys::numbered(0);
    let mut leases = Leases::new(LeasesConfig::default(), 1);
    register(&mut leases, T0, "a", record(1, 1));
    register(&mut leases, T0, "a", record(2, 1));
    leases.remember(&cluster(7, 100, 3));
    let mut restored = Leases::new(LeasesConfig::default(), 2);
    assert_eq!(restored.restore(T0, &leases.snapshot(), &keys), Ok(2));
    assert!(restored.records().eq(leases.records()));
    assert_eq!(restored.cluster(), leases.cluster());
    assert!(matches!(
        restored.restore(T0, b"junk", &keys),
        Err(SnapshotError::Decode(_))
    ));
    let mut small = Leases::new(
        LeasesConfig {
            records_per_origin_max: 1,
            ..LeasesConfig::default()
        },
        3,
    );
    assert_eq!(small.restore(T0, &leases.snapshot(), &keys), Ok(1));
}

#[test]
fn a_list_is_never_longer_than_asked_for_and_varies() {
    let mut leases = Leases::new(LeasesConfig::default(), 1);
    for number in 0..100 {
        register(&mut leases, T0, "a", record(number, 1));
    }
    let first = list(&mut leases, T0, 8);
    assert_eq!(first.len(), 8);
    assert!((0..10).any(|_| list(&mut leases, T0, 8) != first));
    assert_eq!(list(&mut leases, T0, u32::MAX).len(), 100);
}

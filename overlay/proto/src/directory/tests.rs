//! Stories of the directory.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::config::DirectoryConfig;
use crate::plain_keys::PlainKeys;
use crate::time::{Duration, Instant};

const T0: Instant = Instant::from_micros(1_000_000);
const OBJECT: ObjectKey = ObjectKey([7; 16]);

fn key(number: u8) -> ObjectKey {
    ObjectKey([number; 16])
}

fn signed(signer: u64, sequence: u64, epoch: u8) -> SignedDirectoryRecord {
    let keys = PlainKeys::numbered(signer);
    let record = DirectoryRecord {
        object: OBJECT,
        epoch: vec![epoch].into(),
        value: Bytes::from_static(b"members"),
        sequence,
        signer: keys.peer(),
    };
    SignedDirectoryRecord::sign(&record, &keys)
}

fn keys() -> PlainKeys {
    PlainKeys::numbered(1)
}

fn publish(publications: &mut Publications, now: Instant, object: ObjectKey, value: u8) {
    publications
        .publish(now, object, Bytes::new(), vec![value].into())
        .unwrap();
}

fn value(publication: &Publication) -> Bytes {
    publication.record.open(&keys()).unwrap().value
}

#[test]
fn changes_of_one_object_before_its_turn_are_published_once() {
    let mut publications = Publications::new(DirectoryConfig::default(), T0, 0);
    for change in 0..10 {
        publish(&mut publications, T0, OBJECT, change);
    }
    let publication = publications.next(T0, &keys()).unwrap();
    assert_eq!(value(&publication), [9].as_slice());
    assert_eq!(publications.next(T0, &keys()), None);
}

#[test]
fn a_change_during_a_publication_follows_at_once_and_wins_by_its_sequence() {
    let mut publications = Publications::new(DirectoryConfig::default(), T0, 0);
    publish(&mut publications, T0, OBJECT, 1);
    let first = publications
        .next(T0, &keys())
        .unwrap()
        .record
        .open(&keys())
        .unwrap();
    publish(&mut publications, T0, OBJECT, 2);
    assert_eq!(
        publications.next(T0, &keys()),
        None,
        "one at a time per object"
    );
    publications.finished(T0, &OBJECT, true);
    let second = publications.next(T0, &keys()).unwrap();
    assert_eq!(value(&second), [2].as_slice());
    assert!(second.record.open(&keys()).unwrap().sequence > first.sequence);
}

#[test]
fn records_are_published_again_before_they_expire_and_after_a_failure() {
    let config = DirectoryConfig::default();
    let mut publications = Publications::new(config.clone(), T0, 0);
    publish(&mut publications, T0, OBJECT, 1);
    publications.next(T0, &keys()).unwrap();
    publications.finished(T0, &OBJECT, false);
    let retried = T0 + config.retry;
    assert_eq!(publications.next_due(T0), Some(retried));
    publications.next(retried, &keys()).unwrap();
    publications.finished(retried, &OBJECT, true);
    let again = retried + config.ttl / 3;
    let before = Instant::from_micros(again.as_micros() - 1);
    assert_eq!(publications.next_due(retried), Some(again));
    assert_eq!(publications.next(before, &keys()), None);
    assert!(publications.next(again, &keys()).is_some());
}

#[test]
fn a_burst_of_creations_is_spread_over_time() {
    let config = DirectoryConfig {
        publications_per_second: 10,
        publications_burst: 5,
        ..DirectoryConfig::default()
    };
    let mut publications = Publications::new(config, T0, 0);
    (0..100).for_each(|number| publish(&mut publications, T0, key(number), number));
    let mut published = 0;
    let mut now = T0;
    let end = T0 + Duration::from_secs(3);
    while now <= end {
        while let Some(publication) = publications.next(now, &keys()) {
            published += 1;
            publications.finished(now, &publication.object, true);
        }
        let next = publications.next_due(now).unwrap();
        assert!(next > now, "the driver sleeps in between");
        now = next;
    }
    assert_eq!(published, 5 + 30);
}

#[test]
fn publications_under_way_and_objects_are_bounded() {
    let config = DirectoryConfig {
        publications_pending_max: 2,
        publications_max: 3,
        ..DirectoryConfig::default()
    };
    let mut publications = Publications::new(config, T0, 0);
    (0..3).for_each(|number| publish(&mut publications, T0, key(number), number));
    let refused = publications.publish(T0, key(9), Bytes::new(), Bytes::new());
    assert_eq!(refused, Err(TooManyObjects));
    let first = publications.next(T0, &keys()).unwrap();
    publications.next(T0, &keys()).unwrap();
    assert_eq!(publications.next(T0, &keys()), None);
    publications.withdraw(&first.object);
    assert!(
        publications.next(T0, &keys()).is_some(),
        "a withdrawn one makes room"
    );
}

#[test]
fn a_refuted_candidate_is_set_aside_and_the_search_goes_on() {
    let mut lookup = Lookup::new(OBJECT, 8);
    lookup.found(
        &Bundle {
            records: vec![signed(1, 1, 200), signed(2, 1, 3)],
        },
        &keys(),
    );
    let first = lookup.next_candidate().unwrap();
    assert_eq!(first.signer, PlainKeys::numbered(1).0, "in the order found");
    lookup.refuted();
    lookup.found(
        &Bundle {
            records: vec![signed(1, 1, 200)],
        },
        &keys(),
    );
    let second = lookup.next_candidate().unwrap();
    assert_eq!(second.signer, PlainKeys::numbered(2).0);
    assert_eq!(
        lookup.next_candidate(),
        None,
        "a refuted record does not come back"
    );
    assert!(!lookup.is_exhausted(), "others may still be found");
    lookup.found(
        &Bundle {
            records: vec![signed(1, 2, 201)],
        },
        &keys(),
    );
    assert!(
        lookup.next_candidate().is_some(),
        "its signer may say something new"
    );
    lookup.ended();
    assert!(lookup.is_exhausted());
    assert_eq!(lookup.set_aside(), 1);
}

#[test]
fn a_search_drops_forgeries_foreign_records_and_surplus_signers() {
    let mut forged = signed(1, 1, 1);
    forged.signature = signed(2, 1, 1).signature;
    let mut lookup = Lookup::new(OBJECT, 2);
    lookup.found(
        &Bundle {
            records: vec![forged],
        },
        &keys(),
    );
    let mut foreign = Lookup::new(key(9), 2);
    foreign.found(
        &Bundle {
            records: vec![signed(1, 1, 1)],
        },
        &keys(),
    );
    assert_eq!(
        (lookup.next_candidate(), foreign.next_candidate()),
        (None, None)
    );
    let records = (1..=4).map(|signer| signed(signer, 1, 1)).collect();
    lookup.found(&Bundle { records }, &keys());
    assert_eq!(core::iter::from_fn(|| lookup.next_candidate()).count(), 2);
}

#[test]
fn no_epoch_pushes_the_records_of_other_signers_aside() {
    let mut store = Store::new(DirectoryConfig::default());
    store.put(T0, OBJECT, signed(1, 1, 1), &keys()).unwrap();
    store
        .put(T0, OBJECT, signed(2, 1, u8::MAX), &keys())
        .unwrap();
    let stored = store.get(T0, &OBJECT).unwrap();
    assert_eq!(stored.records, [signed(2, 1, u8::MAX), signed(1, 1, 1)]);
}

#[test]
fn a_signer_replaces_its_own_record_by_a_newer_one_only() {
    let mut store = Store::new(DirectoryConfig::default());
    store.put(T0, OBJECT, signed(1, 5, 1), &keys()).unwrap();
    let replay = store.put(T0, OBJECT, signed(1, 5, 1), &keys());
    assert_eq!(replay, Err(StoreError::Stale));
    store.put(T0, OBJECT, signed(1, 6, 0), &keys()).unwrap();
    assert_eq!(store.get(T0, &OBJECT).unwrap().records, [signed(1, 6, 0)]);
    assert_eq!(store.len(), 1);
}

#[test]
fn a_fifth_signer_replaces_the_record_that_expires_first() {
    let mut store = Store::new(DirectoryConfig::default());
    for signer in 1..=5 {
        let now = T0 + Duration::from_secs(signer);
        store
            .put(now, OBJECT, signed(signer, 1, 1), &keys())
            .unwrap();
    }
    let bundle = store.get(T0, &OBJECT).unwrap();
    let signers: Vec<_> = bundle
        .records
        .iter()
        .map(|record| record.open(&keys()).unwrap().signer)
        .collect();
    assert_eq!(signers.len(), SIGNERS_MAX);
    assert!(!signers.contains(&PlainKeys::numbered(1).0));
    assert!(bundle.encode().len() <= BUNDLE_BYTES_MAX);
}

#[test]
fn a_store_is_bounded_in_all_and_per_signer_and_forgets() {
    let config = DirectoryConfig {
        stored_max: 3,
        stored_per_signer_max: 2,
        ..DirectoryConfig::default()
    };
    let ttl = config.ttl;
    let mut store = Store::new(config);
    let put = |store: &mut Store, now, number: u8, signer| {
        let keys = PlainKeys::numbered(signer);
        let record = DirectoryRecord {
            object: key(number),
            epoch: Bytes::new(),
            value: Bytes::new(),
            sequence: 1,
            signer: keys.peer(),
        };
        store.put(
            now,
            key(number),
            SignedDirectoryRecord::sign(&record, &keys),
            &keys,
        )
    };
    assert_eq!(
        (put(&mut store, T0, 1, 1), put(&mut store, T0, 2, 1)),
        (Ok(()), Ok(()))
    );
    assert_eq!(put(&mut store, T0, 3, 1), Err(StoreError::SignerFull));
    assert_eq!(put(&mut store, T0, 3, 2), Ok(()));
    assert_eq!(put(&mut store, T0, 4, 3), Err(StoreError::Full));
    assert_eq!(
        store.put(T0, key(1), signed(1, 9, 9), &keys()),
        Err(StoreError::Key)
    );
    let later = T0 + ttl;
    assert_eq!(store.get(later, &key(1)), None);
    store.expire(later);
    assert!(store.is_empty());
    assert_eq!(put(&mut store, later, 4, 1), Ok(()));
    store.remove(&key(4));
    assert!(store.is_empty());
}

//! The directory as the machine uses it: lookups with a bound on how many run, publications in
//! the background, one per object and not too many at once. No call waits for a publication.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use objects_proto::directory::DirectoryRecord;
use objects_proto::object::{Configuration, ObjectId};
use tokio::sync::{Notify, mpsc};

/// Lookups that wait to run; further ones end at once, without a record.
pub(crate) const LOOKUPS_QUEUED_MAX: usize = 4_096;
/// Objects whose publication waits; further ones are published at their next change.
pub(crate) const PUBLICATIONS_QUEUED_MAX: usize = 65_536;
/// First byte of the keys of objects.
const KEY_PREFIX: u8 = b'o';

/// What waits to be looked up or published, and what was.
pub(crate) struct Directory {
    lookups: mpsc::Sender<ObjectId>,
    publications: Mutex<BTreeMap<ObjectId, Configuration>>,
    published: Notify,
    counters: DirectoryCounters,
}

/// What a node counted about its directory.
#[derive(Debug, Default)]
pub(crate) struct DirectoryCounters {
    pub(crate) lookups: AtomicU64,
    pub(crate) records_found: AtomicU64,
    pub(crate) publications: AtomicU64,
    pub(crate) publications_superseded: AtomicU64,
    pub(crate) publications_failed: AtomicU64,
}

/// Raises a counter by one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Directory {
    /// An empty directory, and the lookups for [`run_lookups`].
    pub(crate) fn new() -> (Self, mpsc::Receiver<ObjectId>) {
        let (lookups, queue) = mpsc::channel(LOOKUPS_QUEUED_MAX);
        let directory = Self {
            lookups,
            publications: Mutex::default(),
            published: Notify::new(),
            counters: DirectoryCounters::default(),
        };
        (directory, queue)
    }

    /// What was counted.
    pub(crate) const fn counters(&self) -> &DirectoryCounters {
        &self.counters
    }

    /// Queues a lookup; says whether there was room.
    pub(crate) fn look_up(&self, object: ObjectId) -> bool {
        self.lookups.try_send(object).is_ok()
    }

    /// Queues a publication in place of an older one of the same object.
    pub(crate) fn publish(&self, object: ObjectId, configuration: Configuration) {
        let mut queue = self.publications();
        if let Some(queued) = queue.get_mut(&object) {
            count(&self.counters.publications_superseded);
            if queued.epoch < configuration.epoch {
                *queued = configuration;
            }
        } else if queue.len() < PUBLICATIONS_QUEUED_MAX {
            queue.insert(object, configuration);
            drop(queue);
            self.published.notify_one();
        } else {
            count(&self.counters.publications_failed);
        }
    }

    /// Takes the next publication out of the queue; waits for one.
    pub(crate) async fn next_publication(&self) -> (ObjectId, Configuration) {
        loop {
            let next = self.publications().pop_first();
            match next {
                Some(next) => return next,
                None => self.published.notified().await,
            }
        }
    }

    fn publications(&self) -> MutexGuard<'_, BTreeMap<ObjectId, Configuration>> {
        self.publications
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key under which an object's place is kept.
pub(crate) fn key(object: ObjectId) -> Vec<u8> {
    let mut key = vec![KEY_PREFIX];
    key.extend_from_slice(&object.0.to_be_bytes());
    key
}

/// The object whose key this is.
fn object_of(key: &[u8]) -> Option<ObjectId> {
    let (&prefix, id) = key.split_first()?;
    let id = <[u8; 16]>::try_from(id).ok()?;
    (prefix == KEY_PREFIX).then_some(ObjectId(u128::from_be_bytes(id)))
}

/// Whether a record for this key may replace another one: the place of its object in the same
/// or a later epoch. All records are hints, so nothing is lost by a wrong one but time.
pub(crate) fn supersedes(key: &[u8], old: Option<&[u8]>, new: &[u8]) -> bool {
    let Some(object) = object_of(key) else {
        return false;
    };
    let epoch = |bytes| Some(DirectoryRecord::decode(object, bytes)?.configuration.epoch);
    epoch(new).is_some_and(|new| old.and_then(epoch).is_none_or(|old| old <= new))
}

#[cfg(test)]
mod tests {
    use objects_proto::object::{Epoch, Lineage, Replica};
    use overlay_proto::{Incarnation, PeerId, ProcessId};

    use super::*;

    fn set(number: u64) -> Configuration {
        let process = ProcessId {
            peer: PeerId([1; 32]),
            incarnation: Incarnation(1),
        };
        Configuration {
            epoch: Epoch {
                lineage: Lineage::default(),
                number,
            },
            members: Arc::new([Replica { process, stamp: 1 }]),
            forks: Vec::new(),
            seal: None,
        }
    }

    #[tokio::test]
    async fn one_publication_waits_per_object_and_it_is_the_newest() {
        let (directory, _lookups) = Directory::new();
        for number in [1, 3, 2] {
            directory.publish(ObjectId(7), set(number));
        }
        directory.publish(ObjectId(8), set(1));
        assert_eq!(directory.next_publication().await, (ObjectId(7), set(3)));
        assert_eq!(directory.next_publication().await, (ObjectId(8), set(1)));
    }

    #[test]
    fn only_places_of_the_object_are_kept_and_the_later_ones() {
        let object = ObjectId(7);
        let record = |number| {
            let kind = "Counter".to_owned();
            DirectoryRecord {
                object,
                kind,
                configuration: set(number),
            }
            .encode()
            .unwrap()
        };
        let key = key(object);
        assert!(supersedes(&key, None, &record(1)));
        assert!(supersedes(&key, Some(&record(1)), &record(2)));
        assert!(!supersedes(&key, Some(&record(2)), &record(1)));
        assert!(!supersedes(&key, None, b"junk"));
        assert!(
            !supersedes(&super::key(ObjectId(8)), None, &record(1)),
            "of another object"
        );
        assert!(!supersedes(b"other", None, &record(1)));
    }
}

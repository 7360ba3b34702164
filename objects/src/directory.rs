//! The directory as the machine uses it: lookups with a bound on how many run, publications in
//! the background, one per slot and not too many at once. No call waits for a publication.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use objects_proto::directory::SlotRecord;
use objects_proto::object::{ObjectId, Slot};
use overlay::limits::RECORD_KEY_BYTES_MIN;
use overlay_proto::ProcessId;
use tokio::sync::{Notify, mpsc};

/// Lookups that wait to run; further ones end at once, without a record.
pub(crate) const LOOKUPS_QUEUED_MAX: usize = 4_096;
/// First byte of the keys of slots.
const KEY_PREFIX: u8 = b's';

/// What waits to be looked up or published, and what was.
pub(crate) struct Directory {
    lookups: mpsc::Sender<ObjectId>,
    publications: Mutex<Publications>,
    published: Notify,
    counters: DirectoryCounters,
}

/// The slots whose publication waits, with those who hold their objects.
#[derive(Debug, Default)]
struct Publications {
    waiting: BTreeMap<Slot, Vec<ProcessId>>,
    /// The slot that was taken out last: the slots have their turns.
    last: Slot,
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

    /// Queues a publication in place of an older one of the same slot.
    pub(crate) fn publish(&self, slot: Slot, holders: Vec<ProcessId>) {
        let before = self.publications().waiting.insert(slot, holders);
        if before.is_some() {
            count(&self.counters.publications_superseded);
        } else {
            self.published.notify_one();
        }
    }

    /// Takes the next publication out of the queue; waits for one.
    pub(crate) async fn next_publication(&self) -> (Slot, Vec<ProcessId>) {
        loop {
            let next = self.publications().next();
            match next {
                Some(next) => return next,
                None => self.published.notified().await,
            }
        }
    }

    fn publications(&self) -> MutexGuard<'_, Publications> {
        self.publications
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publications {
    fn next(&mut self) -> Option<(Slot, Vec<ProcessId>)> {
        let after = self.waiting.range(self.last.next()..).next();
        let (&slot, _) = after.or_else(|| self.waiting.first_key_value())?;
        self.last = slot;
        self.waiting.remove_entry(&slot)
    }
}

/// The key under which a slot's record is kept, zeros to the shortest length that the overlay
/// takes.
pub(crate) fn key(slot: Slot) -> [u8; RECORD_KEY_BYTES_MIN] {
    let mut key = [0; RECORD_KEY_BYTES_MIN];
    key[0] = KEY_PREFIX;
    key[1..3].copy_from_slice(&slot.0.to_be_bytes());
    key
}

/// The slot whose key this is.
fn slot_of(bytes: &[u8]) -> Option<Slot> {
    let &[KEY_PREFIX, high, low, ..] = bytes else {
        return None;
    };
    let slot = Slot(u16::from_be_bytes([high, low]));
    (key(slot) == bytes).then_some(slot)
}

/// Whether this may be the record for this key, whatever was before: whoever wrote it has read
/// that. All records are hints, so nothing is lost by a wrong one but time.
pub(crate) fn supersedes(key: &[u8], new: &[u8]) -> bool {
    slot_of(key).is_some_and(|slot| SlotRecord::decode(slot, new).is_some())
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn holders(number: u8) -> Vec<ProcessId> {
        vec![ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        }]
    }

    #[tokio::test]
    async fn one_publication_waits_per_slot_and_it_is_the_newest() {
        let (directory, _lookups) = Directory::new();
        for number in [1, 3, 2] {
            directory.publish(Slot(7), holders(number));
        }
        directory.publish(Slot(8), holders(1));
        assert_eq!(directory.next_publication().await, (Slot(7), holders(2)));
        assert_eq!(directory.next_publication().await, (Slot(8), holders(1)));
        let superseded = &directory.counters().publications_superseded;
        assert_eq!(superseded.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn slots_that_are_published_all_the_time_do_not_keep_others_waiting() {
        let (directory, _lookups) = Directory::new();
        directory.publish(Slot(u16::MAX), holders(1));
        for slot in [Slot(1), Slot(2), Slot(u16::MAX), Slot(1)] {
            directory.publish(Slot(1), holders(2));
            directory.publish(Slot(2), holders(3));
            assert_eq!(directory.next_publication().await.0, slot);
        }
    }

    #[test]
    fn only_records_of_the_slot_are_kept() {
        let slot = Slot(7);
        let record = |number| SlotRecord::new(slot, holders(number)).encode().unwrap();
        let key = key(slot);
        assert!(supersedes(&key, &record(1)));
        assert!(!supersedes(&key, b"junk"));
        assert!(
            !supersedes(&super::key(Slot(8)), &record(1)),
            "of another slot"
        );
        assert!(!supersedes(b"other", &record(1)));
        assert!(!supersedes(&key[..15], &record(1)));
        let nobody = SlotRecord::new(slot, []).encode().unwrap();
        assert!(!supersedes(&key, &nobody));
    }
}

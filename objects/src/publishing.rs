//! The tasks that look objects up in the directory and tell it who has those of a slot.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use objects_proto::directory::{RECORDS_MAX, SlotRecord};
use objects_proto::machine::Command;
use objects_proto::object::{ObjectId, Slot};
use overlay::limits::DIRECTORY_QUERIES_MAX;
use overlay_proto::{Duration, Input, ProcessId};
use tokio::sync::mpsc;

use crate::directory::{self, count};
use crate::shard::Shard;

/// Publications that run at one time.
const PUBLICATIONS_MAX: usize = 8;
/// Lookups that run at one time. A publication looks the present record up, and must not find
/// nothing for want of room.
const LOOKUPS_MAX: usize = DIRECTORY_QUERIES_MAX - PUBLICATIONS_MAX;
/// Time between the starts of two publications.
const PUBLICATION_PAUSE: Duration = Duration::from_millis(20);
/// A publication that nobody keeps is tried so often in all.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; doubled before the third.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);

/// Runs lookups and feeds what they find to the machine.
pub(crate) async fn run_lookups(
    shard: Arc<Shard>,
    overlay: overlay::Node,
    mut queue: mpsc::Receiver<ObjectId>,
) {
    let queue = futures::stream::poll_fn(move |cx| queue.poll_recv(cx));
    queue
        .for_each_concurrent(LOOKUPS_MAX, |object| {
            let (shard, overlay) = (&shard, &overlay);
            async move {
                let counters = shard.directory().counters();
                count(&counters.lookups);
                if let Ok(mut candidates) = overlay
                    .get_record(directory::key(object.slot()).to_vec())
                    .await
                {
                    for _ in 0..RECORDS_MAX {
                        let Some(record) = candidates.next().await else {
                            break;
                        };
                        count(&counters.records_found);
                        let found = Command::DirectoryFound {
                            object,
                            records: vec![record],
                        };
                        shard.handle(Input::Command(found));
                    }
                }
                shard.handle(Input::Command(Command::DirectoryExhausted(object)));
            }
        })
        .await;
}

/// Publishes what is queued, in the background.
pub(crate) async fn run_publications(shard: Arc<Shard>, overlay: overlay::Node) {
    let queue = futures::stream::unfold(&shard, |shard| async move {
        tokio::time::sleep(PUBLICATION_PAUSE).await;
        Some((shard.directory().next_publication().await, shard))
    });
    queue
        .for_each_concurrent(PUBLICATIONS_MAX, |(slot, holders)| {
            let (shard, overlay) = (&shard, &overlay);
            async move {
                let counters = shard.directory().counters();
                let record = joined(overlay, slot, holders).await;
                let Some(record) = record.encode() else {
                    return count(&counters.publications_failed);
                };
                if put(overlay, slot, &record).await {
                    count(&counters.publications);
                } else {
                    count(&counters.publications_failed);
                }
            }
        })
        .await;
}

/// These holders, and behind them those that the present records of the slot name and that the
/// view still shows: other processes are primaries of objects of the slot, too.
async fn joined(overlay: &overlay::Node, slot: Slot, holders: Vec<ProcessId>) -> SlotRecord {
    let mut record = SlotRecord::new(slot, holders);
    if let Ok(mut candidates) = overlay.get_record(directory::key(slot).to_vec()).await {
        let view = overlay.view();
        for _ in 0..RECORDS_MAX {
            let Some(present) = candidates.next().await else {
                break;
            };
            if let Some(present) = SlotRecord::decode(slot, &present) {
                record.merge(&present, |process| view.process(process).is_some());
            }
        }
    }
    record
}

/// Whether anybody keeps the record, after some attempts. While nobody does, the places in which
/// publications run stay taken, so a node that is cut off does not try all of them in vain.
async fn put(overlay: &overlay::Node, slot: Slot, record: &Bytes) -> bool {
    let mut pause = ATTEMPT_PAUSE;
    for attempt in 1..=ATTEMPTS {
        let key = directory::key(slot).to_vec();
        if matches!(overlay.put_record(key, record.clone()).await, Ok(true)) {
            return true;
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    false
}

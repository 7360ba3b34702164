//! The tasks that look objects up in the directory and tell it who has those of a slot.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use objects_proto::directory::{RECORDS_MAX, SlotRecord};
use objects_proto::machine::Command;
use objects_proto::object::{ObjectId, Slot};
use overlay::limits::DIRECTORY_QUERIES_MAX;
use overlay_proto::{Input, ProcessId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::directory::{self, count};
use crate::shard::Shard;

/// Publications that run at one time.
const PUBLICATIONS_MAX: usize = 8;
/// Lookups that run at one time. A publication looks the present record up, and must not find
/// nothing for want of room.
const LOOKUPS_MAX: usize = DIRECTORY_QUERIES_MAX - PUBLICATIONS_MAX;
/// Publications that may start at once after a while without one.
const PUBLICATIONS_SAVED_MAX: u32 = 256;
/// Time between the starts of further ones: of very many objects the records come by and by, and
/// all slots have their turn within the life of a record.
const PUBLICATION_PAUSE: Duration = Duration::from_millis(50);
/// A publication that nobody keeps is tried so often in all.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; doubled before the third.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);

/// Spreads what there may be very much of. Turns that nobody took are saved, up to a limit.
struct Pacer {
    pause: Duration,
    saved_max: u32,
    /// The next turn, which may be one that was saved.
    turn: Option<Instant>,
}

impl Pacer {
    const fn new(pause: Duration, saved_max: u32) -> Self {
        Self {
            pause,
            saved_max,
            turn: None,
        }
    }

    /// When the next one may start, if it is asked for now.
    fn next(&mut self, now: Instant) -> Instant {
        let saved = self.pause * self.saved_max;
        let oldest = now.checked_sub(saved).unwrap_or(now);
        let turn = self.turn.map_or(oldest, |turn| turn.max(oldest));
        self.turn = Some(turn + self.pause);
        turn.max(now)
    }
}

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
    let pace = Pacer::new(PUBLICATION_PAUSE, PUBLICATIONS_SAVED_MAX);
    let queue = futures::stream::unfold((&shard, pace), |(shard, mut pace)| async move {
        let next = shard.directory().next_publication().await;
        tokio::time::sleep_until(pace.next(Instant::now())).await;
        Some((next, (shard, pace)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_start_at_once_and_many_are_spread() {
        let (pause, now) = (Duration::from_millis(50), Instant::now());
        let mut pacer = Pacer::new(pause, 3);
        let waits: Vec<Duration> = (0..6).map(|_| pacer.next(now) - now).collect();
        let [none, one, two] = [0, 1, 2].map(|turns| pause * turns);
        assert_eq!(waits, [none, none, none, none, one, two]);
    }

    #[test]
    fn turns_are_saved_again_up_to_the_limit() {
        let (pause, start) = (Duration::from_millis(50), Instant::now());
        let mut pacer = Pacer::new(pause, 3);
        for _ in 0..10 {
            pacer.next(start);
        }
        let later = start + Duration::from_secs(60);
        let at_once = (0..10).filter(|_| pacer.next(later) == later).count();
        assert_eq!(at_once, 4);
    }
}

//! What a node counted since its start.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::shard::Shard;

/// What a node counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// What the overlay counted.
    pub overlay: overlay::Metrics,
    /// Messages of the object layer given to links.
    pub messages_sent: u64,
    /// Messages of the object layer that links delivered.
    pub messages_received: u64,
    /// Messages that no link took, because too much waited already or the node ends.
    pub messages_unsent: u64,
    /// Frames that do not decode.
    pub frames_refused: u64,
    /// Batches of calls given to the methods' threads.
    pub executions: u64,
    /// Differences of large states that this node put on record instead of whole ones.
    pub deltas_stored: u64,
    /// Batches of deterministic calls that this node ran again as a backup.
    pub replays: u64,
    /// Such batches that came to something else than at the primary.
    pub replays_differed: u64,
    /// Calls on weak objects that this node held and that were discarded, because another line
    /// of primaries went on; sessions opened or closed count as calls.
    pub calls_lost: u64,
    /// Directory lookups started.
    pub lookups: u64,
    /// Directory records found by them.
    pub lookup_records: u64,
    /// Records of slots, of who holds objects of them, written to the directory.
    pub publications: u64,
    /// Records that there was something newer to say in before they were written.
    pub publications_superseded: u64,
    /// Records that the directory did not take.
    pub publications_failed: u64,
}

impl Metrics {
    /// The counters of a node at this moment.
    pub(crate) fn of(shard: &Shard, overlay: &overlay::Node) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (own, directory) = (shard.counters(), shard.directory().counters());
        let machine = shard.machine_counters();
        Self {
            overlay: overlay.metrics(),
            messages_sent: read(&own.sent),
            messages_received: read(&own.received),
            messages_unsent: read(&own.unsent),
            frames_refused: read(&own.undecodable),
            executions: read(&own.executions),
            deltas_stored: machine.deltas,
            replays: machine.replays,
            replays_differed: machine.replays_differed,
            calls_lost: read(&own.calls_lost),
            lookups: read(&directory.lookups),
            lookup_records: read(&directory.records_found),
            publications: read(&directory.publications),
            publications_superseded: read(&directory.publications_superseded),
            publications_failed: read(&directory.publications_failed),
        }
    }
}

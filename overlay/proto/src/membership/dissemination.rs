//! News that waits to be gossiped: collected for a moment, each item once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::cluster::ClusterRecord;
use crate::id::PeerId;
use crate::member::SignedRecord;
use crate::message::{GossipBatch, MembershipEvent};
use crate::tables::Table;
use crate::time::Instant;

/// Bytes of events after which a batch is full: well below
/// [`GOSSIP_BYTES_MAX`](crate::message::GOSSIP_BYTES_MAX), as a record may be 8 KiB.
const BATCH_BYTES: usize = 32 * 1024;
/// Events that wait for a batch.
const EVENTS_MAX: usize = 65_536;
/// Estimated bytes of an event beside its record.
const EVENT_BYTES: usize = 160;

/// What an event is about; a newer event of one subject replaces an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Standing(PeerId),
    Doubt(PeerId),
}

/// News that waits.
#[derive(Debug, Default)]
pub(super) struct Dissemination {
    events: BTreeMap<Subject, MembershipEvent>,
    cluster: Option<ClusterRecord>,
    relays: BTreeMap<PeerId, Instant>,
    doubts: BTreeMap<PeerId, (Instant, MembershipEvent)>,
}

impl Dissemination {
    /// Whether nothing waits to be published at once.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.cluster.is_none()
    }

    /// How full its tables are, if at most `relays_max` records and doubts may be delayed.
    pub(super) fn tables(&self, relays_max: usize) -> [Table; 3] {
        [
            Table::new("news.events", self.events.len(), EVENTS_MAX),
            Table::new("news.relays", self.relays.len(), relays_max),
            Table::new("news.doubts", self.doubts.len(), relays_max),
        ]
    }

    /// Publishes this with the next batch. Without room for it, it is left to anti-entropy.
    pub(super) fn push(&mut self, event: MembershipEvent, peer: PeerId) {
        let subject = match event {
            MembershipEvent::Suspect { .. } => Subject::Doubt(peer),
            MembershipEvent::Alive(_) | MembershipEvent::Left { .. } => Subject::Standing(peer),
        };
        if self.events.len() < EVENTS_MAX || self.events.contains_key(&subject) {
            self.events.insert(subject, event);
        }
    }

    /// Publishes the cluster with the next batch.
    pub(super) fn push_cluster(&mut self, cluster: ClusterRecord) {
        self.cluster = Some(cluster);
    }

    /// Others heard this record by gossip: no need to publish it.
    pub(super) fn heard(&mut self, peer: &PeerId, record: &SignedRecord) {
        let subject = Subject::Standing(*peer);
        if matches!(self.events.get(&subject), Some(MembershipEvent::Alive(r)) if r == record) {
            self.events.remove(&subject);
        }
        self.relays.remove(peer);
    }

    /// Publishes the record of `peer` at `due`, unless gossip carries it before; does nothing if
    /// `limit` others wait already.
    pub(super) fn relay(&mut self, peer: PeerId, due: Instant, limit: usize) {
        if self.relays.len() < limit {
            self.relays.entry(peer).or_insert(due);
        }
    }

    /// Publishes this doubt about `peer` at `due`; at once if `limit` others wait already.
    pub(super) fn delay_doubt(
        &mut self,
        event: MembershipEvent,
        peer: PeerId,
        due: Instant,
        limit: usize,
    ) {
        if self.doubts.len() < limit || self.doubts.contains_key(&peer) {
            self.doubts.insert(peer, (due, event));
        } else {
            self.push(event, peer);
        }
    }

    /// The delayed doubts that are due.
    pub(super) fn due_doubts(&mut self, now: Instant) -> Vec<(PeerId, MembershipEvent)> {
        let mut due = Vec::new();
        self.doubts.retain(|peer, (at, event)| {
            let waits = *at > now;
            if !waits {
                due.push((*peer, event.clone()));
            }
            waits
        });
        due
    }

    /// Whether anything is delayed, for others to say it meanwhile.
    #[must_use]
    pub(super) fn has_delayed(&self) -> bool {
        !self.relays.is_empty() || !self.doubts.is_empty()
    }

    /// The peers whose records gossip did not carry in time.
    pub(super) fn due_relays(&mut self, now: Instant) -> Vec<PeerId> {
        let due: Vec<PeerId> = self
            .relays
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(peer, _)| *peer)
            .collect();
        due.iter().for_each(|peer| {
            self.relays.remove(peer);
        });
        due
    }

    /// The next batch, if anything waits; call again while [`Self::is_empty`] is false.
    pub(super) fn batch(&mut self) -> Option<GossipBatch> {
        if self.is_empty() {
            return None;
        }
        let mut batch = GossipBatch {
            events: Vec::new(),
            cluster: self.cluster.take(),
        };
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some((_, event)) = self.events.pop_first()
        {
            bytes += EVENT_BYTES;
            if let MembershipEvent::Alive(record) = &event {
                bytes += record.size();
            }
            batch.events.push(event);
        }
        Some(batch)
    }
}

//! What this node says of itself: joining, changing, refuting, leaving.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Cx, Membership};
use crate::entry::Entry;
use crate::id::ProcessId;
use crate::interface::{Announcement, Outbox, Role, Timer};
use crate::member::{
    ADDRESSES_MAX, KINDS_MAX, LABELS_MAX, MemberRecord, MemberState, SignedRecord,
};
use crate::message::{MembershipEvent, Message, SyncEntry};

impl Membership {
    /// The own record has this content from now on; `unix_ms` is the time. Lists beyond the
    /// limits of a record are cut.
    pub fn announce<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        mut content: Announcement,
        unix_ms: u64,
    ) {
        content.addresses.truncate(ADDRESSES_MAX);
        content.kinds.truncate(KINDS_MAX);
        content.labels.truncate(LABELS_MAX);
        if self.role == Role::Client || self.own.as_ref() == Some(&content) {
            return;
        }
        let first = self.own.replace(content).is_none();
        if !first && self.probes.mostly_failing() {
            // A newer record would refute; it follows when this node may.
            self.to_refute = self.to_refute.max(Some(self.sequence));
            return;
        }
        let above = if first { unix_ms } else { 0 };
        self.raise(cx, above);
        if first {
            let own = self.own_entry();
            cx.links.iter().for_each(|process| {
                let message = Message::Records {
                    entries: own.clone(),
                    want: Vec::new(),
                };
                cx.out.send(*process, message);
            });
        }
    }

    /// The own record as others should have it, none from a client.
    #[must_use]
    pub fn own_record(&self) -> Option<SignedRecord> {
        self.table
            .get(&self.me.peer)
            .map(|entry| entry.signed.clone())
    }

    /// A link came up: with the first one there is somebody to gossip to.
    pub(super) fn republish_own(&mut self) {
        if let Some(record) = self.own_record() {
            self.news.push(MembershipEvent::Alive(record), self.me.peer);
        }
    }

    /// Others believe something of this node up to `sequence` that is not so: says the
    /// contrary at a higher one, now or as soon as the last refutation is old enough. While
    /// most of those that this node watches answer it badly, others are right to do without it:
    /// it stays silent until they answer in time again.
    pub(super) fn refute<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, sequence: u64) {
        if sequence < self.sequence || self.own.is_none() {
            return;
        }
        let interval = self.config.refutation_interval;
        let lately = self
            .refuted_at
            .is_some_and(|at| cx.now.since(at) < interval);
        if lately || self.probes.mostly_failing() {
            self.to_refute = self.to_refute.max(Some(sequence));
            return;
        }
        self.to_refute = None;
        self.refuted_at = Some(cx.now);
        self.counters.refutations += 1;
        self.raise(cx, sequence.saturating_add(1));
    }

    /// Says goodbye. The timer that it sets ends the machine.
    pub fn leave<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        if self.own.is_some() {
            let (process, sequence) = (self.me, self.sequence);
            self.news
                .push(MembershipEvent::Left { process, sequence }, process.peer);
            self.flush(cx);
            cx.links.iter().for_each(|process| {
                cx.out.send(*process, Message::Goodbye { sequence });
            });
        }
        cx.out.set_timer(Timer::LeaveDone, self.config.leave_linger);
    }

    pub(super) fn own_entry(&self) -> Vec<SyncEntry> {
        let state = MemberState::Alive;
        self.own_record()
            .map(|record| SyncEntry {
                record,
                state,
                sequence: 0,
                age_s: 0,
            })
            .into_iter()
            .collect()
    }

    /// Signs the own content at a new sequence of at least `at_least` and publishes it.
    fn raise<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, at_least: u64) {
        let Some(own) = &self.own else { return };
        self.sequence = self.sequence.saturating_add(1).max(at_least);
        let record = record(self.me, self.sequence, own);
        let signed = SignedRecord::sign(&record, self.keys.as_ref());
        let known = self.table.get(&self.me.peer).is_some_and(Entry::is_living);
        self.news
            .push(MembershipEvent::Alive(signed.clone()), self.me.peer);
        let entry = Entry::new(Arc::new(record), signed, MemberState::Alive, cx.now);
        self.table.put(entry);
        if known {
            self.view_moved();
        } else {
            self.joined(cx, self.me);
        }
    }

    /// Refutes what could not be refuted at once.
    pub(super) fn refute_late<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        if let Some(sequence) = self.to_refute {
            self.refute(cx, sequence);
        }
    }
}

fn record(process: ProcessId, sequence: u64, own: &Announcement) -> MemberRecord {
    MemberRecord {
        process,
        sequence,
        addresses: own.addresses.clone(),
        kinds: own.kinds.clone(),
        capacity: own.capacity,
        load: own.load,
        primaries: own.primaries,
        labels: own.labels.clone(),
        leaving: own.leaving,
        stamp: own.stamp,
    }
}

//! Who is known: the newest record and the state of every member, and digests of it all.

use alloc::vec::Vec;

use crate::entry::Entry;
use crate::id::{PeerId, ProcessId};
use crate::member::MemberState;
use crate::message::{Digest, SummaryEntry};
use crate::peer_map::PeerMap;
use crate::time::Instant;
use crate::view::MembershipView;

/// Buckets of members that anti-entropy compares: the first byte of the peer id.
pub(super) const BUCKETS: usize = 256;

/// All known members, at most a fixed number.
#[derive(Debug)]
pub(super) struct Table {
    entries: PeerMap<Entry>,
    members_max: usize,
    sums: Sums,
}

/// What is known of all entries together.
#[derive(Debug)]
struct Sums {
    living: usize,
    fingerprint: u64,
    digest: Digest,
    buckets: Vec<u64>,
}

impl Table {
    /// An empty table for at most `members_max` members.
    #[must_use]
    pub(super) fn new(members_max: usize) -> Self {
        let sums = Sums {
            living: 0,
            fingerprint: 0,
            digest: Digest::default(),
            buckets: alloc::vec![0; BUCKETS],
        };
        Self {
            entries: PeerMap::default(),
            members_max,
            sums,
        }
    }

    /// Members known, the dead ones included, and how many may be.
    #[must_use]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.members_max)
    }

    /// What is known of this peer.
    #[must_use]
    pub(super) fn get(&self, peer: &PeerId) -> Option<&Entry> {
        self.entries.get(peer)
    }

    /// The entry of exactly this process, if it is in the view.
    #[must_use]
    pub(super) fn living_process(&self, process: &ProcessId) -> Option<&Entry> {
        self.get(&process.peer)
            .filter(|entry| entry.process() == *process && entry.is_living())
    }

    /// Members in the view.
    #[must_use]
    pub(super) fn living(&self) -> usize {
        self.sums.living
    }

    /// Puts `entry` in the place of whatever was known of its peer. Forgets the member that
    /// died first if the table is full; with only living members in it, refuses.
    pub(super) fn put(&mut self, entry: Entry) -> bool {
        let known = self.entries.get(&entry.process().peer).is_some();
        if !known && self.entries.len() >= self.members_max {
            let oldest = self
                .entries
                .iter()
                .filter(|entry| !entry.is_living())
                .min_by_key(|entry| entry.since)
                .map(|entry| entry.process().peer);
            let Some(oldest) = oldest else { return false };
            self.take(&oldest);
        }
        self.sums.account(&entry, true);
        if let Some(old) = self.entries.insert(entry) {
            self.sums.account(&old, false);
        }
        true
    }

    /// Changes the entry of `peer`.
    pub(super) fn update(&mut self, peer: &PeerId, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(peer) else {
            return;
        };
        self.sums.account(entry, false);
        change(entry);
        self.sums.account(entry, true);
    }

    /// Gossip carried the newest record of `peer`.
    pub(super) fn mark_gossiped(&mut self, peer: &PeerId) {
        if self.get(peer).is_some_and(|entry| !entry.gossiped)
            && let Some(entry) = self.entries.get_mut(peer)
        {
            entry.gossiped = true;
        }
    }

    /// Takes those dead since before `synced_after` out of anti-entropy and forgets those dead
    /// since before `kept_after`.
    pub(super) fn expire(&mut self, synced_after: Instant, kept_after: Instant) {
        let old: Vec<(PeerId, Instant)> = self
            .entries
            .iter()
            .filter(|entry| !entry.is_living() && entry.since < synced_after)
            .map(|entry| (entry.process().peer, entry.since))
            .collect();
        for (peer, since) in old {
            if since < kept_after {
                self.take(&peer);
            } else {
                self.update(&peer, |entry| entry.synced = false);
            }
        }
    }

    /// All that is known, in short.
    #[must_use]
    pub(super) fn digest(&self) -> Digest {
        self.sums.digest
    }

    /// The hashes of all buckets.
    #[must_use]
    pub(super) fn buckets(&self) -> &[u64] {
        &self.sums.buckets
    }

    /// The members of one bucket that take part in anti-entropy.
    pub(super) fn bucket(&self, bucket: u8) -> impl Iterator<Item = &Entry> {
        let mut first = [0; 32];
        first[0] = bucket;
        self.entries
            .range_from(&PeerId(first))
            .take_while(move |entry| entry.process().peer.0.first() == Some(&bucket))
            .filter(|entry| entry.synced)
    }

    /// The members of one bucket in short.
    pub(super) fn summary(&self, bucket: u8) -> impl Iterator<Item = SummaryEntry> {
        self.bucket(bucket).map(|entry| SummaryEntry {
            process: entry.process(),
            sequence: entry.sequence,
            state: match entry.member.state {
                MemberState::Suspect => MemberState::Alive,
                state => state,
            },
        })
    }

    /// All known members, sorted by peer.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// All known members, beginning with the first one at or after `start` and around.
    pub(super) fn iter_from(&self, start: PeerId) -> impl Iterator<Item = &Entry> {
        let before = self.entries.iter();
        self.entries
            .range_from(&start)
            .chain(before.take_while(move |entry| entry.process().peer < start))
    }

    /// The members in the view, as they are now.
    #[must_use]
    pub(super) fn view(&self, version: u64) -> MembershipView {
        let Sums {
            living,
            fingerprint,
            ..
        } = self.sums;
        MembershipView::of(version, self.entries.clone(), living, fingerprint)
    }

    fn take(&mut self, peer: &PeerId) {
        if let Some(entry) = self.entries.remove(peer) {
            self.sums.account(&entry, false);
        }
    }
}

impl Sums {
    fn account(&mut self, entry: &Entry, add: bool) {
        let change = if add { 1 } else { usize::MAX };
        if entry.is_living() {
            self.living = self.living.wrapping_add(change);
            self.fingerprint ^= entry.member.hash();
        }
        if entry.synced {
            let hash = entry.hash();
            self.digest.xor ^= hash;
            let change = if add { 1 } else { u64::MAX };
            self.digest.count = self.digest.count.wrapping_add(change);
            let bucket = usize::from(entry.process().peer.0[0]);
            if let Some(bucket) = self.buckets.get_mut(bucket) {
                *bucket ^= hash;
            }
        }
    }
}

//! Who is known: the newest record and the state of every member, and digests of it all.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::hash::{hash_peer, mix};
use crate::id::{PeerId, ProcessId};
use crate::member::{MemberRecord, MemberState, SignedRecord};
use crate::message::{Digest, SummaryEntry};
use crate::time::Instant;
use crate::view::Member;

/// Buckets of members that anti-entropy compares: the first byte of the peer id.
pub(super) const BUCKETS: usize = 256;

/// One known member.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its newest record.
    pub record: Arc<MemberRecord>,
    /// The same as it was signed.
    pub signed: SignedRecord,
    /// The highest sequence of which anything is known: that of the record, or of a death or
    /// goodbye whose record did not arrive.
    pub sequence: u64,
    /// What this node thinks of it.
    pub state: MemberState,
    /// Since when it is in this state.
    pub since: Instant,
    /// Whether gossip carried this record.
    pub gossiped: bool,
    /// Whether it takes part in anti-entropy: all but those dead for long.
    synced: bool,
}

impl Entry {
    /// An entry that takes part in anti-entropy.
    #[must_use]
    pub(super) fn new(
        record: Arc<MemberRecord>,
        signed: SignedRecord,
        state: MemberState,
        since: Instant,
    ) -> Self {
        Self {
            sequence: record.sequence,
            record,
            signed,
            state,
            since,
            gossiped: false,
            synced: true,
        }
    }

    /// Whether it is in the view.
    #[must_use]
    pub fn is_living(&self) -> bool {
        is_living(self.state)
    }

    /// Where it stands in the order of news about its peer.
    #[must_use]
    pub(super) fn news(&self) -> News {
        News::new(self.record.process, self.sequence, self.state)
    }

    fn hash(&self) -> u64 {
        let News {
            sequence,
            incarnation,
            rank,
        } = self.news();
        let seed = mix(sequence ^ mix(incarnation ^ u64::from(rank)));
        hash_peer(seed, &self.record.process.peer)
    }
}

/// Whether a member in this state is in the view.
#[must_use]
pub(super) fn is_living(state: MemberState) -> bool {
    matches!(state, MemberState::Alive | MemberState::Suspect)
}

/// The total order of all that can be said of one peer: the greatest is the newest.
///
/// Because it is total, members that heard the same news in any order agree. A member raises
/// its sequence above all that it hears of its peer, so its own word wins in the end. A
/// process starts with a sequence from its clock, hence a later incarnation mostly starts
/// above an earlier one, and corrects itself where it does not. Suspicion is no news of its
/// own: it is an opinion with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct News {
    sequence: u64,
    incarnation: u64,
    rank: u8,
}

impl News {
    /// The place of this news.
    #[must_use]
    pub(super) fn new(process: ProcessId, sequence: u64, state: MemberState) -> Self {
        let rank = match state {
            MemberState::Alive | MemberState::Suspect => 0,
            MemberState::Dead => 1,
            MemberState::Left => 2,
        };
        Self {
            sequence,
            incarnation: process.incarnation.0,
            rank,
        }
    }
}

/// All known members, at most a fixed number.
#[derive(Debug)]
pub(super) struct Table {
    entries: BTreeMap<PeerId, Entry>,
    members_max: usize,
    living: usize,
    digest: Digest,
    buckets: Vec<u64>,
}

impl Table {
    /// An empty table for at most `members_max` members.
    #[must_use]
    pub(super) fn new(members_max: usize) -> Self {
        let buckets = alloc::vec![0; BUCKETS];
        Self {
            entries: BTreeMap::new(),
            members_max,
            living: 0,
            digest: Digest::default(),
            buckets,
        }
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
            .filter(|entry| entry.record.process == *process && entry.is_living())
    }

    /// Members in the view.
    #[must_use]
    pub(super) fn living(&self) -> usize {
        self.living
    }

    /// Puts `entry` in the place of whatever was known of its peer. Forgets the member that
    /// died first if the table is full; with only living members in it, refuses.
    pub(super) fn put(&mut self, entry: Entry) -> bool {
        let peer = entry.record.process.peer;
        if self.take(&peer).is_none() && self.entries.len() >= self.members_max {
            let oldest = self
                .entries
                .iter()
                .filter(|(_, entry)| !entry.is_living())
                .min_by_key(|(_, entry)| entry.since)
                .map(|(peer, _)| *peer);
            let Some(oldest) = oldest else { return false };
            self.take(&oldest);
        }
        self.account(&entry, true);
        self.entries.insert(peer, entry);
        true
    }

    /// Changes the entry of `peer`.
    pub(super) fn update(&mut self, peer: &PeerId, change: impl FnOnce(&mut Entry)) {
        if let Some(mut entry) = self.take(peer) {
            change(&mut entry);
            self.account(&entry, true);
            self.entries.insert(*peer, entry);
        }
    }

    /// Takes those dead since before `synced_after` out of anti-entropy and forgets those dead
    /// since before `kept_after`.
    pub(super) fn expire(&mut self, synced_after: Instant, kept_after: Instant) {
        let old: Vec<(PeerId, Instant)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.is_living() && entry.since < synced_after)
            .map(|(peer, entry)| (*peer, entry.since))
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
        self.digest
    }

    /// The hashes of all buckets.
    #[must_use]
    pub(super) fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// The members of one bucket that take part in anti-entropy.
    pub(super) fn bucket(&self, bucket: u8) -> impl Iterator<Item = &Entry> {
        let (mut first, mut last) = ([0; 32], [u8::MAX; 32]);
        first[0] = bucket;
        last[0] = bucket;
        self.entries
            .range(PeerId(first)..=PeerId(last))
            .map(|(_, entry)| entry)
            .filter(|entry| entry.synced)
    }

    /// The members of one bucket in short.
    pub(super) fn summary(&self, bucket: u8) -> impl Iterator<Item = SummaryEntry> {
        self.bucket(bucket).map(|entry| SummaryEntry {
            process: entry.record.process,
            sequence: entry.sequence,
            state: match entry.state {
                MemberState::Suspect => MemberState::Alive,
                state => state,
            },
        })
    }

    /// All known members, sorted by peer.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// All known members, beginning with the first one at or after `start` and around.
    pub(super) fn iter_from(&self, start: PeerId) -> impl Iterator<Item = &Entry> {
        self.entries
            .range(start..)
            .chain(self.entries.range(..start))
            .map(|(_, entry)| entry)
    }

    /// The members in the view, sorted by peer.
    #[must_use]
    pub(super) fn view(&self) -> Vec<Member> {
        self.iter()
            .filter(|entry| entry.is_living())
            .map(|entry| Member {
                record: Arc::clone(&entry.record),
                state: entry.state,
            })
            .collect()
    }

    fn take(&mut self, peer: &PeerId) -> Option<Entry> {
        let entry = self.entries.remove(peer)?;
        self.account(&entry, false);
        Some(entry)
    }

    fn account(&mut self, entry: &Entry, add: bool) {
        let by = |count: usize| {
            if add {
                count + 1
            } else {
                count.saturating_sub(1)
            }
        };
        if entry.is_living() {
            self.living = by(self.living);
        }
        if entry.synced {
            let hash = entry.hash();
            self.digest.xor ^= hash;
            let change = if add { 1 } else { u64::MAX };
            self.digest.count = self.digest.count.wrapping_add(change);
            let bucket = usize::from(entry.record.process.peer.0[0]);
            if let Some(bucket) = self.buckets.get_mut(bucket) {
                *bucket ^= hash;
            }
        }
    }
}

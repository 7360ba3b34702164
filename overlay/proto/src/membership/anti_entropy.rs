//! Anti-entropy: two members compare what they know in a few messages and exchange only what
//! differs. It repairs whatever gossip lost, and joins the two sides of a healed partition.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::table::BUCKETS;
use super::{Cx, Membership};
use crate::entry::{Entry, News};
use crate::id::{ClusterId, PeerId, ProcessId};
use crate::interface::{Outbox, Role};
use crate::member::{MemberState, SignedRecord};
use crate::message::{Digest, Message, SummaryEntry, SyncEntry};
use crate::time::{Duration, Instant};

/// Members listed in one summary; the other buckets have their turn in the next exchange.
const SUMMARY_MAX: usize = 1_500;
/// Bytes of records in one message.
const RECORDS_BYTES: usize = 48 * 1024;
/// Records sent in one exchange.
const RECORDS_MAX: usize = 8_192;

impl Membership {
    /// The digest for a greeting.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.table.digest()
    }

    pub(super) fn sync_period(&self) -> Duration {
        match self.role {
            Role::Member => self.config.sync_period,
            Role::Client => self.config.client_refresh,
        }
    }

    /// When the next exchange is due, if that is before the next probe round.
    #[must_use]
    pub fn sync_before_round(&self) -> Option<Instant> {
        let at = self.schedule.sync_at;
        let round = self.schedule.round_expected;
        round.is_none_or(|round| at < round).then_some(at)
    }

    /// Starts an exchange with a random linked member if one is due.
    pub fn sync_if_due<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        cluster: Option<(ClusterId, u64)>,
    ) {
        if cx.now < self.schedule.sync_at {
            return;
        }
        let period = self.sync_period();
        self.schedule.sync_at = cx.now + period * 3 / 4 + self.random_part(period / 2);
        if let Some(partner) = self.random_linked(cx, Entry::is_living) {
            self.counters.syncs_started += 1;
            cx.out.send(
                partner,
                Message::Sync {
                    digest: self.table.digest(),
                    cluster,
                },
            );
        }
    }

    /// Some linked member for which `suits`.
    fn random_linked<O>(
        &mut self,
        cx: &Cx<'_, O>,
        suits: impl Fn(&Entry) -> bool,
    ) -> Option<ProcessId> {
        let start = ProcessId {
            peer: self.random_peer(),
            incarnation: self.me.incarnation,
        };
        let suits = |process: &&ProcessId| self.table.living_process(process).is_some_and(&suits);
        let mut after = cx.links.iter().filter(|process| **process >= start);
        let found = after.find(suits);
        found.or_else(|| cx.links.iter().find(suits)).copied()
    }

    /// Compares with a linked member what both know of these processes, and of those in the same
    /// buckets.
    pub(super) fn ask_about<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, processes: &[ProcessId]) {
        if processes.is_empty() {
            return;
        }
        let buckets: BTreeSet<u8> = processes.iter().map(|one| one.peer.0[0]).collect();
        let is_sound = |entry: &Entry| entry.member.state == MemberState::Alive;
        if let Some(partner) = self.random_linked(cx, is_sound) {
            let summary = self.summary(buckets.iter());
            cx.out.send(partner, summary);
        }
    }

    /// Step 3: what is known of the members of these buckets, as far as it fits.
    fn summary<'a>(&self, buckets: impl Iterator<Item = &'a u8>) -> Message {
        let mut entries = Vec::new();
        let mut listed = [0_u8; BUCKETS / 8];
        for bucket in buckets {
            entries.extend(self.table.summary(*bucket));
            if let Some(byte) = listed.get_mut(usize::from(bucket / 8)) {
                *byte |= 1 << (bucket % 8);
            }
            if entries.len() >= SUMMARY_MAX {
                break;
            }
        }
        let buckets = Bytes::copy_from_slice(&listed);
        Message::Summary { buckets, entries }
    }

    /// A linked process greeted: learns its record and compares. One side of two members
    /// starts the comparison; with a client it is always the client.
    pub fn on_greeting<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        record: Option<&SignedRecord>,
        digest: Digest,
    ) {
        if let Some(record) = record {
            self.on_introduced(cx, from, record);
        }
        let first = match self.role {
            Role::Member => record.is_some() && self.me > from,
            Role::Client => record.is_some(),
        };
        if first {
            self.compare(cx, from, digest);
        }
    }

    /// Step 1 arrived.
    pub fn compare<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, from: ProcessId, digest: Digest) {
        if digest != self.table.digest() {
            let hashes = self
                .table
                .buckets()
                .iter()
                .flat_map(|hash| hash.to_be_bytes());
            cx.out.send(
                from,
                Message::Buckets {
                    hashes: hashes.collect::<Vec<u8>>().into(),
                },
            );
        }
    }

    /// Step 2 arrived.
    pub fn on_buckets<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, from: ProcessId, hashes: &[u8]) {
        if hashes.len() != BUCKETS * 8 {
            self.counters.refused += 1;
            return;
        }
        let own = self.table.buckets().iter().map(|hash| hash.to_be_bytes());
        let differing: Vec<u8> = (0..=u8::MAX)
            .zip(own.zip(hashes.chunks(8)))
            .filter(|(_, (own, theirs))| own[..] != **theirs)
            .map(|(bucket, _)| bucket)
            .collect();
        if differing.is_empty() {
            return;
        }
        let first = self.random_peer().0[0];
        let turn = differing.partition_point(|bucket| *bucket < first);
        let summary = self.summary(differing[turn..].iter().chain(&differing[..turn]));
        cx.out.send(from, summary);
    }

    /// Step 3 arrived: sends what the other side lacks and asks for what this side lacks.
    pub fn on_summary<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        buckets: &[u8],
        mut theirs: Vec<SummaryEntry>,
    ) {
        if buckets.len() != BUCKETS / 8 {
            self.counters.refused += 1;
            return;
        }
        theirs.sort_unstable_by_key(|entry| entry.process.peer);
        let known = |peer: &PeerId| {
            let place = theirs
                .binary_search_by_key(peer, |entry| entry.process.peer)
                .ok()?;
            theirs.get(place).map(news_of)
        };
        let listed = (0..=u8::MAX).filter(|bucket| {
            buckets
                .get(usize::from(bucket / 8))
                .is_some_and(|byte| byte >> (bucket % 8) & 1 == 1)
        });
        let lacking: Vec<PeerId> = listed
            .flat_map(|bucket| self.table.bucket(bucket))
            .filter(|entry| known(&entry.process().peer) < Some(entry.news()))
            .map(|entry| entry.process().peer)
            .collect();
        let want: Vec<PeerId> = theirs
            .iter()
            .filter(|entry| {
                let own = self.table.get(&entry.process.peer).map(Entry::news);
                own < Some(news_of(entry))
            })
            .map(|entry| entry.process.peer)
            .take(SUMMARY_MAX)
            .collect();
        self.send_records(cx, from, &lacking, want);
    }

    /// Steps 4 and 5 arrived.
    pub fn on_records<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        entries: Vec<SyncEntry>,
        want: &[PeerId],
    ) {
        let mut news = 0;
        for entry in entries {
            news += u64::from(self.learn_synced(cx, from, entry));
        }
        self.counters.sync_records_applied += news;
        if news > 0 {
            let soon = cx.now + self.config.sync_period_busy;
            self.schedule.sync_at = self.schedule.sync_at.min(soon);
        }
        if self.role == Role::Member && !want.is_empty() {
            self.send_records(cx, from, want, Vec::new());
        }
    }

    /// Tells linked clients who came and went since the last view. A client of a small cluster
    /// may have no other contact: what it waits to pull is lost to it if this node dies first.
    pub(super) fn tell_clients<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        let untold: Vec<PeerId> = core::mem::take(&mut self.untold).into_iter().collect();
        if self.role == Role::Client || self.table.living() > self.config.clients_told {
            return;
        }
        let links = cx.links;
        for client in links.iter().filter(|process| !self.is_living(process)) {
            self.send_records(cx, *client, &untold, Vec::new());
        }
    }

    fn send_records<O: Outbox>(
        &self,
        cx: &mut Cx<'_, O>,
        to: ProcessId,
        peers: &[PeerId],
        mut want: Vec<PeerId>,
    ) {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for peer in peers.iter().take(RECORDS_MAX) {
            let Some(entry) = self.table.get(peer) else {
                continue;
            };
            bytes += entry.signed.size();
            entries.push(self.sync_entry(cx, entry));
            if bytes >= RECORDS_BYTES {
                bytes = 0;
                let (entries, want) = (core::mem::take(&mut entries), core::mem::take(&mut want));
                cx.out.send(to, Message::Records { entries, want });
            }
        }
        if !entries.is_empty() || !want.is_empty() {
            cx.out.send(to, Message::Records { entries, want });
        }
    }

    fn sync_entry<O>(&self, cx: &Cx<'_, O>, entry: &Entry) -> SyncEntry {
        let living = entry.is_living();
        let state = if living {
            MemberState::Alive
        } else {
            entry.member.state
        };
        let age_s = if living {
            0
        } else {
            cx.now.since(entry.since).as_secs()
        };
        SyncEntry {
            record: entry.signed.clone(),
            state,
            sequence: entry.sequence,
            age_s,
        }
    }
}

fn news_of(entry: &SummaryEntry) -> News {
    News::new(entry.process, entry.sequence, entry.state)
}

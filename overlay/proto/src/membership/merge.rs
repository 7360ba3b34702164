//! Learning: how news of members changes what this node knows, wherever the news comes from.

use alloc::sync::Arc;

use super::{Cx, Membership};
use crate::entry::{Entry, News};
use crate::id::ProcessId;
use crate::interface::{LostCause, Outbox, Role};
use crate::member::{MemberRecord, MemberState, SignedRecord};
use crate::message::{GossipBatch, MembershipEvent, Message, SyncEntry};
use crate::time::{Duration, Instant};

/// How a record reached this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Greeting,
    Gossip,
    Sync,
}

impl Membership {
    /// A batch of news arrived on the membership topic.
    pub fn on_gossip<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, batch: &GossipBatch) {
        self.counters.gossip_received += 1;
        for event in &batch.events {
            self.counters.gossip_events_received += 1;
            let news = match *event {
                MembershipEvent::Alive(ref record) => {
                    self.learn(cx, record, Source::Gossip).is_some()
                }
                MembershipEvent::Left { process, sequence } => self.on_left(cx, process, sequence),
                MembershipEvent::Suspect {
                    process,
                    sequence,
                    observer,
                    refused,
                } => self.on_suspect(cx, process, sequence, observer, refused),
            };
            self.counters.gossip_events_applied += u64::from(news);
        }
    }

    /// A member said goodbye, on a link or by gossip. Whether that was news.
    pub fn on_left<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        process: ProcessId,
        sequence: u64,
    ) -> bool {
        if process == self.me {
            self.refute(cx, sequence);
            return false;
        }
        let entry = self.table.living_process(&process);
        if entry.is_none_or(|entry| sequence < entry.sequence) {
            return false;
        }
        self.depart(cx, process, MemberState::Left, sequence, cx.now);
        true
    }

    /// Takes a record that says that its owner is alive. Its state, if it was news.
    pub(super) fn learn<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        signed: &SignedRecord,
        source: Source,
    ) -> Option<ProcessId> {
        let record = self.check(signed, MemberState::Alive, 0, source)?;
        let process = record.process;
        if process.peer == self.me.peer {
            self.refute_namesake(cx, &record);
            return None;
        }
        self.admit(cx, record, signed, source).then_some(process)
    }

    /// Takes what another knows of a member. Whether it was news.
    pub(super) fn learn_synced<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        entry: SyncEntry,
    ) -> bool {
        let SyncEntry {
            record: signed,
            state,
            sequence,
            age_s,
        } = entry;
        let state = match state {
            MemberState::Alive | MemberState::Suspect => {
                return self.learn(cx, &signed, Source::Sync).is_some();
            }
            MemberState::Dead | MemberState::Left => state,
        };
        let Some(record) = self.check(&signed, state, sequence, Source::Sync) else {
            return false;
        };
        let (process, sequence) = (record.process, record.sequence.max(sequence));
        if process.peer == self.me.peer {
            self.refute(cx, sequence);
            return false;
        }
        let age = Duration::from_secs(age_s.min(self.config.dead_kept.as_secs()));
        let since = cx.now.as_micros().saturating_sub(age.as_micros() as u64);
        let since = Instant::from_micros(since);
        let Some(known) = self.table.living_process(&process) else {
            let mut entry = Entry::new(record, signed, state, since);
            entry.sequence = sequence;
            return self.bury_unseen(cx, entry);
        };
        let newer = known.sequence < record.sequence;
        if newer && !self.admit(cx, record, &signed, Source::Sync) {
            return false;
        }
        if state == MemberState::Left || self.role == Role::Client {
            self.depart(cx, process, state, sequence, since);
        } else {
            self.on_claimed_dead(cx, process, sequence, from);
        }
        true
    }

    /// The record of news, checked as far as needed: a glance at its order first, its
    /// signature only if it is newer than what is known.
    fn check(
        &mut self,
        signed: &SignedRecord,
        state: MemberState,
        sequence: u64,
        source: Source,
    ) -> Option<Arc<MemberRecord>> {
        let Ok(record) = signed.claim() else {
            self.counters.refused += 1;
            return None;
        };
        let process = record.process;
        let about_me = process == self.me && state == MemberState::Alive;
        let news = News::new(process, record.sequence.max(sequence), state);
        if about_me
            || self
                .table
                .get(&process.peer)
                .is_some_and(|entry| entry.news() >= news)
        {
            if source == Source::Gossip {
                self.mark_gossiped(signed);
                self.news.heard(&process.peer, signed);
            }
            return None;
        }
        if !self
            .keys
            .verify(&process.peer, signed.body(), signed.signature())
        {
            self.counters.refused += 1;
            return None;
        }
        Some(Arc::clone(record))
    }

    /// Another incarnation of this peer was there before, with a higher sequence.
    fn refute_namesake<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, record: &MemberRecord) {
        if record.process != self.me {
            self.refute(cx, record.sequence);
        }
    }

    fn admit<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        record: Arc<MemberRecord>,
        signed: &SignedRecord,
        source: Source,
    ) -> bool {
        let process = record.process;
        let before = self.table.get(&process.peer);
        let before = before
            .filter(|entry| entry.is_living())
            .map(|entry| entry.process());
        let doubted =
            before == Some(process) && !self.settle_doubt(cx.now, &process, record.sequence);
        let state = if doubted {
            MemberState::Suspect
        } else {
            MemberState::Alive
        };
        let mut entry = Entry::new(record, signed.clone(), state, cx.now);
        entry.gossiped = source == Source::Gossip;
        if !self.table.put(entry) {
            self.counters.refused += 1;
            return false;
        }
        if before != Some(process) {
            if let Some(replaced) = before {
                self.lost(cx, replaced, LostCause::Replaced);
            } else {
                self.count_join(source);
            }
            self.joined(cx, process);
        }
        self.view_moved();
        if source == Source::Gossip {
            self.news.heard(&process.peer, signed);
        } else if self.role == Role::Member && !self.is_newcomer(cx.now) {
            let delay = self.config.relay_delay / 8 + self.random_part(self.config.relay_delay);
            self.news
                .relay(process.peer, cx.now + delay, self.config.relays_max);
        }
        true
    }

    fn count_join(&mut self, source: Source) {
        let counter = match source {
            Source::Greeting => &mut self.counters.joins_by_greeting,
            Source::Gossip => &mut self.counters.joins_by_gossip,
            Source::Sync => &mut self.counters.joins_by_sync,
        };
        *counter += 1;
    }

    /// Another knows of the death of a process that this node never saw alive, or that it
    /// knows to be gone already.
    fn bury_unseen<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, entry: Entry) -> bool {
        let before = self.table.get(&entry.process().peer);
        let replaced = before
            .filter(|entry| entry.is_living())
            .map(|entry| entry.process());
        let taken = self.table.put(entry);
        if let Some(replaced) = replaced.filter(|_| taken) {
            self.lost(cx, replaced, LostCause::Replaced);
        }
        taken
    }

    /// A living process is gone for good or so it seems, as of this sequence of its.
    pub(super) fn depart<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        process: ProcessId,
        state: MemberState,
        sequence: u64,
        since: Instant,
    ) {
        if self.table.living_process(&process).is_none() {
            return;
        }
        self.table.update(&process.peer, |entry| {
            entry.member.state = state;
            entry.sequence = entry.sequence.max(sequence);
            entry.since = since;
        });
        let cause = if state == MemberState::Left {
            LostCause::Left
        } else {
            LostCause::Dead
        };
        self.lost(cx, process, cause);
    }

    /// A link with `process` came up. Whatever else bore its peer's name is gone.
    pub fn on_link_up<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, process: ProcessId) {
        let known = self
            .table
            .get(&process.peer)
            .map(|entry| (entry.process(), entry.member.state));
        match known {
            Some((other, state)) if other != process && state.is_living() => {
                self.table.update(&other.peer, |entry| {
                    entry.member.state = MemberState::Dead;
                    entry.since = cx.now;
                });
                self.lost(cx, other, LostCause::Replaced);
            }
            _ => self.on_heard(cx, &process),
        }
        if cx.links.len() == 1 {
            self.linked_since = Some(cx.now);
            self.republish_own();
        }
    }

    /// Whether this node came so lately that all it hears is known to the others.
    fn is_newcomer(&self, now: Instant) -> bool {
        let since = self.linked_since;
        since.is_none_or(|since| now.since(since) < self.config.newcomer)
    }

    /// The greeting of a linked process brought its record. If this node knows something
    /// else of that peer, the peer must hear it, to speak louder.
    pub fn on_introduced<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        record: &SignedRecord,
    ) {
        if self.learn(cx, record, Source::Greeting).is_some() {
            return;
        }
        let Some(entry) = self.table.get(&from.peer) else {
            return;
        };
        if entry.signed == *record && entry.is_living() {
            return;
        }
        let known = SyncEntry {
            record: entry.signed.clone(),
            state: entry.member.state,
            sequence: entry.sequence,
            age_s: 0,
        };
        let message = Message::Records {
            entries: [known].into(),
            want: [].into(),
        };
        cx.out.send(from, message);
    }
}

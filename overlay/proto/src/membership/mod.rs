//! Membership: who is here, as far as this node can tell.
//!
//! Members watch each other on rings, doubt those that do not answer, and declare dead those
//! that enough observers doubt for long enough (SWIM, Lifeguard, Rapid). News travels by
//! gossip; anti-entropy repairs whatever gossip missed. Nothing here is ever a proof.

mod announcement;
mod anti_entropy;
mod detection;
mod dissemination;
mod edge;
mod health;
mod judgement;
mod merge;
mod probe;
mod reliability;
mod rings;
mod suspicion;
mod table;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cluster::ClusterRecord;
use crate::config::{MembershipConfig, RINGS_MAX};
use crate::connections::Links;
use crate::counters::Counters;
use crate::entry::Entry;
use crate::id::{PeerId, ProcessId};
use crate::interface::{Announcement, Event, LostCause, Outbox, Role, Timer};
use crate::member::{BoxedKeys, MemberState, SignedRecord};
use crate::message::MembershipEvent;
use crate::tables;
use crate::time::{Duration, Instant};
use crate::view::MembershipView;

use dissemination::Dissemination;
use health::LocalHealth;
use probe::Probes;
use rings::Rings;
use suspicion::Suspicions;
use table::Table;

/// Changes between two views of which clients are told; of further ones they hear by pulling.
const UNTOLD_MAX: usize = 1024;

/// What every step of the membership protocol works with.
pub struct Cx<'a, O> {
    /// The time of the input.
    pub now: Instant,
    /// The links of this node.
    pub links: &'a Links,
    /// Where outputs go.
    pub out: &'a mut O,
}

/// The membership protocol of one node.
pub struct Membership {
    config: Arc<MembershipConfig>,
    keys: BoxedKeys,
    me: ProcessId,
    role: Role,
    rng: ChaCha8Rng,
    own: Option<Announcement>,
    sequence: u64,
    linked_since: Option<Instant>,
    refuted_at: Option<Instant>,
    to_refute: Option<u64>,
    table: Table,
    rings: Rings,
    rings_changed: bool,
    probes: Probes,
    health: LocalHealth,
    suspicions: Suspicions,
    news: Dissemination,
    schedule: Schedule,
    view_version: u64,
    view_stale: bool,
    view_at: Option<Instant>,
    untold: BTreeSet<PeerId>,
    linked_lost: u64,
    counters: Counters,
}

/// When the periodic duties are due next, and which timers are set.
#[derive(Debug, Default)]
struct Schedule {
    round_expected: Option<Instant>,
    tick_expected: Option<Instant>,
    flush_set: bool,
    sync_at: Instant,
    heal_at: Instant,
    expire_at: Instant,
    remember_at: Instant,
    unremembered: bool,
}

impl Membership {
    /// The protocol for `process`, which knows nobody.
    #[must_use]
    pub fn new(
        config: Arc<MembershipConfig>,
        keys: BoxedKeys,
        me: ProcessId,
        role: Role,
        seed: u64,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rings = if role == Role::Member {
            config.rings.clamp(1, RINGS_MAX)
        } else {
            0
        };
        Self {
            table: Table::new(config.members_max),
            rings: Rings::new(me.peer, rings),
            rings_changed: false,
            probes: Probes::new(config.clone(), rng.next_u64()),
            health: LocalHealth::new(config.local_health_max),
            suspicions: Suspicions::new(config.clone()),
            news: Dissemination::default(),
            schedule: Schedule::default(),
            view_version: 0,
            view_stale: false,
            view_at: None,
            untold: BTreeSet::new(),
            linked_lost: 0,
            counters: Counters::default(),
            own: None,
            sequence: 0,
            linked_since: None,
            refuted_at: None,
            to_refute: None,
            config,
            keys,
            me,
            role,
            rng,
        }
    }

    /// The first input: starts the periodic timers, at a random phase.
    pub fn start<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        let phase = self.random_part(self.config.probe_period);
        self.schedule.round_expected = Some(cx.now + phase);
        cx.out.set_timer(Timer::ProbeRound, phase);
        self.schedule.sync_at = cx.now + self.random_part(self.sync_period());
        self.schedule.heal_at = cx.now + self.random_part(self.config.heal_period);
        self.schedule.expire_at = cx.now + self.config.dead_synced;
        self.schedule.remember_at = cx.now;
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The same, to count for the whole overlay in one place.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// How full its tables are.
    pub fn tables(&self) -> impl Iterator<Item = tables::Table> {
        let (members, members_max) = self.table.size();
        let own = [
            tables::Table::new("members", members, members_max),
            tables::Table::new("untold", self.untold.len(), UNTOLD_MAX),
        ];
        own.into_iter()
            .chain(self.probes.tables())
            .chain(self.suspicions.tables())
            .chain(self.news.tables(self.config.relays_max))
    }

    /// The view as it is now; its version is that of the last one emitted.
    #[must_use]
    pub fn view(&self) -> MembershipView {
        self.table.view(self.view_version)
    }

    /// What is known of this peer, living or not.
    #[must_use]
    pub fn entry(&self, peer: &PeerId) -> Option<&Entry> {
        self.table.get(peer)
    }

    /// Whether exactly this process is in the view.
    #[must_use]
    pub fn is_living(&self, process: &ProcessId) -> bool {
        self.table.living_process(process).is_some()
    }

    /// Whether `peer` signed the record.
    #[must_use]
    pub fn verifies(&self, record: &SignedRecord, peer: &PeerId) -> bool {
        self.keys.verify(peer, record.body(), record.signature())
    }

    /// The members in the view, sorted by peer.
    pub fn living_processes(&self) -> impl Iterator<Item = ProcessId> {
        self.table
            .iter()
            .filter(|entry| entry.is_living())
            .map(|entry| entry.process())
    }

    /// The members that this node watches, sorted.
    pub fn watched(&self) -> impl Iterator<Item = &ProcessId> {
        self.probes.targets()
    }

    /// Whether this node watches this member.
    #[must_use]
    pub fn watches(&self, process: &ProcessId) -> bool {
        self.probes.watches(process)
    }

    /// How often a member left the view while there was a link with it.
    #[must_use]
    pub const fn linked_lost(&self) -> u64 {
        self.linked_lost
    }

    /// Whether the watched members changed since the last call.
    pub fn take_rings_changed(&mut self) -> bool {
        core::mem::take(&mut self.rings_changed)
    }

    /// Up to `limit` living members other than this node, from a random place on.
    pub fn sample(&mut self, limit: usize) -> Vec<SignedRecord> {
        let start = self.random_peer();
        self.table
            .iter_from(start)
            .filter(|entry| entry.is_living() && entry.process() != self.me)
            .take(limit)
            .map(|entry| entry.signed.clone())
            .collect()
    }

    /// A living member for which `suits`, from a random place on.
    pub fn random_living(&mut self, suits: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        let start = self.random_peer();
        let me = self.me;
        self.table
            .iter_from(start)
            .find(|entry| entry.is_living() && entry.process() != me && suits(entry))
    }

    /// A dead member that is due for an attempt to reach it, at most one per heal period.
    pub fn to_heal(&mut self, now: Instant) -> Option<&Entry> {
        if self.role == Role::Client || now < self.schedule.heal_at {
            return None;
        }
        self.schedule.heal_at = now + self.config.heal_period;
        let start = self.random_peer();
        self.table
            .iter_from(start)
            .find(|entry| entry.member.state == MemberState::Dead)
    }

    /// Gossips the cluster with the next batch; a client gossips nothing.
    pub fn publish_cluster(&mut self, cluster: ClusterRecord) {
        if self.role == Role::Member {
            self.news.push_cluster(cluster);
        }
    }

    /// Periodic duties without a deadline of their own.
    pub fn upkeep<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        if cx.now >= self.schedule.expire_at {
            self.schedule.expire_at = cx.now + self.config.dead_synced / 16;
            let now = cx.now.as_micros();
            let before = |age: Duration| {
                let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
                Instant::from_micros(now.saturating_sub(age))
            };
            self.table.expire(
                before(self.config.dead_synced),
                before(self.config.dead_kept),
            );
        }
        if self.schedule.unremembered && cx.now >= self.schedule.remember_at {
            self.schedule.unremembered = false;
            self.schedule.remember_at = cx.now + self.config.remember_period;
            let records = self.sample(self.config.remember_max);
            if !records.is_empty() {
                cx.out.emit(Event::Remember(records));
            }
        }
    }

    /// Sets the timers and emits the view that the steps before made necessary.
    pub fn settle<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        let batch = self.config.view_batch;
        if self.view_stale && self.view_at.is_none_or(|at| cx.now.since(at) >= batch) {
            self.view_stale = false;
            self.view_at = Some(cx.now);
            self.view_version += 1;
            cx.out.emit(Event::View(self.view()));
            self.tell_clients(cx);
        }
        if (self.view_stale || !self.news.is_empty()) && !self.schedule.flush_set {
            self.schedule.flush_set = true;
            cx.out.set_timer(Timer::Flush, self.config.gossip_batch);
        }
    }

    /// When this part of the machine needs the tick timer next: after one tick while probes are
    /// under way, else when something becomes of a suspicion.
    pub fn next_tick(&mut self, now: Instant) -> Option<Instant> {
        let soon = now + self.config.tick;
        let often = self.probes.pending() || self.news.has_delayed() || self.to_refute.is_some();
        if often {
            return Some(soon);
        }
        let due = self.suspicions.next_due(self.table.living())?;
        Some(due.max(soon))
    }

    /// The flush timer fired.
    pub fn flush<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        self.schedule.flush_set = false;
        if self.role == Role::Client {
            return;
        }
        while let Some(batch) = self.news.batch() {
            self.counters.gossip_published += 1;
            for event in &batch.events {
                if let MembershipEvent::Alive(record) = event {
                    self.mark_gossiped(record);
                }
            }
            cx.out.emit(Event::Publish(batch.encode()));
        }
    }

    fn mark_gossiped(&mut self, record: &SignedRecord) {
        let Ok(claim) = record.claim() else { return };
        let peer = claim.process.peer;
        if self
            .table
            .get(&peer)
            .is_some_and(|entry| entry.signed == *record)
        {
            self.table.mark_gossiped(&peer);
        }
    }

    fn joined<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, process: ProcessId) {
        self.rings_moved(|rings, _| rings.insert(process));
        if process != self.me {
            cx.out.emit(Event::Joined(process));
        }
        self.tell_later(process.peer);
        self.view_moved();
    }

    fn lost<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, process: ProcessId, cause: LostCause) {
        self.suspicions.close(&process);
        self.linked_lost += u64::from(cx.links.is_up(&process));
        self.rings_moved(|rings, table| rings.remove(process, table));
        cx.out.emit(Event::Lost { process, cause });
        self.tell_later(process.peer);
        self.view_moved();
    }

    fn tell_later(&mut self, peer: PeerId) {
        let few = self.table.living() <= self.config.clients_told;
        if few && self.untold.len() < UNTOLD_MAX {
            self.untold.insert(peer);
        }
    }

    fn rings_moved(&mut self, change: impl FnOnce(&mut Rings, &Table) -> bool) {
        if change(&mut self.rings, &self.table) {
            self.probes.retarget(&self.rings.successors());
            self.rings_changed = true;
        }
    }

    fn view_moved(&mut self) {
        self.view_stale = true;
        self.schedule.unremembered = true;
    }

    fn random_peer(&mut self) -> PeerId {
        let mut id = [0; 32];
        self.rng.fill_bytes(&mut id);
        PeerId(id)
    }

    fn random_part(&mut self, of: Duration) -> Duration {
        let micros = u64::try_from(of.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.rng.random_range(0..=micros))
    }
}

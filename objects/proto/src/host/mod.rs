//! The host side of the object layer: the replicas of this process, whom their messages go to,
//! takeover, repair, hand-over, recovery, and what nested and recorded calls need.
//!
//! Nothing here decides on safety: views, silence and timeouts choose when a replica is asked to
//! stand, to add a learner, to propose a set; the register's majorities decide what comes of it.

mod absorb;
mod audit;
mod counters;
mod deadlock;
mod drain;
mod effects;
mod host_counts;
mod inquiry;
mod leases;
mod mend;
mod outbox;
mod rebalance;
mod recover;
mod repair;
mod republish;
mod returned;
mod route;
mod scan;
mod shared;
mod silence;
mod slots;
mod storm;
mod tables;
mod takeover;
mod tombstones;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use overlay_proto::view::MembershipView;
use overlay_proto::{Instant, LinkDown, ProcessId};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::audit::Audited;
use self::drain::Drain;
use self::host_counts::HostCounts;
use self::inquiry::Inquiries;
use self::outbox::Deliveries;
use self::rebalance::Rebalance;
use self::repair::{Lost, Repairs};
use self::republish::{Republished, Unpublished};
use self::returned::Returned;
use self::silence::Silence;
use self::slots::Slots;
use self::storm::Storm;
use self::takeover::Absent;
use self::tombstones::{Issue, Tombstones};
use crate::config::ObjectsConfig;
use crate::lease::Leases;
use crate::machine::Announced;
use crate::message::Sighting;
use crate::mode::WeakTimings;
use crate::object::ObjectId;
use crate::placement::{RoundRobin, Strategy};
use crate::reach::Reach;
use crate::register::{self, Env, Expiry, Methods, Mutation, Replica};

pub use self::counters::Counters;
pub use self::effects::Effects;
pub use self::recover::Recoveries;
pub(crate) use self::republish::PARTS;

/// The kinds hosted here, as the machine keeps them.
pub type SharedMethods = Arc<dyn Methods + Send + Sync>;

/// The replicas of this process.
pub struct Host {
    config: ObjectsConfig,
    world: World,
    view: MembershipView,
    host_counts: HostCounts,
    slots: Slots,
    tombstones: Tombstones,
    silence: Silence,
    absent: Absent,
    strategy: Box<dyn Strategy>,
    lost: Lost,
    repairs: Repairs,
    rebalance: Rebalance,
    returned: Returned,
    storm: Storm,
    drain: Option<Drain>,
    deliveries: Deliveries,
    inquiries: Inquiries,
    /// Objects whose replica set is to be looked at before this input is done with.
    attention: BTreeSet<ObjectId>,
    /// Objects whose outbox is to be looked at before this input is done with.
    outboxes: BTreeSet<ObjectId>,
    told: Told,
    republished: Republished,
    unpublished: Unpublished,
    audited: Audited,
    counters: Counters,
    /// What replicas write to, empty between inputs: its memory is used again.
    spare: register::Effects,
}

/// What replicas need of the world around them.
struct World {
    me: ProcessId,
    methods: SharedMethods,
    rng: ChaCha8Rng,
    /// What the tombstones let this process issue and refuse.
    issue: Issue,
    leases: Leases,
    reach: Reach,
    expiry: Expiry,
    weak: WeakTimings,
    mutation: Option<Mutation>,
}

impl World {
    fn env(&mut self, now: Instant) -> Env<'_> {
        let Issue { stamp, floor } = self.issue;
        Env {
            now,
            me: self.me,
            stamp,
            floor,
            methods: &*self.methods,
            expiry: self.expiry,
            rng: &mut self.rng,
            leases: &mut self.leases,
            reach: &self.reach,
            weak: &self.weak,
            mutation: self.mutation,
        }
    }
}

/// What the driver was last told to announce.
#[derive(Debug, Default)]
struct Told {
    content: Announced,
    at: Option<Instant>,
}

impl Host {
    /// A host without replicas. `seed` spreads retries, nothing else.
    #[must_use]
    pub fn new(config: ObjectsConfig, me: ProcessId, methods: SharedMethods, seed: u64) -> Self {
        let (timings, limits) = (&config.timings, &config.limits);
        Self {
            world: World {
                me,
                methods,
                rng: ChaCha8Rng::seed_from_u64(seed),
                issue: Issue::default(),
                leases: Leases::new(timings, limits),
                reach: Reach::default(),
                expiry: Expiry {
                    session_idle: timings.session_idle,
                    nested_kept: timings.nested_kept,
                },
                weak: timings.weak.clone(),
                mutation: None,
            },
            view: MembershipView::default(),
            host_counts: HostCounts::default(),
            slots: Slots::new(config.pace.clone()),
            tombstones: Tombstones::new(me, timings.tombstones, limits.tombstones),
            silence: Silence::new(timings, limits),
            absent: Absent::default(),
            strategy: Box::new(RoundRobin),
            lost: Lost::default(),
            repairs: Repairs::default(),
            rebalance: Rebalance::default(),
            returned: Returned::default(),
            storm: Storm::default(),
            drain: None,
            deliveries: Deliveries::new(limits.deliveries, timings.outbox_retry),
            inquiries: Inquiries::default(),
            attention: BTreeSet::new(),
            outboxes: BTreeSet::new(),
            told: Told::default(),
            republished: Republished::default(),
            unpublished: Unpublished::default(),
            audited: Audited::default(),
            counters: Counters::default(),
            spare: register::Effects::default(),
            config,
        }
    }

    /// Breaks a rule on purpose, so that a test can show that it is caught.
    pub fn mutate(&mut self, mutation: Option<Mutation>) {
        self.world.mutation = mutation;
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        Counters {
            lease_reads: self.world.leases.answered,
            leases_awaited: self.world.leases.delayed,
            tombstones_forgotten: self.tombstones.forgotten(),
            ..self.counters
        }
    }

    /// The replicas here, in the order of their objects.
    pub fn replicas(&self) -> impl Iterator<Item = (&ObjectId, &Replica)> {
        self.slots
            .iter()
            .map(|(object, slot)| (object, &slot.replica))
    }

    /// The replica of one object.
    #[must_use]
    pub fn replica(&self, object: &ObjectId) -> Option<&Replica> {
        self.slots.get(object).map(|slot| &slot.replica)
    }

    /// What is known here of an object's place.
    #[must_use]
    pub fn sighting(&self, object: &ObjectId) -> Sighting {
        if let Some(slot) = self.slots.get(object) {
            return slot.replica.sighting();
        }
        self.tombstones
            .get(object)
            .map_or(Sighting::Unknown, |tombstone| tombstone.sighting.clone())
    }

    /// The stamp for replica sets that name this process from now on, for its member record.
    #[must_use]
    pub const fn next_stamp(&self) -> u64 {
        self.world.issue.stamp
    }

    /// The membership view changed.
    pub fn on_view(&mut self, now: Instant, view: &MembershipView, fx: &mut Effects) {
        self.view = view.clone();
        self.host_counts.on_view();
        self.storm.on_view(now, view.len());
        self.lost.on_view(view);
        self.expire_tombstones(now);
        self.doubt_absent(now, fx);
        self.on_view_repairs();
        self.rebalance.on_view();
    }

    /// A link is open and confirmed in both directions.
    pub fn on_link_up(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) {
        self.silence.heard(process, fx);
        if self.world.reach.heard(&process) {
            self.returned.add(process);
        }
        self.tell_links(now, process, true, fx);
    }

    /// A link is gone, or could not be made.
    pub fn on_link_down(
        &mut self,
        now: Instant,
        process: ProcessId,
        reason: LinkDown,
        fx: &mut Effects,
    ) {
        self.end_grant_of(&process);
        if reason != LinkDown::Closed {
            self.world.reach.failed(now, process);
        }
        self.returned.remove(&process);
        self.tell_links(now, process, false, fx);
        self.doubt_link(now, process, reason, fx);
    }

    /// The process was stopped: what waits is stale, and silence was measured with a stopped
    /// clock.
    pub fn on_stopped(&mut self, now: Instant, fx: &mut Effects) {
        self.silence.clear();
        self.world.leases.held.clear();
        let mut objects: BTreeSet<ObjectId> = self.slots.busy().into_iter().collect();
        objects.extend(self.slots.objects_of(&self.world.me));
        for object in objects {
            self.with(now, object, fx, |replica, env, out| {
                replica.on_stopped(env, out);
            });
        }
    }

    /// Looks at everything that waits.
    pub fn tick(&mut self, now: Instant, fx: &mut Effects) {
        self.slots.next_turn();
        for object in self.slots.turn() {
            self.with(now, object, fx, |replica, env, out| replica.tick(env, out));
        }
        self.tick_silence(now, fx);
        self.tick_returned(now, fx);
        self.slots.tick_rest(now);
        self.tick_scan();
        self.tick_publications(fx);
        self.tick_leases(now, fx);
        self.attention.extend(self.repairs.jobs.keys().copied());
        self.outboxes.extend(self.deliveries.due(now));
        self.tick_drain(now, fx);
    }

    /// Whether anything waits for the next tick.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.slots.any_busy()
            || self.silence.waits()
            || self.world.leases.waits()
            || !self.repairs.jobs.is_empty()
            || self.deliveries.waits()
            || self.drains()
            || self.returned.waits()
            || self.unpublished.waits()
            || self.slots.rests()
            || self.repairs.scans()
            || self.has_news()
    }

    /// Looks at repairs, then at what is unevenly spread.
    pub fn tick_repairs(&mut self, now: Instant, fx: &mut Effects) {
        self.doubt_absent(now, fx);
        self.expire_tombstones(now);
        self.scan_repairs();
        self.rebalance(now);
    }

    /// Whether a repair is pending, or replicas are to be evened out.
    #[must_use]
    pub fn repairs_wait(&self) -> bool {
        let uneven = self.rebalance.waits() && self.slots.count_of(&self.world.me) > 0;
        self.repairs.pending() || self.absent.waits() || uneven
    }

    /// Does what this input made due: replica sets to be changed, news to be announced.
    /// Outboxes are left to [`take_deliveries`](Self::take_deliveries).
    pub fn settle(&mut self, now: Instant, fx: &mut Effects) {
        while let Some(object) = self.attention.pop_first() {
            self.mend(now, object, fx);
        }
        self.check_drained(now, fx);
        self.tell_news(now, fx);
    }

    /// Whether records, indices and tables fit together.
    ///
    /// # Panics
    /// If they do not: a bug. For tests and simulations.
    pub fn check_invariants(&self) {
        self.slots.check_invariants();
        self.tombstones.check_invariants();
        for (object, slot) in self.slots.iter() {
            let epoch = slot.replica.configuration().epoch;
            let refused = self
                .tombstones
                .get(object)
                .is_some_and(|t| t.refuses(epoch));
            assert!(!refused, "{object:?} lives in {epoch}, which was left");
        }
        assert!(self.slots.len() <= self.config.limits.objects);
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("me", &self.world.me)
            .field("replicas", &self.slots.len())
            .finish_non_exhaustive()
    }
}

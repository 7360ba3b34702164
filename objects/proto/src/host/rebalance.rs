//! Evening out: replicas move from crowded hosts to those with room, as after peers joined.
//!
//! Each primary looks after its own objects, by the loads that hosts announce. A move is an
//! ordinary change of the replica set, so a load that is wrong or old costs a needless move and
//! nothing else. Repairs go first, and while many members are suspected at once nothing moves.
//! How many move at a time is limited at each host; and since all hosts see the same room at the
//! same time, each takes its share of it by lot. A set that has changed rests for a minute (design
//! review 4.6).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, Instant, ProcessId, Table};
use rand_chacha::rand_core::Rng;

use crate::host::Host;
use crate::host::mend::{NAMES_KIND, Wish};
use crate::object::{Configuration, ObjectId};
use crate::placement::{hosts_of, shares_fewer_labels};
use crate::register::Replica;

/// Time between two looks while replicas are unevenly spread.
const ROUND: Duration = Duration::from_secs(1);
/// Time between two looks otherwise, if loads or members changed at all.
const CALM: Duration = Duration::from_secs(5);
/// Own objects looked at in one round.
const SCAN_MAX: usize = 256;
/// Replicas above the mean that are nothing to move for.
const SLACK: u64 = 2;
/// A replica set is not changed again for the loads' sake so soon after any change.
const REST: Duration = Duration::from_secs(60);
/// Replica sets whose last change is remembered; of more, some may move earlier.
const RESTING_MAX: usize = 4_096;
/// Only so large a part of the room is aimed at in one round, by all hosts together: loads are
/// announced a while after they changed.
const ROUND_PART: u64 = 4;

/// A replica on its way from one host to another.
#[derive(Clone, Copy, Debug)]
struct Move {
    from: ProcessId,
    to: ProcessId,
    since: Instant,
}

/// What is moved, and when to look again.
#[derive(Debug, Default)]
pub(crate) struct Rebalance {
    moves: BTreeMap<ObjectId, Move>,
    /// Loads or members changed since the last look.
    stale: bool,
    /// The last look found something to move.
    uneven: bool,
    looked: Option<Instant>,
    cursor: Option<ObjectId>,
    /// When sets changed that are not to be changed again yet.
    resting: BTreeMap<ObjectId, Instant>,
}

impl Rebalance {
    /// The object's set has changed.
    pub(crate) fn changed(&mut self, now: Instant, object: ObjectId) {
        if self.resting.len() < RESTING_MAX || self.resting.contains_key(&object) {
            self.resting.insert(object, now);
        }
    }

    /// The view changed, and with it perhaps loads.
    pub(crate) fn on_view(&mut self) {
        self.stale = true;
    }

    /// Whether a look is to come.
    pub(crate) fn waits(&self) -> bool {
        self.stale || self.uneven || !self.moves.is_empty()
    }

    /// How full its tables are, if `max` replicas may be on their way.
    pub(crate) fn tables(&self, max: usize) -> [Table; 2] {
        [
            Table::new("moves", self.moves.len(), max),
            Table::new("moves.resting", self.resting.len(), RESTING_MAX),
        ]
    }

    /// Nothing is moved any more.
    pub(crate) fn stop(&mut self) {
        self.moves.clear();
    }

    /// Whether this member of the object's set is to give way.
    pub(crate) fn moves_away(&self, object: &ObjectId, process: &ProcessId) -> bool {
        let moving = self.moves.get(object);
        moving.is_some_and(|moving| moving.from == *process)
    }

    /// Where a replica of the object is going.
    pub(crate) fn target(&self, object: &ObjectId) -> Option<ProcessId> {
        self.moves.get(object).map(|moving| moving.to)
    }

    /// The object's replica stays where it is, or has arrived.
    pub(crate) fn end(&mut self, object: &ObjectId) {
        self.moves.remove(object);
    }

    fn is_due(&self, now: Instant) -> bool {
        let pause = if self.uneven || !self.moves.is_empty() {
            ROUND
        } else {
            CALM
        };
        let rested = self.looked.is_none_or(|at| now.since(at) >= pause);
        self.waits() && rested
    }
}

/// What the hosts of one kind announce that they hold.
struct Loads {
    of: BTreeMap<ProcessId, u64>,
    mean: u64,
    /// Who holds more than this is crowded.
    crowd: u64,
}

impl Loads {
    fn new(view: &MembershipView, kind: &str, version: u32) -> Self {
        let hosts = hosts_of(view, kind, version);
        let of: BTreeMap<ProcessId, u64> = hosts
            .map(|host| (host.record.process, u64::from(host.record.load)))
            .collect();
        let total: u64 = of.values().sum();
        let mean = total / (of.len() as u64).max(1);
        // Loads are announced when they moved by an eighth: a quarter is certain. For a host that
        // stays less than half full it is worth to look closer.
        let nearly_empty = of.values().min().is_some_and(|least| least * 2 < mean);
        let above = if nearly_empty { mean / 8 } else { mean / 4 };
        let crowd = mean + above + SLACK;
        Self { of, mean, crowd }
    }

    /// What a host holds, if that is clearly more than the others do.
    fn crowded(&self, process: &ProcessId) -> Option<u64> {
        let load = *self.of.get(process)?;
        (load > self.crowd).then_some(load)
    }

    /// How many replicas a host with this load should take: up to a little below the mean.
    fn room(&self, load: u64) -> u64 {
        (self.mean - self.mean / 8).saturating_sub(load)
    }

    fn all_room(&self) -> u64 {
        self.of.values().map(|load| self.room(*load)).sum()
    }
}

impl Host {
    /// Decides what is to be moved next, if it is time.
    pub(super) fn rebalance(&mut self, now: Instant) {
        let repairs = |(object, _): (&ObjectId, _)| self.rebalance.target(object).is_none();
        let repairing = self.repairs.jobs.iter().any(repairs) || self.repairs.pending();
        if !self.rebalance.is_due(now) || repairing || self.drain.is_some() {
            return;
        }
        self.rebalance.looked = Some(now);
        if self.is_stormy(now) || self.suspects_many() {
            return;
        }
        self.rebalance.stale = false;
        self.rebalance.uneven = false;
        self.rebalance
            .resting
            .retain(|_, since| now.since(*since) < REST);
        let moving: Vec<ObjectId> = self.rebalance.moves.keys().copied().collect();
        for object in moving {
            self.check_move(now, &object);
        }
        let me = self.world.me;
        let mut kinds = BTreeMap::new();
        for _ in 0..self.slots.count_of(&me).min(SCAN_MAX) {
            if self.rebalance.moves.len() >= self.config.limits.moves {
                self.rebalance.uneven = true;
                return;
            }
            let Some(object) = self.slots.next_of(&me, self.rebalance.cursor) else {
                return;
            };
            self.rebalance.cursor = Some(object);
            if let Some((from, to)) = self.find_move(&object, &mut kinds) {
                let since = now;
                let moving = Move { from, to, since };
                self.rebalance.moves.insert(object, moving);
                self.attention.insert(object);
            }
        }
    }

    /// A replica of this object that should be elsewhere, and where.
    fn find_move(
        &mut self,
        object: &ObjectId,
        kinds: &mut BTreeMap<(Arc<str>, u32), Loads>,
    ) -> Option<(ProcessId, ProcessId)> {
        let wish = self.wish(object)?;
        if &*wish.kind == NAMES_KIND || self.repairs.jobs.contains_key(object) {
            return None;
        }
        let rests = self.rebalance.resting.contains_key(object);
        let Wish {
            kind, kind_version, ..
        } = &wish;
        let loads = kinds
            .entry((kind.clone(), *kind_version))
            .or_insert_with(|| Loads::new(&self.view, kind, *kind_version));
        let set = &wish.configuration;
        let crowded = set.processes().filter_map(|process| {
            let load = loads.crowded(&process)?;
            Some((load, process))
        });
        let (_, from) = crowded.max()?;
        let with_room: Vec<(ProcessId, u64)> = loads
            .of
            .iter()
            .map(|(process, load)| (*process, loads.room(*load)))
            .filter(|(process, room)| *room > 0 && self.may_take(set, &from, process))
            .collect();
        if with_room.is_empty() {
            return None;
        }
        self.rebalance.uneven = true;
        if rests {
            return None;
        }
        let hosts = loads.of.len() as u64;
        let share = hosts * ROUND_PART * (self.config.limits.moves as u64).max(1);
        if u64::from(self.world.rng.next_u32()) % share.max(1) >= loads.all_room() {
            return None;
        }
        let all: u64 = with_room.iter().map(|(_, room)| room).sum();
        let mut drawn = self.world.rng.next_u64() % all;
        let to = with_room.into_iter().find(|(_, room)| {
            let found = drawn < *room;
            drawn = drawn.saturating_sub(*room);
            found
        });
        Some((from, to?.0))
    }

    /// Whether a host may hold a replica in the place of `from`: it is believed alive, not a
    /// member, and no closer to the other members.
    fn may_take(&self, set: &Configuration, from: &ProcessId, to: &ProcessId) -> bool {
        let others: Vec<ProcessId> = set.processes().filter(|one| one != from).collect();
        set.index_of(to).is_none() && shares_fewer_labels(&self.view, to, from, &others)
    }

    /// Ends a move that is over, came to nothing, or takes too long.
    pub(super) fn check_move(&mut self, now: Instant, object: &ObjectId) {
        let Some(Move { from, to, since }) = self.rebalance.moves.get(object).copied() else {
            return;
        };
        let patience = self.config.timings.learner_patience;
        let failed = self.repairs.jobs.get(object);
        let failed = failed.is_some_and(|job| job.failed.contains(&to));
        let set = self.replica(object).filter(|one| one.is_primary());
        let set = set.map(Replica::configuration);
        let named = |process| set.is_some_and(|set| set.index_of(process).is_some());
        let goes_on = named(&from) && !named(&to);
        self.counters.moves += u64::from(named(&to) && !named(&from));
        let taken = self.view.process(&to);
        let usable = taken.is_some_and(|member| !member.record.leaving);
        if failed || !goes_on || !usable || now.since(since) >= patience * 2 {
            self.rebalance.end(object);
            self.attention.insert(*object);
        }
    }
}

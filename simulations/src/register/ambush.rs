//! Faults aimed at a primary that reads under leases: shapes that random faults hardly reach.

use std::collections::BTreeSet;

use objects_proto::object::ObjectId;
use objects_proto::objects::Objects;
use objects_proto::register::Replica;
use overlay_proto::{Duration, Instant};

use super::journal::LEASED;
use super::{Alarm, ObjectsKernel, Register};
use crate::faults::Fault;
use crate::invariants::leases_respected::{self, Standing};
use crate::seed::{Dice, Seed};

/// The longest script.
const SCRIPT_MAX: Duration = Duration::from_secs(12);

/// When ambushes are laid.
#[derive(Debug)]
pub struct Ambushes {
    dice: Dice,
    pace: Duration,
    until: Instant,
    /// Seals, by object and epoch, on which it was decided.
    seals: BTreeSet<(usize, u64)>,
}

impl Ambushes {
    /// Draws whether and how often they are laid, the last one over at `until`.
    pub fn draw(seed: Seed, until: Instant) -> Option<Self> {
        let mut dice = seed.child("ambushes").dice();
        dice.chance(0.6).then(|| Self {
            pace: Duration::from_millis(dice.between(4_000, 20_000)),
            until,
            seals: BTreeSet::new(),
            dice,
        })
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.dice.between(low, high))
    }
}

/// A primary and who stores its object besides it, by node.
struct Target {
    object: usize,
    primary: u32,
    backups: Vec<u32>,
}

impl Register {
    /// When the last one must be over; at once if there are none.
    pub(super) fn ambushed_until(&self) -> Instant {
        self.ambushes
            .as_ref()
            .map_or(Instant::ZERO, |one| one.until)
    }

    /// A pause between two of them, if there are any.
    pub(super) fn ambush_pause(&mut self) -> Option<Duration> {
        let ambushes = self.ambushes.as_mut()?;
        Some(ambushes.dice.exponential(ambushes.pace))
    }

    /// Schedules the next ambush.
    pub(super) fn plan_ambush(&mut self, kernel: &mut ObjectsKernel) {
        if let Some(ambushes) = &mut self.ambushes {
            let after = ambushes.dice.exponential(ambushes.pace);
            kernel.alarm(after, Alarm::Ambush);
        }
    }

    pub(super) fn ambush(&mut self, kernel: &mut ObjectsKernel) {
        let over = |one: &Ambushes| kernel.now() + SCRIPT_MAX >= one.until;
        if self.ambushes.as_ref().is_none_or(over) {
            return;
        }
        self.plan_ambush(kernel);
        let Some(target) = self.target(kernel) else {
            return;
        };
        let Some(mut ambushes) = self.ambushes.take() else {
            return;
        };
        match ambushes.dice.below(3) {
            0 => self.cut_off(kernel, &mut ambushes, &target),
            1 => self.slow_answers(kernel, &mut ambushes, &target),
            _ => self.half_return(kernel, &mut ambushes, &target),
        }
        self.ambushes = Some(ambushes);
        kernel.count("ambushes", 1);
    }

    /// The links are reset, then only clients reach the primary, for less than a lease.
    fn cut_off(&self, kernel: &mut ObjectsKernel, ambushes: &mut Ambushes, target: &Target) {
        reset_links(kernel, target);
        let pairs = both_ways(target.primary, &self.other_hosts(target.primary));
        let told = ambushes.millis(1, 60);
        let outage = ambushes.millis(900, 2_900);
        cut_for(kernel, told, outage, pairs);
    }

    /// Answers to the primary are late; when they have come, it is cut off.
    fn slow_answers(&self, kernel: &mut ObjectsKernel, ambushes: &mut Ambushes, target: &Target) {
        let hosts = self.other_hosts(target.primary);
        let answers = hosts.iter().map(|host| (*host, target.primary)).collect();
        let late = ambushes.millis(500, 2_500);
        cut_for(kernel, Duration::ZERO, late, answers);
        let gap = ambushes.millis(20, 800);
        let outage = ambushes.millis(3_000, 4_500);
        let pairs = both_ways(target.primary, &hosts);
        cut_for(kernel, late + gap, outage, pairs);
    }

    /// The backups replace the primary, which nobody calls meanwhile. Then one of them comes
    /// back to it, the others do not: another object that they share renews the lease.
    fn half_return(
        &mut self,
        kernel: &mut ObjectsKernel,
        ambushes: &mut Ambushes,
        target: &Target,
    ) {
        reset_links(kernel, target);
        let told = ambushes.millis(1, 60);
        let outage = ambushes.millis(3_500, 6_000);
        let rest = ambushes.millis(2_500, 5_000);
        self.objects[target.object].quiet_until = kernel.now() + outage + rest;
        let shared = self.shared_backup(kernel, target);
        for backup in &target.backups {
            let back = shared.is_none_or(|one| one == *backup);
            let until = if back { outage } else { outage + rest };
            let pairs = both_ways(target.primary, &[*backup]);
            cut_for(kernel, told, until, pairs);
        }
        if ambushes.dice.chance(0.7) {
            // It notices that it was stopped, and asks for all its leases again.
            let slept = ambushes.millis(1_100, 1_500);
            kernel.fault(outage, Fault::Pause(target.primary));
            kernel.fault(outage + slept, Fault::Resume(target.primary));
        }
    }

    /// A primary has just shipped a seal: its answers do not come, and soon nobody hears it but
    /// clients.
    pub(super) fn watch_seals(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        let Some(mut ambushes) = self.ambushes.take() else {
            return;
        };
        for object in 0..self.objects.len() {
            let Some(replica) = self.leased_replica(kernel, node, object) else {
                continue;
            };
            let epoch = replica.configuration().epoch.number;
            let ships = replica.is_primary() && replica.is_sealed();
            let over = kernel.now() + SCRIPT_MAX >= ambushes.until;
            if !ships || over || !ambushes.seals.insert((object, epoch)) {
                continue;
            }
            if ambushes.dice.chance(0.5) {
                let hosts = self.other_hosts(node);
                let outage = ambushes.millis(1_500, 2_900);
                let answers = hosts.iter().map(|host| (*host, node)).collect();
                cut_for(kernel, Duration::ZERO, outage, answers);
                let shipped = ambushes.millis(5, 300);
                let seals = hosts.iter().map(|host| (node, *host)).collect();
                cut_for(kernel, shipped, outage, seals);
                kernel.count("seals ambushed", 1);
            }
        }
        self.ambushes = Some(ambushes);
    }

    /// Whether nobody else is primary of an object that somebody reads alone.
    pub(super) fn check_leases(&self, kernel: &mut ObjectsKernel) {
        for object in 0..self.objects.len() {
            let Some(id) = self.leased_id(object) else {
                continue;
            };
            let standings: Vec<Standing> = kernel
                .running()
                .filter_map(|node| standing(kernel, node, &id))
                .collect();
            if let Err(detail) = leases_respected::check(&standings) {
                kernel.violate(leases_respected::NAME, detail);
                kernel.concerning(Some(id));
            }
        }
    }

    fn target(&mut self, kernel: &ObjectsKernel) -> Option<Target> {
        let count = self.objects.len();
        let first = self.ambushes.as_mut()?.dice.index(count);
        let mut objects = (0..count).map(|place| (first + place) % count);
        objects.find_map(|object| {
            let nodes = kernel.running();
            let mut primaries = nodes.filter(|node| {
                let replica = self.leased_replica(kernel, *node, object);
                replica.is_some_and(Replica::is_active) && !kernel.paused(*node)
            });
            let primary = primaries.next()?;
            let replica = self.leased_replica(kernel, primary, object)?;
            let members = replica.configuration().processes();
            let nodes = members.filter_map(|process| kernel.node_of(&process.peer));
            let backups: Vec<u32> = nodes.filter(|node| *node != primary).collect();
            (!backups.is_empty()).then_some(Target {
                object,
                primary,
                backups,
            })
        })
    }

    /// A backup that the target's primary shares with another object.
    fn shared_backup(&self, kernel: &ObjectsKernel, target: &Target) -> Option<u32> {
        let others = (0..self.objects.len()).filter(|object| *object != target.object);
        let mut shared = others.filter_map(|object| {
            let replica = self.leased_replica(kernel, target.primary, object)?;
            let set = replica.configuration();
            let member = |node: &&u32| {
                let process = kernel.process(**node);
                process.is_some_and(|process| set.index_of(&process).is_some())
            };
            let backup = target.backups.iter().find(member)?;
            replica.is_active().then_some(*backup)
        });
        shared.next()
    }

    fn other_hosts(&self, node: u32) -> Vec<u32> {
        (0..self.hosts).filter(|host| *host != node).collect()
    }

    /// Both ways between a node and every other host.
    pub(super) fn pairs_with_hosts(&self, node: u32) -> Vec<(u32, u32)> {
        both_ways(node, &self.other_hosts(node))
    }

    pub(super) fn leased_id(&self, object: usize) -> Option<ObjectId> {
        let tracked = &self.objects[object];
        let reference = tracked.reference.as_ref()?;
        (tracked.kind == LEASED).then_some(reference.id)
    }

    fn leased_replica<'a>(
        &self,
        kernel: &'a ObjectsKernel,
        node: u32,
        object: usize,
    ) -> Option<&'a Replica> {
        kernel.machine(node)?.replica(&self.leased_id(object)?)
    }
}

fn standing(kernel: &ObjectsKernel, node: u32, object: &ObjectId) -> Option<Standing> {
    let machine: &Objects = kernel.machine(node)?;
    let replica = machine.replica(object).filter(|one| one.is_primary())?;
    let (ballot, ..) = replica.value()?;
    Some(Standing {
        process: kernel.process(node)?,
        epoch: replica.configuration().epoch,
        ballot,
        active: replica.is_active(),
        leased: machine.holds_lease(kernel.clock(node).shows(kernel.now()), object),
    })
}

fn reset_links(kernel: &mut ObjectsKernel, target: &Target) {
    for backup in &target.backups {
        if let Some(process) = kernel.process(*backup) {
            kernel.close(target.primary, &process);
        }
    }
}

fn both_ways(node: u32, others: &[u32]) -> Vec<(u32, u32)> {
    let pairs = others
        .iter()
        .flat_map(|other| [(node, *other), (*other, node)]);
    pairs.collect()
}

fn cut_for(kernel: &mut ObjectsKernel, from: Duration, outage: Duration, pairs: Vec<(u32, u32)>) {
    kernel.fault(from, Fault::Cut(pairs.clone()));
    kernel.fault(from + outage, Fault::Mend(pairs));
}

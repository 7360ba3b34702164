//! Who holds an object at first: mostly whom the machine chooses, at times members that bring
//! about what random choice hardly does.

use objects_proto::object::ObjectId;
use objects_proto::register::Replica;
use overlay_proto::{Duration, ProcessId};

use super::{ObjectsKernel, Register};
use crate::faults::Fault;
use crate::seed::{Dice, Seed};

/// Share of the runs in which one host has a newer version of all kinds.
const NEWER: f64 = 0.25;
/// Of the objects in such a run, those that it is to be a member of.
const MIXED: f64 = 0.6;
/// Share of the objects that one host alone holds at first.
const ALONE: f64 = 0.1;
/// Of these, those that lose a newcomer while they grow.
const NEWCOMERS: f64 = 0.6;
/// How long such a newcomer is away, milliseconds.
const AWAY: [u64; 2] = [100, 2_000];

/// The host that has a newer version of all kinds, if any has: the last of at least five.
pub(super) fn newer_host(seed: Seed, hosts: u32) -> Option<u32> {
    let drawn = seed.child("versions").dice().chance(NEWER);
    (drawn && hosts >= 5).then(|| hosts - 1)
}

impl Register {
    /// On which node an object is made, and who holds it at first, if that is not left to chance
    /// and the machine.
    pub(super) fn founders(
        &mut self,
        kernel: &mut ObjectsKernel,
        object: usize,
    ) -> (Option<u32>, Option<Vec<ProcessId>>) {
        let mut dice = kernel.seed().child("founders").nth(self.names).dice();
        if let Some((creator, members)) = self.begin_half(kernel, object, &mut dice) {
            return (Some(creator), Some(members));
        }
        let members = self.twin_of(kernel, object);
        let members = members.or_else(|| self.mixed(kernel, &mut dice));
        (
            None,
            members.or_else(|| self.alone(kernel, object, &mut dice)),
        )
    }

    /// One host, to be joined by others.
    fn alone(
        &mut self,
        kernel: &ObjectsKernel,
        object: usize,
        dice: &mut Dice,
    ) -> Option<Vec<ProcessId>> {
        if !dice.chance(ALONE) || self.factor == 1 {
            return None;
        }
        let alone = *dice.pick(&self.hosting(kernel))?;
        self.objects[object].loses_newcomer = dice.chance(NEWCOMERS);
        Some(vec![alone])
    }

    /// Two hosts, and the one that has a newer version.
    fn mixed(&self, kernel: &ObjectsKernel, dice: &mut Dice) -> Option<Vec<ProcessId>> {
        let newer = kernel.process(self.newer?).filter(|_| dice.chance(MIXED))?;
        let mut members = self.hosting(kernel);
        dice.shuffle(&mut members);
        members.truncate(2);
        members.push(newer);
        (members.len() == 3 && self.factor == 3).then_some(members)
    }

    /// The hosts that have the version that clients call.
    pub(super) fn hosting(&self, kernel: &ObjectsKernel) -> Vec<ProcessId> {
        let hosts = kernel.running().filter(|node| *node < self.hosts);
        let hosts = hosts.filter(|node| self.newer != Some(*node) && !kernel.paused(*node));
        hosts.filter_map(|node| kernel.process(node)).collect()
    }

    /// Members for an object with an odd number in a run with ambushes: the primary and a backup
    /// of the object before it, and somebody else between them.
    fn twin_of(&mut self, kernel: &ObjectsKernel, object: usize) -> Option<Vec<ProcessId>> {
        self.ambushes.as_ref().filter(|_| object % 2 == 1)?;
        let reference = self.objects[object - 1].reference.as_ref()?;
        let twins: Vec<ProcessId> = reference.configuration.as_ref()?.processes().collect();
        let others = self.hosting(kernel).into_iter();
        let others: Vec<ProcessId> = others.filter(|one| !twins.contains(one)).collect();
        let other = self.dice.pick(&others).copied();
        let (primary, backup) = (*twins.first()?, *twins.get(1)?);
        if !kernel.runs(&primary) || !kernel.runs(&backup) {
            return None;
        }
        Some(vec![primary, other?, backup])
    }

    /// A newcomer of an object that grows dies, once.
    pub(super) fn lose_newcomers(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        for object in 0..self.objects.len() {
            if !self.objects[object].loses_newcomer {
                continue;
            }
            let id = self.objects[object].reference.as_ref().map(|one| one.id);
            let Some(newcomer) = id.and_then(|id| newcomer_of(kernel, node, &id)) else {
                continue;
            };
            self.objects[object].loses_newcomer = false;
            let machine = self.dice.chance(0.3);
            let node = newcomer;
            kernel.fault(Duration::ZERO, Fault::Crash { node, machine });
            let away = Duration::from_millis(self.dice.between(AWAY[0], AWAY[1]));
            kernel.fault(away, Fault::Start(node));
        }
    }
}

/// A learner of the object whose primary is at this node.
fn newcomer_of(kernel: &ObjectsKernel, node: u32, object: &ObjectId) -> Option<u32> {
    let replica = kernel.machine(node)?.replica(object);
    let learners = replica
        .filter(|one| one.is_active())
        .map(Replica::learners)?;
    kernel.node_of(&learners.first()?.peer)
}

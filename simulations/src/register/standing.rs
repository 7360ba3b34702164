//! What must be true of the replicas at every moment: who writes, and who holds what is answered.

use objects_proto::caller::Completion;
use objects_proto::message::Sighting;
use objects_proto::mode::Mode;
use objects_proto::objects::Objects;
use objects_proto::outcome::Outcome;
use objects_proto::register::Replica;
use overlay_proto::ProcessId;

use super::journal::{STALE, WEAK};
use super::{ObjectsKernel, Register};
use crate::invariants::configurations_chain;
use crate::invariants::durable_before_visible::{self, Copy};
use crate::invariants::one_writer_per_epoch::{self, Writers};

/// Checks that no two processes write under one ballot.
pub(super) fn one_writer(kernel: &ObjectsKernel) -> Result<(), String> {
    let mut writers = Writers::default();
    for node in kernel.running() {
        let Some(process) = kernel.process(node) else {
            continue;
        };
        let replicas = kernel.machine(node).into_iter().flat_map(Objects::replicas);
        for (object, replica) in replicas.filter(|(_, replica)| replica.is_active()) {
            if let Some((ballot, ..)) = replica.value() {
                let place = (replica.configuration().epoch, ballot);
                writers.writes(*object, place, process)?;
            }
        }
    }
    Ok(())
}

impl Register {
    /// Checks that a majority has what a caller of a strong object was just told.
    pub(super) fn check_durable(
        &self,
        kernel: &mut ObjectsKernel,
        object: usize,
        completion: &Completion,
    ) {
        let tracked = &self.objects[object];
        let told = matches!(
            completion.outcome,
            Outcome::Returned(_) | Outcome::Failed(_)
        );
        let id = tracked.reference.as_ref().map(|one| one.id);
        let (Some(witness), Some(id), true) = (completion.witness, id, told) else {
            return;
        };
        if [STALE, WEAK].contains(&tracked.kind) {
            return;
        }
        let replica_at = |process: &ProcessId| {
            let node = kernel.node_of(&process.peer)?;
            kernel.machine(node)?.replica(&id)
        };
        let machines = kernel.running().filter_map(|node| kernel.machine(node));
        let set = machines
            .filter_map(|machine| machine.replica(&id))
            .map(|replica| replica.configuration())
            .find(|set| set.epoch == witness.epoch);
        let Some(set) = set.cloned() else {
            return;
        };
        // It keeps a tombstone, or has forgotten it: then the object is known to have gone on.
        let went_on = tracked.sets.newest().map(|set| set.epoch) > Some(witness.epoch);
        let left = |process: &ProcessId| {
            let machine = kernel
                .node_of(&process.peer)
                .and_then(|node| kernel.machine(node));
            went_on || machine.is_some_and(|one| one.sighting(&id) != Sighting::Unknown)
        };
        let copy = |process: &ProcessId| {
            kernel.runs(process).then(|| match replica_at(process) {
                None if left(process) => Copy::WentOn,
                None => Copy::Nothing,
                Some(replica) if replica.configuration().epoch > witness.epoch => Copy::WentOn,
                Some(replica) if replica.configuration().epoch < witness.epoch => Copy::Nothing,
                Some(replica) => match replica.value() {
                    Some((_, version, value)) if value.mode == Mode::Strong => Copy::Holds(version),
                    _ => Copy::Nothing,
                },
            })
        };
        let durable = durable_before_visible::check(&set, witness.version, copy)
            .map_err(|detail| format!("{id:?}: {detail}"));
        kernel.check(durable_before_visible::NAME, durable);
    }

    /// The sets that there are when an object becomes known.
    pub(super) fn begin_chain(&mut self, kernel: &ObjectsKernel, object: usize) {
        let tracked = &mut self.objects[object];
        let Some(reference) = &tracked.reference else {
            return;
        };
        reference
            .configuration
            .iter()
            .for_each(|set| tracked.chain.begin(set));
        let machines = kernel.running().filter_map(|node| kernel.machine(node));
        let replicas = machines.filter_map(|machine| machine.replica(&reference.id));
        replicas.for_each(|replica| tracked.chain.begin(replica.configuration()));
    }

    /// Checks how the sets at a node follow from others, and who writes in them.
    pub(super) fn check_chain(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        for tracked in self.objects.iter_mut().filter(|one| one.kind != WEAK) {
            let id = tracked.reference.as_ref().map(|one| one.id);
            let replica = id.and_then(|id| kernel.machine(node)?.replica(&id));
            let Some(replica) = replica else {
                continue;
            };
            let set = replica.configuration();
            let mut checked = tracked.chain.holds(set);
            if replica.is_active() && tracked.chain.is_left(set.epoch) {
                let holders = holders(kernel, replica);
                checked = checked.and_then(|()| tracked.chain.held_by(set, holders));
            }
            if let Err(detail) = checked {
                kernel.violate(configurations_chain::NAME, detail);
                kernel.concerning(id);
            }
        }
    }

    /// Checks who writes.
    pub(super) fn check_writers(kernel: &mut ObjectsKernel) {
        let writers = one_writer(kernel);
        kernel.check(one_writer_per_epoch::NAME, writers);
    }
}

/// How many members of a primary's set hold a value of its ballot that is not sealed.
fn holders(kernel: &ObjectsKernel, primary: &Replica) -> usize {
    let ballot = |one: &Replica| one.value().map(|(ballot, ..)| ballot);
    let set = primary.configuration();
    let members = set.processes().filter(|member| kernel.runs(member));
    let nodes = members.filter_map(|member| kernel.node_of(&member.peer));
    let replicas = nodes.filter_map(|node| kernel.machine(node)?.replica(&primary.object()));
    let holds = replicas.filter(|one| {
        let alike = one.configuration() == set && ballot(one) == ballot(primary);
        alike && one.is_installed_member() && !one.is_sealed()
    });
    holds.count()
}

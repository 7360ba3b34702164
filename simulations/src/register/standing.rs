//! What must be true of the replicas at every moment: who writes, and who holds what is answered.

use objects_proto::caller::Completion;
use objects_proto::mode::Mode;
use objects_proto::objects::Objects;
use objects_proto::outcome::Outcome;
use overlay_proto::ProcessId;

use super::journal::{STALE, WEAK};
use super::{ObjectsKernel, Register};
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
        let copy = |process: &ProcessId| {
            kernel.runs(process).then(|| match replica_at(process) {
                None => Copy::WentOn,
                Some(replica) if replica.configuration().epoch != witness.epoch => Copy::WentOn,
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

    /// Checks who writes.
    pub(super) fn check_writers(kernel: &mut ObjectsKernel) {
        let writers = one_writer(kernel);
        kernel.check(one_writer_per_epoch::NAME, writers);
    }
}

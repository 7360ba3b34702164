//! Objects in weak mode: who executes what and reaches whom, what is reported as lost, and what
//! must be true of them in the end.

use objects_proto::execution::Execution;
use objects_proto::machine::Ticket;
use objects_proto::mode::Lost;
use objects_proto::object::{Lineage, ObjectId, Version};
use objects_proto::outcome::Witness;
use objects_proto::register::Replica;
use overlay_proto::codec;

use super::journal::{Operation, WEAK};
use super::state::Journal;
use super::{ObjectsKernel, Register};
use crate::invariants::losses_reported;
use crate::oracle::CallId;
use crate::surroundings::newest_copy;

impl Register {
    /// Looks whom the primaries at a node reach.
    pub(super) fn watch_weak(&mut self, kernel: &ObjectsKernel, node: u32) {
        let (now, Some(process)) = (kernel.now(), kernel.process(node)) else {
            return;
        };
        for tracked in self.objects.iter_mut().filter(|one| one.kind == WEAK) {
            let Some(id) = tracked.reference.as_ref().map(|one| one.id) else {
                continue;
            };
            let replica = kernel.machine(node).and_then(|one| one.replica(&id));
            if let Some(replica) = replica.filter(|one| one.is_primary()) {
                let (reached, others) = reached(kernel, node, replica);
                tracked.losses.reaches(now, process, reached, others);
            } else {
                tracked.losses.is_no_primary(&process);
            }
            if kernel.paused(node) && replica.is_some() {
                tracked.losses.disturb(now);
            }
        }
    }

    pub(super) fn executes_weak(
        &mut self,
        kernel: &ObjectsKernel,
        node: u32,
        execution: &Execution,
    ) {
        let (now, Some(process)) = (kernel.now(), kernel.process(node)) else {
            return;
        };
        let replica = kernel
            .machine(node)
            .and_then(|one| one.replica(&execution.object));
        let (reached, others) = replica.map_or((0, 0), |one| reached(kernel, node, one));
        let tracked = self.tracked(&execution.object);
        let Some(tracked) = tracked.filter(|one| one.kind == WEAK) else {
            return;
        };
        tracked.losses.reaches(now, process, reached, others);
        for call in &execution.calls {
            if let Ok((id, _)) = codec::decode::<(CallId, u64)>(&call.arguments) {
                // A read ships nothing, so that its primary cannot notice that it is alone.
                let alone = reached == 0 && others > 0 && !Operation::is_read(call.method);
                tracked.losses.executes(now, process, id, alone);
            }
        }
    }

    pub(super) fn lost(&mut self, kernel: &mut ObjectsKernel, object: &ObjectId, lost: &Lost) {
        kernel.count("versions discarded", lost.versions());
        if let Some(tracked) = self.tracked(object) {
            let Lost {
                lineage,
                since,
                until,
                ..
            } = lost;
            tracked.losses.reported(*lineage, *since, *until);
        }
    }

    /// A write was acknowledged.
    pub(super) fn acknowledged(&mut self, object: usize, ticket: Ticket, witness: Option<Witness>) {
        let tracked = &mut self.objects[object];
        let call = tracked.history.call(ticket.0);
        let acknowledged = call.is_some_and(|call| call.write && call.acknowledged());
        if let Some(witness) = witness.filter(|_| tracked.kind == WEAK && acknowledged) {
            let lineage = witness.epoch.lineage;
            tracked.losses.answered(ticket.0, lineage, witness.version);
        }
    }

    /// What must be true of weak objects in the end.
    pub(super) fn judge_weak(&mut self, kernel: &mut ObjectsKernel) {
        let lossy = self.lossy;
        for tracked in self.objects.iter().filter(|one| one.kind == WEAK) {
            let Some(id) = tracked.reference.as_ref().map(|one| one.id) else {
                continue;
            };
            let Some(log) = tracked.log.as_ref().filter(|_| !tracked.may_be_lost()) else {
                continue;
            };
            let machines = kernel.running().filter_map(|node| kernel.machine(node));
            let replicas = machines.filter_map(|machine| machine.replica(&id));
            // One that was left out while it was cut off, and that nobody calls, is not told.
            let mut lines: Vec<(Lineage, Version)> = replicas
                .filter(|one| one.is_active())
                .filter_map(|one| Some((one.configuration().epoch.lineage, one.value()?.1)))
                .collect();
            lines.sort_unstable();
            if lines.pop().is_none() {
                kernel.violate("one_line_goes_on", format!("{id:?} has no primary"));
            }
            kernel.count("weak primaries left out", lines.len() as u64);
            match tracked.losses.check(log, lossy, &lines) {
                Err(detail) => kernel.violate(losses_reported::NAME, detail),
                Ok((reported, unreported)) => {
                    kernel.count("weak calls lost and reported", reported);
                    kernel.count("weak calls lost with their primary", unreported);
                }
            }
        }
    }

    /// Only the newest primary's state says what is left of an object whose reads may be stale.
    pub(super) fn newest_log(kernel: &ObjectsKernel, id: &ObjectId) -> Option<Vec<CallId>> {
        let (.., value) = newest_copy(kernel, id)?.value()?;
        Journal::decode(&value.state).map(|journal| journal.log().to_vec())
    }
}

/// How many of the other members a node reaches, and how many there are.
fn reached(kernel: &ObjectsKernel, node: u32, replica: &Replica) -> (usize, usize) {
    let members = replica.configuration().processes();
    let others: Vec<_> = members
        .filter(|process| kernel.process(node) != Some(*process))
        .collect();
    let reached = others.iter().filter(|process| {
        let other = kernel.node_of(&process.peer);
        other.is_some_and(|other| kernel.runs(process) && kernel.reachable(node, other))
    });
    (reached.count(), others.len())
}

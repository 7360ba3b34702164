//! The end of a run: the last reads, and what must be true of every object then.

use objects_proto::caller::HandleId;
use objects_proto::object::{Epoch, ObjectId};
use overlay_proto::{Duration, Instant};

use super::journal::{Operation, STALE, WEAK};
use super::tracked::Tracked;
use super::{Alarm, ObjectsKernel, Purpose, Register, copies, workload};

/// After the heal, calls must be served again from this time on.
const SERVED_AFTER: Duration = Duration::from_secs(20);
/// How long the last reads may take.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(8);

impl Register {
    pub(super) fn audit(&mut self, kernel: &mut ObjectsKernel) {
        for object in 0..self.objects.len() {
            let Some(reference) = self.objects[object].reference.clone() else {
                continue;
            };
            let Some((node, process)) = self.any_running(kernel, kernel.node_count()) else {
                continue;
            };
            let (id, handle) = (self.name(), HandleId(self.name()));
            let ticket = self.ticket(id, process, Purpose::Audit(object));
            let command =
                workload::invoke(ticket, handle, reference, Operation::Read, AUDIT_TIMEOUT);
            kernel.command(node, Duration::ZERO, command);
        }
        kernel.alarm(AUDIT_TIMEOUT + Duration::from_secs(1), Alarm::Judge);
    }

    /// A last read that may be stale proves nothing: its object's newest state is looked up.
    fn look_up_stale(&mut self, kernel: &ObjectsKernel) {
        let may_be_stale = |one: &&mut Tracked| [STALE, WEAK].contains(&one.kind);
        for tracked in self.objects.iter_mut().filter(may_be_stale) {
            let id = tracked.reference.as_ref().map(|one| one.id);
            if let (Some(id), true) = (id, tracked.log.is_some()) {
                let judged = !tracked.may_be_lost();
                tracked.log = judged.then(|| Self::newest_log(kernel, &id)).flatten();
            }
        }
    }

    pub(super) fn judge(&mut self, kernel: &mut ObjectsKernel) {
        self.look_up_stale(kernel);
        self.judge_weak(kernel);
        let open = self
            .tickets
            .iter()
            .find(|(_, (process, _))| kernel.runs(process));
        if let Some((ticket, (process, purpose))) = open {
            let detail = format!("{purpose:?} of {process} with {ticket:?} has no end");
            kernel.violate("every_call_ends", detail);
        }
        let counters = kernel.running().filter_map(|node| kernel.machine(node));
        let counters: Vec<_> = counters.map(|machine| machine.counters()).collect();
        for counted in counters {
            kernel.count("deltas", counted.deltas);
            kernel.count("replays", counted.replays);
            kernel.count("expired", counted.expired);
        }
        kernel.check("equal_copies", copies::equal_copies(kernel));
        Self::cover_counted(kernel);
        for object in &self.objects {
            kernel.count("calls", object.history.len() as u64);
            if let Err(anomaly) = object.check() {
                kernel.violate(anomaly.property, anomaly.detail);
                kernel.concerning(object.reference.as_ref().map(|reference| reference.id));
            }
            Self::search(kernel, object);
            let stuck = object
                .reference
                .as_ref()
                .filter(|one| self.is_held_up(kernel, &one.id));
            if stuck.is_some() && !object.may_be_lost() {
                kernel.count("objects held by another version alone", 1);
                continue;
            }
            match (&object.reference, &object.log, object.may_be_lost()) {
                (None, _, _) => kernel.count("objects never created", 1),
                (Some(_), _, true) => kernel.count("objects whose majority was lost", 1),
                (Some(reference), None, false) => {
                    let detail = format!("{:?} cannot be read after the heal", reference.id);
                    kernel.violate("serves_after_heal", detail);
                }
                (Some(reference), Some(_), false) => {
                    kernel.count("objects judged", 1);
                    kernel.count("operations checked", object.history.len() as u64);
                    if let Some(call) = object.unserved(self.served_from(object)) {
                        let detail = format!("{:?} did not serve {call}", reference.id);
                        kernel.violate("serves_after_heal", detail);
                    }
                }
            }
        }
    }

    /// From when on calls on an object must be served. A weak one may lose some with its primary.
    fn served_from(&self, object: &Tracked) -> Instant {
        if self.serves_always && object.kind != WEAK {
            return Instant::ZERO;
        }
        self.healed_at.unwrap_or_default() + SERVED_AFTER
    }

    /// Whether of the newest set only the host with another version has the object: that one
    /// cannot run it, and nobody else can go on.
    fn is_held_up(&self, kernel: &ObjectsKernel, object: &ObjectId) -> bool {
        let replicas = kernel.running().filter_map(|node| {
            let replica = kernel.machine(node)?.replica(object)?;
            Some((
                replica.configuration().epoch,
                node,
                replica.is_installed_member(),
            ))
        });
        let replicas: Vec<_> = replicas.collect();
        let newest = replicas.iter().map(|(epoch, ..)| *epoch).max();
        let holds = |(epoch, _, holds): &&(Epoch, u32, bool)| *holds && Some(*epoch) == newest;
        let mut holders = replicas.iter().filter(holds).peekable();
        holders.peek().is_some() && holders.all(|(_, node, _)| self.newer == Some(*node))
    }
}

//! The end of a run: the last reads, and what must be true of every object then.

use objects_proto::caller::HandleId;
use overlay_proto::{Duration, Instant};

use super::{Alarm, Command, Peers, PeersKernel, Purpose};
use crate::register::figures::of_calls;
use crate::register::journal::Operation;
use crate::register::workload;
use plot::panel::{Axis, Panel};

/// How long the last reads may take.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(8);
/// From the last reads to the end of the run.
pub(super) const TAKES: Duration = Duration::from_secs(10);
/// After the heal, calls must be served again from this time on.
const SERVED_AFTER: Duration = Duration::from_secs(20);

impl Peers {
    pub(super) fn audit(&mut self, kernel: &mut PeersKernel) {
        for object in 0..self.objects.len() {
            let Some(reference) = self.objects[object].reference.clone() else {
                continue;
            };
            let Some((node, process)) = self.anybody(kernel) else {
                continue;
            };
            let (id, handle) = (self.name(), HandleId(self.name()));
            let ticket = self.ticket(id, process, Purpose::Audit(object));
            let read = Operation::Read;
            let command = workload::invoke(ticket, handle, reference, read, AUDIT_TIMEOUT);
            kernel.command(node, Duration::ZERO, Command::Objects(command));
        }
        kernel.alarm(AUDIT_TIMEOUT + Duration::from_secs(1), Alarm::Judge);
    }

    pub(super) fn judge(&mut self, kernel: &mut PeersKernel) {
        let open = self
            .tickets
            .iter()
            .find(|(_, (process, _))| kernel.runs(process));
        if let Some((ticket, (process, purpose))) = open {
            let detail = format!("{purpose:?} of {process} with {ticket:?} has no end");
            kernel.violate("every_call_ends", detail);
        }
        let healed = self.healed_at.unwrap_or_default();
        for index in 0..self.objects.len() {
            self.judge_object(kernel, index, healed + SERVED_AFTER);
        }
        self.count_repairs(kernel, healed);
        self.balance.judge(kernel);
    }

    fn judge_object(&self, kernel: &mut PeersKernel, index: usize, served_from: Instant) {
        let object = &self.objects[index];
        kernel.count("calls", object.history.len() as u64);
        let Some(reference) = &object.reference else {
            return kernel.count("objects never created", 1);
        };
        if object.may_be_lost() {
            return kernel.count("objects whose majority was lost", 1);
        }
        let checked = object.check();
        let id = reference.id;
        if let Err(anomaly) = checked {
            kernel.violate(anomaly.property, anomaly.detail);
        } else if object.log.is_none() {
            kernel.violate("serves_after_heal", format!("{id:?} cannot be read"));
        } else if let Some(call) = object.unserved(served_from) {
            kernel.violate("serves_after_heal", format!("{id:?} did not serve {call}"));
        }
        kernel.concerning(Some(id));
        kernel.count("objects judged", 1);
        kernel.count("operations checked", object.history.len() as u64);
    }

    /// The panels of calls, takeovers, lookups and repairs.
    #[must_use]
    pub fn panels(&self) -> Vec<Panel> {
        let mut panels = of_calls(&self.objects);
        let repairs: Vec<f64> = self.repairs.millis().collect();
        for (title, axis, times) in [
            (
                "Time of takeovers",
                "from the first doubt to the new primary",
                &self.failovers,
            ),
            (
                "Time of lookups by an object's id",
                "until it was found and read",
                &self.lookups,
            ),
            (
                "Time of repairs",
                "from a member's crash to a set without it",
                &repairs,
            ),
        ] {
            if !times.is_empty() {
                let axis = Axis::new(axis, "ms").log();
                panels.push(Panel::cdf(title, axis, times.clone()));
            }
        }
        panels
    }

    /// How many sets lost their majority, by the formula: to compare with those that did.
    fn count_repairs(&self, kernel: &mut PeersKernel, healed: Instant) {
        let expected = self
            .repairs
            .expected(self.objects.len(), healed.since(Instant::ZERO));
        let mean = self.repairs.mean().as_millis() as u64;
        kernel.count("ms until a crashed member was replaced", mean);
        kernel.count(
            "majorities lost by the formula, thousandths",
            (expected * 1e3) as u64,
        );
    }
}

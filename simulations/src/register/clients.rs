//! What the clients do next: objects to make, handles to open, calls.

use objects_proto::caller::HandleId;
use objects_proto::machine::Command;
use objects_proto::object::Configuration;
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, ProcessId};

use super::workload::{OPEN_MAX, Place};
use super::{Alarm, ObjectsKernel, Purpose, Register, workload};

/// After the heal, clients go on calling for this long.
const WORK_AFTER: Duration = Duration::from_secs(30);

impl Register {
    pub(super) fn create(&mut self, kernel: &mut ObjectsKernel, object: usize) {
        let Some((node, process)) = self.any_running(kernel, self.hosts) else {
            kernel.alarm(Duration::from_secs(1), Alarm::Create(object));
            return;
        };
        let (id, handle) = (self.name(), HandleId(self.name()));
        let ticket = self.ticket(id, process, Purpose::Create(object));
        let command = workload::create(ticket, handle, self.factor);
        kernel.command(node, Duration::ZERO, command);
    }

    /// The client at a place makes a call, if it is its turn.
    pub(super) fn work(&mut self, kernel: &mut ObjectsKernel, place: usize) {
        let stopped = self
            .healed_at
            .is_some_and(|at| kernel.now().since(at) > WORK_AFTER);
        if stopped {
            return;
        }
        let after = self.dice.exponential(self.pace);
        kernel.alarm(after, Alarm::Work(place));
        let object = self.places[place].object;
        let Some(reference) = self.objects[object].reference.clone() else {
            return;
        };
        let Some((process, handle)) = self.handle(kernel, place) else {
            return;
        };
        let Some(node) = kernel.node_of(&process.peer) else {
            return;
        };
        if self.places[place].open >= OPEN_MAX || kernel.paused(node) {
            return;
        }
        let id = self.name();
        let operation = workload::draw(&mut self.dice, id);
        let timeout = Duration::from_millis(self.dice.between(500, 10_000));
        let timeout = if self.healed_at.is_some() {
            Duration::from_secs(8)
        } else {
            timeout
        };
        let target = workload::hint(&mut self.dice, &reference);
        let ticket = self.ticket(id, process, Purpose::Call { place, object });
        let call = workload::begun(id, handle, operation, kernel.now());
        self.objects[object].history.invoke(call);
        self.places[place].open += 1;
        let command = workload::invoke(ticket, handle, target, operation, timeout);
        kernel.command(node, Duration::ZERO, command);
    }

    /// The handle of a place: a new one if its process is gone, and now and then for fun.
    fn handle(
        &mut self,
        kernel: &mut ObjectsKernel,
        place: usize,
    ) -> Option<(ProcessId, HandleId)> {
        if let Some((process, handle)) = self.places[place].handle {
            let fresh = self.places[place].open == 0 && self.dice.chance(0.02);
            if kernel.runs(&process) && !fresh {
                return Some((process, handle));
            }
            if let Some(node) = kernel
                .node_of(&process.peer)
                .filter(|_| kernel.runs(&process))
            {
                kernel.command(node, Duration::ZERO, Command::Release(handle));
            }
        }
        let (_, process) = self.any_running(kernel, kernel.node_count())?;
        let handle = HandleId(self.name());
        let object = self.places[place].object;
        self.places[place] = Place {
            object,
            handle: Some((process, handle)),
            open: 0,
        };
        Some((process, handle))
    }

    pub(super) fn created(
        &mut self,
        kernel: &mut ObjectsKernel,
        object: usize,
        reference: Option<RawRef>,
    ) {
        match reference {
            Some(reference) => {
                kernel.count("objects created", 1);
                if let Some(configuration) = &reference.configuration {
                    let configuration: Configuration = Configuration::clone(configuration);
                    self.objects[object].configured(kernel.now(), configuration);
                    self.objects[object].process_ended(kernel.now(), |one| kernel.runs(one));
                }
                self.objects[object].reference = Some(reference);
            }
            None => kernel.alarm(Duration::from_secs(1), Alarm::Create(object)),
        }
    }
}

//! What the clients do: make objects, call them, and look up what they know by its id alone.

use objects_proto::caller::{Completion, HandleId};
use objects_proto::machine::{Command as ObjectsCommand, Ticket};
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, ProcessId};

use super::{Alarm, Command, FACTOR, Peers, PeersKernel, Purpose};
use crate::oracle::Class;
use crate::register::journal::{Operation, Output};
use crate::register::workload;

/// How long a caller waits, and somebody who looks an object up. Reliability research 6.2: a
/// lookup has found its object within 10 s, or it has failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before another attempt to make an object.
const CREATE_AGAIN: Duration = Duration::from_secs(1);

impl Peers {
    pub(super) fn create(&mut self, kernel: &mut PeersKernel, object: usize) {
        let Some((node, process)) = self.anybody(kernel) else {
            kernel.alarm(CREATE_AGAIN, Alarm::Create(object));
            return;
        };
        let (id, handle) = (self.name(), HandleId(self.name()));
        let ticket = self.ticket(id, process, Purpose::Create(object));
        let tracked = &self.objects[object];
        let kind = (tracked.kind, FACTOR);
        let command = workload::create(ticket, handle, kind, &tracked.initial, None);
        kernel.command(node, Duration::ZERO, Command::Objects(command));
    }

    pub(super) fn created(
        &mut self,
        kernel: &mut PeersKernel,
        ticket: Ticket,
        reference: Option<RawRef>,
    ) {
        let Some((_, Purpose::Create(object))) = self.tickets.remove(&ticket) else {
            return;
        };
        let Some(reference) = reference else {
            kernel.alarm(CREATE_AGAIN, Alarm::Create(object));
            return;
        };
        kernel.count("objects created", 1);
        if let Some(configuration) = &reference.configuration {
            let runs = |one: &ProcessId| kernel.runs(one);
            self.objects[object].sets.established(configuration, runs);
        }
        self.by_id.insert(reference.id, object);
        self.objects[object].reference = Some(reference);
    }

    /// The client at a place makes a call, if it is its turn.
    pub(super) fn work(&mut self, kernel: &mut PeersKernel, place: usize) {
        if self.audits(kernel) {
            return;
        }
        let pace = Duration::from_secs_f64(self.load.pace_seconds);
        let after = self.dice.exponential(pace);
        kernel.alarm(after, Alarm::Work(place));
        let object = self.places[place].object;
        let Some(reference) = self.objects[object].reference.clone() else {
            return;
        };
        let Some((node, process, handle)) = self.handle(kernel, place) else {
            return;
        };
        if self.places[place].open > 0 || kernel.paused(node) {
            return;
        }
        let id = self.name();
        let operation = workload::draw(&mut self.dice, id);
        self.places[place].open += 1;
        let ticket = self.ticket(id, process, Purpose::Call { place, object });
        self.invoke(
            kernel,
            (node, handle),
            (ticket, object),
            operation,
            reference,
        );
    }

    /// Somebody who knows nothing of an object but its id reads it.
    pub(super) fn look_something_up(&mut self, kernel: &mut PeersKernel) {
        if self.audits(kernel) {
            return;
        }
        let pace = Duration::from_secs_f64(1.0 / self.load.lookups_per_second);
        let after = self.dice.exponential(pace);
        kernel.alarm(after, Alarm::Lookup);
        let object = self.dice.index(self.objects.len());
        let Some(reference) = self.objects[object].reference.clone() else {
            return;
        };
        let Some((node, process)) = self.anybody(kernel) else {
            return;
        };
        let (id, handle) = (self.name(), HandleId(self.name()));
        let ticket = self.ticket(id, process, Purpose::Lookup(object));
        let bare = RawRef::bare(reference.id, &reference.kind);
        self.invoke(
            kernel,
            (node, handle),
            (ticket, object),
            Operation::Read,
            bare,
        );
    }

    fn invoke(
        &mut self,
        kernel: &mut PeersKernel,
        (node, handle): (u32, HandleId),
        (ticket, object): (Ticket, usize),
        operation: Operation,
        target: RawRef,
    ) {
        let call = workload::begun(ticket.0, handle, operation, kernel.now());
        self.objects[object].history.invoke(call);
        let command = workload::invoke(ticket, handle, target, operation, TIMEOUT);
        kernel.command(node, Duration::ZERO, Command::Objects(command));
    }

    /// The handle of a place: a new one if its process is gone.
    fn handle(&mut self, kernel: &PeersKernel, place: usize) -> Option<(u32, ProcessId, HandleId)> {
        if let Some((process, handle)) = self.places[place].handle
            && kernel.runs(&process)
        {
            return Some((kernel.node_of(&process.peer)?, process, handle));
        }
        let (node, process) = self.anybody(kernel)?;
        let handle = HandleId(self.name());
        self.places[place].handle = Some((process, handle));
        self.places[place].open = 0;
        Some((node, process, handle))
    }

    /// No call is made any more.
    fn audits(&self, kernel: &PeersKernel) -> bool {
        let until = self.heal_within.saturating_sub(TIMEOUT);
        self.healed_at
            .is_some_and(|healed| kernel.now().since(healed) >= until)
    }

    pub(super) fn completed(
        &mut self,
        kernel: &mut PeersKernel,
        node: u32,
        ticket: Ticket,
        completion: &Completion,
    ) {
        let Some((_, purpose)) = self.tickets.remove(&ticket) else {
            kernel.violate("one_end_per_call", format!("{ticket:?} completed again"));
            return;
        };
        let end = match workload::ended(kernel.now(), completion) {
            Ok(end) => end,
            Err(detail) => return kernel.violate("results_of_the_model", detail),
        };
        let object = match purpose {
            Purpose::Create(_) => {
                return kernel.violate("one_end_per_call", "a creation completed as a call");
            }
            Purpose::Audit(object) => {
                if let Class::Ok(Output::Log(log)) = end.class {
                    self.objects[object].log = Some(log);
                }
                return;
            }
            Purpose::Call { place, object } => {
                kernel.count(workload::counter(&completion.outcome), 1);
                self.places[place].open = 0;
                object
            }
            Purpose::Lookup(object) => {
                let found = matches!(end.class, Class::Ok(_));
                kernel.note(node, || {
                    format!("lookup of {object}: {:?}", completion.outcome)
                });
                self.looked_up(kernel, (node, ticket), object, found);
                object
            }
        };
        if let Err(anomaly) = self.objects[object].history.finish(ticket.0, end) {
            kernel.violate(anomaly.property, anomaly.detail);
        }
    }

    fn looked_up(
        &mut self,
        kernel: &mut PeersKernel,
        (node, ticket): (u32, Ticket),
        object: usize,
        found: bool,
    ) {
        let tracked = &self.objects[object];
        let Some(call) = tracked.history.call(ticket.0) else {
            return;
        };
        let (handle, took) = (HandleId(call.handle), kernel.now().since(call.invoked));
        let release = Command::Objects(ObjectsCommand::Release(handle));
        kernel.command(node, Duration::ZERO, release);
        if found {
            kernel.count("objects found by their id", 1);
            self.lookups.push(took.as_secs_f64() * 1e3);
        } else if tracked.may_be_lost() {
            kernel.count("lookups of objects whose majority was lost", 1);
        } else {
            kernel.count("objects not found within 10 s", 1);
            let id = tracked.reference.as_ref().map(|one| one.id);
            kernel.note(node, || format!("{id:?} was not found: {ticket:?}"));
        }
    }
}

//! What the clients do next: objects to make, handles to open, calls.

use objects_proto::caller::{Completion, HandleId};
use objects_proto::machine::{Command, Ticket};
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, ProcessId};

use super::journal::Output;
use super::workload::{OPEN_MAX, Place};
use super::{Alarm, ObjectsKernel, Purpose, Register, workload};
use crate::oracle::Class;

/// After the heal, clients go on calling for this long.
const WORK_AFTER: Duration = Duration::from_secs(30);

/// How long calls may take that must be served.
const SERVED_WITHIN: Duration = Duration::from_secs(8);

/// How often a client rests, for so long that its session may expire.
const RESTS: f64 = 0.02;
/// Its rest: one that begins before the heal ends before calls must be served again.
const REST: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(18)];
/// How often a client rests for less, where all calls must be served.
const SHORT_RESTS: f64 = 0.2;
/// Such a rest: long enough for a takeover that no call sees.
const SHORT_REST: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(9)];

impl Register {
    pub(super) fn create(&mut self, kernel: &mut ObjectsKernel, object: usize) {
        let Some((mut node, mut process)) = self.any_running(kernel, self.hosts) else {
            kernel.alarm(Duration::from_secs(1), Alarm::Create(object));
            return;
        };
        let (creator, members) = self.founders(kernel, object);
        if let Some((at, one)) = creator.and_then(|at| Some((at, kernel.process(at)?))) {
            (node, process) = (at, one);
        }
        let (id, handle) = (self.name(), HandleId(self.name()));
        let ticket = self.ticket(id, process, Purpose::Create(object));
        let kind = self.objects[object].kind;
        let journal = &self.objects[object].initial;
        let command = workload::create(ticket, handle, (kind, self.factor), journal, members);
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
        let after = self.pause();
        kernel.alarm(after, Alarm::Work(place));
        let object = self.places[place].object;
        if kernel.now() < self.objects[object].quiet_until {
            return;
        }
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
        let timeout = if self.healed_at.is_some() || self.serves_always {
            SERVED_WITHIN
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

    /// How long a client waits before its next call.
    fn pause(&mut self) -> Duration {
        let (share, [low, high]) = if self.serves_always {
            (SHORT_RESTS, SHORT_REST)
        } else {
            (RESTS, REST)
        };
        if self.healed_at.is_none() && self.dice.chance(share) {
            self.dice.duration(low, high)
        } else {
            self.dice.exponential(self.pace)
        }
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
        let neighbour = self.neighbour(kernel, place);
        let process = match neighbour {
            Some(process) => process,
            None => self.any_running(kernel, kernel.node_count())?.1,
        };
        let handle = HandleId(self.name());
        let object = self.places[place].object;
        self.places[place] = Place {
            object,
            handle: Some((process, handle)),
            open: 0,
        };
        Some((process, handle))
    }

    /// Where all calls must be served, the process of another client of the same object, at times:
    /// what two handles of one process do can hold each other up.
    fn neighbour(&mut self, kernel: &ObjectsKernel, place: usize) -> Option<ProcessId> {
        if !self.serves_always || self.dice.chance(0.5) {
            return None;
        }
        let object = self.places[place].object;
        let others = self.places.iter().filter(|other| other.object == object);
        let mut processes = others.filter_map(|other| Some(other.handle?.0));
        processes.find(|process| kernel.runs(process))
    }

    /// The object's clients are on this node from now on.
    pub(super) fn call_from(&mut self, kernel: &ObjectsKernel, object: usize, node: u32) {
        let Some(process) = kernel.process(node) else {
            return;
        };
        for place in 0..self.places.len() {
            let there = self.places[place]
                .handle
                .is_some_and(|(at, _)| at == process);
            if self.places[place].object == object && !there {
                let handle = Some((process, HandleId(self.name())));
                self.places[place] = Place {
                    object,
                    handle,
                    open: 0,
                };
            }
        }
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
                    let runs = |one: &ProcessId| kernel.runs(one);
                    self.objects[object].sets.established(configuration, runs);
                }
                self.objects[object].reference = Some(reference);
                self.begin_chain(kernel, object);
                self.half_made(kernel, object);
            }
            None => kernel.alarm(Duration::from_secs(1), Alarm::Create(object)),
        }
    }

    pub(super) fn completed(
        &mut self,
        kernel: &mut ObjectsKernel,
        ticket: Ticket,
        completion: &Completion,
    ) {
        let Some((_, purpose)) = self.tickets.remove(&ticket) else {
            kernel.violate("one_end_per_call", format!("{ticket:?} completed again"));
            return;
        };
        let now = kernel.now();
        if let Purpose::Nested = purpose {
            return self.nested_ended(kernel, ticket, completion);
        }
        match (purpose, workload::ended(now, completion)) {
            (_, Err(detail)) => kernel.violate("results_of_the_model", detail),
            (Purpose::Call { place, object }, Ok(end)) => {
                kernel.count(workload::counter(&completion.outcome), 1);
                if let Err(anomaly) = self.objects[object].history.finish(ticket.0, end) {
                    kernel.violate(anomaly.property, anomaly.detail);
                    let reference = self.objects[object].reference.as_ref();
                    kernel.concerning(reference.map(|reference| reference.id));
                }
                self.acknowledged(object, ticket, completion.witness);
                self.check_durable(kernel, object, completion);
                let handle = self.objects[object]
                    .history
                    .call(ticket.0)
                    .map(|call| call.handle);
                let place = &mut self.places[place];
                if place.handle.map(|(_, handle)| handle.0) == handle {
                    place.open = place.open.saturating_sub(1);
                }
            }
            (Purpose::Audit(object), Ok(end)) => {
                if let Class::Ok(Output::Log(log)) = end.class {
                    self.objects[object].log = Some(log);
                } else {
                    kernel.note(u32::MAX, || format!("audit of {object}: {completion:?}"));
                }
            }
            (Purpose::Create(_) | Purpose::Nested, Ok(_)) => {
                kernel.violate("one_end_per_call", "a creation completed as a call");
            }
        }
    }
}

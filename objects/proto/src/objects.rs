//! The object layer of one node as one machine: the calls that it makes, the replicas that it
//! holds, the objects that it creates and recovers.

mod describe;
mod tables;
mod timing;

use alloc::collections::VecDeque;

use overlay_proto::view::MembershipView;
use overlay_proto::{Input, Instant, LinkDown, Machine, Output, ProcessId, Sink};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::client::{Client, ClientEffects};
use crate::config::ObjectsConfig;
use crate::creation::{CreationEffects, Creations};
use crate::host::{Counters, Effects, Host, Recoveries, SharedMethods};
use crate::machine::{Command, Creation, Event, Ticket, Timer};
use crate::message::Message;
use crate::object::ObjectId;
use crate::outcome::Cause;
use crate::register::{Mutation, Replica};
use timing::TimersSet;

/// Messages of this process to itself that are handled with one input; more wait for the next
/// tick, so that no input takes for ever.
const LOCAL_MAX: usize = 65_536;

/// The object layer of one node.
///
/// A message to this very process is delivered inside the machine. An idle object has no timer
/// and sends no message; its place is published again every ten minutes.
#[derive(Debug)]
pub struct Objects {
    me: ProcessId,
    config: ObjectsConfig,
    view: MembershipView,
    client: Client,
    host: Host,
    creations: Creations,
    recoveries: Recoveries,
    local: VecDeque<Message>,
    set: TimersSet,
    /// What the parts write to, empty between inputs: their memory is used again.
    spare: Effects,
    spare_client: ClientEffects,
    lookups: u64,
    created: u64,
}

impl Objects {
    /// The machine of the process `me`, without objects. `methods` are the kinds that it hosts;
    /// equal seeds and inputs give equal outputs.
    #[must_use]
    pub fn new(config: ObjectsConfig, me: ProcessId, methods: SharedMethods, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (timings, limits) = (&config.timings, &config.limits);
        let (retry, survey) = (timings.create_retry, timings.survey);
        Self {
            me,
            view: MembershipView::default(),
            client: Client::new(config.client.clone(), me, rng.next_u64()),
            creations: Creations::new(me, rng.next_u64(), retry, limits.creations),
            recoveries: Recoveries::new(
                survey,
                limits.survey_hosts,
                limits.recoveries,
                rng.next_u64(),
            ),
            host: Host::new(config.clone(), me, methods, rng.next_u64()),
            config,
            local: VecDeque::new(),
            set: TimersSet::default(),
            spare: Effects::default(),
            spare_client: ClientEffects::default(),
            lookups: 0,
            created: 0,
        }
    }

    /// Breaks a rule on purpose, so that a test can show that it is caught. Never in production.
    pub fn mutate(&mut self, mutation: Option<Mutation>) {
        self.host.mutate(mutation);
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            lookups: self.lookups,
            created: self.created,
            ..self.host.counters()
        }
    }

    /// The replicas here, in the order of their objects.
    pub fn replicas(&self) -> impl Iterator<Item = (&ObjectId, &Replica)> {
        self.host.replicas()
    }

    /// The replica of one object, if one is here.
    #[must_use]
    pub fn replica(&self, object: &ObjectId) -> Option<&Replica> {
        self.host.replica(object)
    }

    /// Whether this process may answer reads of an object at `now` without asking anybody,
    /// because it holds leases from a majority.
    #[must_use]
    pub fn holds_lease(&self, now: Instant, object: &ObjectId) -> bool {
        self.host.holds_lease(now, object)
    }

    /// The client part.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The stamp for replica sets that name this process from now on, for its member record.
    #[must_use]
    pub const fn next_stamp(&self) -> u64 {
        self.host.next_stamp()
    }

    /// Whether records, indices and tables fit together, and each table keeps its limit.
    ///
    /// # Panics
    /// If they do not: a bug. For tests and simulations.
    pub fn check_invariants(&self) {
        self.host.check_invariants();
        for table in self.tables() {
            assert!(table.holds(), "{table:?}");
        }
    }

    fn command(&mut self, now: Instant, command: Command, fx: &mut Effects) {
        match command {
            Command::View(view) => {
                self.client.on_view(view.clone());
                self.host.on_view(now, &view, fx);
                self.creations.on_view(&view);
                self.view = view;
            }
            Command::Create { ticket, creation } => self.create(now, ticket, creation, fx),
            Command::Invoke { ticket, invocation } => {
                self.ask_client(now, fx, |client, out| {
                    client.invoke(now, ticket, invocation, out);
                });
            }
            Command::Cancel(ticket) => {
                self.ask_client(now, fx, |client, out| client.cancel(now, ticket, out));
                self.ask_creations(now, fx, |creations, _, out| creations.cancel(ticket, out));
                self.recoveries.cancel(ticket);
            }
            Command::Release(handle) => {
                self.ask_client(now, fx, |client, out| client.release(handle, out));
            }
            Command::Executed(executed) => self.host.on_executed(now, executed, fx),
            Command::DirectoryFound { object, records } => {
                self.ask_client(now, fx, |client, out| {
                    client.on_directory(now, object, &records, out);
                });
            }
            Command::DirectoryExhausted(object) => {
                self.ask_client(now, fx, |client, out| {
                    client.on_directory_exhausted(now, object, out);
                });
            }
            Command::Delete {
                ticket,
                target,
                timeout,
            } => self.ask_client(now, fx, |client, out| {
                client.delete(now, ticket, &target, timeout, out);
            }),
            Command::Inspect {
                ticket,
                target,
                timeout,
            } => self.ask_client(now, fx, |client, out| {
                client.inspect(now, ticket, &target, timeout, out);
            }),
            Command::Recover { ticket, target } => {
                self.recoveries.begin(now, &self.view, ticket, target, fx);
            }
            Command::Drain => self.host.drain(now),
            Command::Stopped => self.host.on_stopped(now, fx),
            Command::ClockStopped => self.host.on_clock_stopped(),
        }
    }

    fn create(&mut self, now: Instant, ticket: Ticket, creation: Creation, fx: &mut Effects) {
        if self.host.is_draining() {
            let result = Err(Cause::ShuttingDown);
            fx.emit(Event::Created { ticket, result });
            return;
        }
        self.ask_creations(now, fx, |creations, view, out| {
            creations.create(now, view, ticket, creation, out);
        });
    }

    fn receive(&mut self, now: Instant, from: ProcessId, message: Message, fx: &mut Effects) {
        self.host.heard(now, from, fx);
        if let Message::Register { object, message } = &message
            && self.creations.waits()
        {
            self.ask_creations(now, fx, |creations, view, out| {
                creations.on_register(now, view, from, (*object, message), out);
            });
        }
        match message {
            Message::Reply { id, reply } if Recoveries::owns(id) => {
                self.recoveries.on_reply(now, from, id, reply, fx);
            }
            Message::Reply { id, reply } => self.ask_client(now, fx, |client, out| {
                client.on_reply(now, from, id, reply, out);
            }),
            Message::Here { object, sighting } => {
                self.host.on_here(now, from, (object, &sighting), fx);
                self.ask_client(now, fx, |client, out| {
                    client.on_here(now, from, object, sighting, out);
                });
            }
            Message::Surveyed { id, copy } if !Recoveries::owns(id) => {
                self.host.on_inquired(now, from, id, copy, fx);
            }
            Message::Surveyed { id, copy } => {
                self.recoveries.on_surveyed(now, from, id, copy, fx);
            }
            Message::WaitProbe(probe) => {
                let nested = |object| self.client.open_nested_of(object);
                self.host.on_wait_probe(probe, nested, fx);
            }
            message => self.host.on_message(now, from, message, fx),
        }
    }

    fn link_down(&mut self, now: Instant, process: ProcessId, reason: LinkDown, fx: &mut Effects) {
        self.host.on_link_down(now, process, reason, fx);
        self.ask_client(now, fx, |client, out| {
            client.on_link_down(now, process, reason, out);
        });
        self.ask_creations(now, fx, |creations, view, out| {
            creations.on_link_down(now, view, process, out);
        });
        self.recoveries.on_link_down(now, process, fx);
    }

    fn tick(&mut self, now: Instant, fx: &mut Effects) {
        self.host.tick(now, fx);
        let nested = |object| self.client.open_nested_of(object);
        self.host.probe_waits(now, nested, fx);
        self.ask_client(now, fx, |client, out| client.tick(now, out));
        self.ask_creations(now, fx, |creations, view, out| {
            creations.tick(now, view, out);
        });
        self.recoveries.tick(now, fx);
    }

    fn waits(&self) -> bool {
        self.host.waits()
            || self.client.needs_tick()
            || self.creations.waits()
            || self.recoveries.waits()
            || !self.local.is_empty()
    }

    /// Lets the client part act and takes in what it did.
    fn ask_client(
        &mut self,
        now: Instant,
        fx: &mut Effects,
        act: impl FnOnce(&mut Client, &mut ClientEffects),
    ) {
        let mut out = core::mem::take(&mut self.spare_client);
        act(&mut self.client, &mut out);
        fx.sends.append(&mut out.sends);
        for (ticket, completion) in out.completed.drain(..) {
            fx.emit(Event::Completed { ticket, completion });
        }
        for (ticket, mut result) in out.inspected.drain(..) {
            if let Ok(description) = &mut result {
                self.name_methods(description);
            }
            fx.emit(Event::Inspected { ticket, result });
        }
        for object in out.lookups.drain(..) {
            self.lookups += 1;
            fx.emit(Event::Lookup(object));
        }
        for (source, number, outcome) in out.outbox_done.drain(..) {
            self.host.delivered(now, (source, number), &outcome, fx);
        }
        self.spare_client = out;
    }

    /// Lets the creations act and takes in what they did.
    fn ask_creations(
        &mut self,
        now: Instant,
        fx: &mut Effects,
        act: impl FnOnce(&mut Creations, &MembershipView, &mut CreationEffects),
    ) {
        let mut out = CreationEffects::default();
        act(&mut self.creations, &self.view, &mut out);
        fx.sends.extend(out.sends);
        for (ticket, handle, session, reference) in out.created {
            self.created += 1;
            self.client.adopt_session(now, handle, session, &reference);
            fx.emit(Event::Created {
                ticket,
                result: Ok(reference),
            });
        }
        for (ticket, cause) in out.failed {
            fx.emit(Event::Created {
                ticket,
                result: Err(cause),
            });
        }
    }

    /// Does what follows from an input, own messages included, and passes the rest on.
    fn finish(
        &mut self,
        now: Instant,
        mut fx: Effects,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        for _ in 0..LOCAL_MAX {
            self.host.settle(now, &mut fx);
            for (object, number, call) in self.host.take_deliveries(now) {
                self.ask_client(now, &mut fx, |client, out| {
                    client.deliver_outbox(now, object, number, &call, out);
                });
            }
            self.send(&mut fx, out);
            let Some(message) = self.local.pop_front() else {
                break;
            };
            self.receive(now, self.me, message, &mut fx);
        }
        self.send(&mut fx, out);
        for event in fx.events.drain(..) {
            out.push(Output::Emit(event));
        }
        self.spare = fx;
        self.set_timers(out);
    }

    fn send(&mut self, fx: &mut Effects, out: &mut impl Sink<Message, Timer, Event>) {
        for (to, message) in fx.sends.drain(..) {
            if to == self.me {
                self.local.push_back(message);
            } else {
                out.send(to, message);
            }
        }
    }
}

impl Machine for Objects {
    type Command = Command;
    type Message = Message;
    type Timer = Timer;
    type Event = Event;

    fn handle(
        &mut self,
        now: Instant,
        input: Input<Command, Message, Timer>,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        let mut fx = core::mem::take(&mut self.spare);
        match input {
            Input::Command(command) => self.command(now, command, &mut fx),
            Input::Received { from, message } => self.receive(now, from, message, &mut fx),
            Input::TimerFired(timer) => self.on_timer(now, timer, &mut fx),
            Input::LinkUp(process) => {
                self.client.on_link_up(process);
                self.host.on_link_up(now, process, &mut fx);
            }
            Input::LinkDown { process, reason } => self.link_down(now, process, reason, &mut fx),
        }
        self.finish(now, fx, out);
    }
}

#[cfg(test)]
mod tests;

//! The world: runs machines and their environment in virtual time.

use overlay_proto::{Input, Instant, LinkDown, Machine, Output, ProcessId};

use crate::conditions::Conditions;
use crate::environment::{Ending, Environment, Start, Transmitted};
use crate::faults::{Fault, FaultPlan};
use crate::kernel::{Broadcast, Due, InputOf, Kernel, SimMachine, Violation};
use crate::network::{Delivery, Endpoint, Item};
use crate::seed::Seed;
use crate::trace::{Kind, RunningHash, variant};

type OutputOf<M> = Output<<M as Machine>::Message, <M as Machine>::Timer, <M as Machine>::Event>;

/// A world of nodes that run machines of one type.
pub struct World<M: SimMachine, E: Environment<M>> {
    /// Time, queue, nodes, links and trace.
    pub kernel: Kernel<M, E::Alarm>,
    /// The environment.
    pub environment: E,
    outputs: Vec<OutputOf<M>>,
    until: Instant,
}

impl<M: SimMachine, E: Environment<M>> World<M, E> {
    /// A world of `nodes` nodes, all off, that keeps its last `keep` events in words.
    pub fn new(
        nodes: u32,
        conditions: Conditions,
        seed: Seed,
        keep: usize,
        environment: E,
    ) -> Self {
        let kernel = Kernel::new(nodes, conditions, seed, keep);
        Self {
            kernel,
            environment,
            outputs: Vec::new(),
            until: Instant::ZERO,
        }
    }

    /// Schedules the faults of a plan; their times count from the start of the world.
    pub fn schedule(&mut self, plan: &FaultPlan) {
        for (at, fault) in &plan.faults {
            self.kernel.queue.push(*at, Due::Fault(fault.clone()));
        }
    }

    /// Runs until nothing is due before `end`, or until a violation.
    ///
    /// # Errors
    /// The first violation.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Violation> {
        self.until = end;
        while self.kernel.violation().is_none()
            && self.kernel.queue.next_at().is_some_and(|at| at <= end)
        {
            self.step();
        }
        match self.kernel.violation() {
            Some(violation) => Err(violation.clone()),
            None => {
                self.kernel.advance(end);
                Ok(())
            }
        }
    }

    /// Handles what is due first. Returns false if nothing is.
    pub fn step(&mut self) -> bool {
        let Some((at, due)) = self.kernel.queue.pop() else {
            return false;
        };
        self.kernel.advance(at);
        match due {
            Due::Input(to, input) => {
                if let Some(input) = self.kernel.admit(to, *input) {
                    self.handle(to, input);
                }
            }
            Due::Timer(to, timer) => {
                if let Some(input) = self.kernel.admit(to, Input::TimerFired(timer)) {
                    self.handle(to, input);
                }
            }
            Due::Network(due) => {
                self.kernel.network.due(at, due);
                self.kernel.collect_scheduled();
                let mut deliveries = std::mem::take(&mut self.kernel.network.deliveries);
                for delivery in deliveries.drain(..) {
                    self.deliver(delivery);
                }
                if self.kernel.network.deliveries.is_empty() {
                    self.kernel.network.deliveries = deliveries;
                } else {
                    self.kernel.collect();
                }
            }
            Due::Delivery(delivery) => self.deliver(delivery),
            Due::Broadcast(broadcast) => self.broadcast(broadcast),
            Due::Drain(to) => {
                if let Some(input) = self.kernel.drain(to) {
                    self.handle(to, input);
                }
            }
            Due::Fault(fault) => self.fault(&fault),
            Due::Alarm(alarm) => self.environment.alarm(&mut self.kernel, alarm),
        }
        for process in std::mem::take(&mut self.kernel.left) {
            self.environment
                .ended(&mut self.kernel, process, Ending::Left);
        }
        true
    }

    /// Hands a broadcast to one receiver after the other, as long as nothing else is due before.
    fn broadcast(&mut self, mut broadcast: Box<Broadcast<M::Command>>) {
        while let Some((to, command)) = broadcast.pop() {
            if let Some(input) = self.kernel.admit(to, Input::Command(command)) {
                self.handle(to, input);
            }
            let Some(at) = broadcast.next_at() else {
                return;
            };
            let interrupted = self.kernel.queue.next_at().is_some_and(|next| next < at);
            if interrupted || at > self.until || self.kernel.violation().is_some() {
                break;
            }
            self.kernel.advance(at);
        }
        self.kernel.go_on(broadcast);
    }

    /// Lets a fault happen now.
    pub fn fault(&mut self, fault: &Fault) {
        let mut hash = RunningHash::default();
        hash.bytes(format!("{fault:?}").as_bytes());
        self.kernel
            .record(u32::MAX, Kind::Fault, hash.value(), fault);
        let now = self.kernel.now();
        match fault {
            Fault::Start(node) => self.start(*node),
            Fault::Leave(node) => {
                if self.kernel.process(*node).is_some() {
                    self.kernel.count("leaves", 1);
                    self.environment.leave(&mut self.kernel, *node);
                }
            }
            Fault::Crash { node, machine } => self.crash(*node, *machine),
            Fault::Pause(node) => {
                self.kernel.count("pauses", 1);
                self.kernel.pause(*node);
            }
            Fault::Resume(node) => self.resume(*node),
            Fault::Cut(pairs) => {
                self.kernel.count("cuts", 1);
                for (from, to) in pairs {
                    self.kernel.network.cut(*from, *to);
                }
            }
            Fault::Mend(pairs) => {
                for (from, to) in pairs {
                    self.kernel.network.mend(now, *from, *to);
                }
                self.kernel.collect();
            }
            Fault::Heal => self.heal(),
        }
    }

    fn heal(&mut self) {
        let conditions = self.kernel.network.conditions.healed();
        self.kernel.network.conditions = conditions;
        self.kernel.network.mend_all(self.kernel.now());
        self.kernel.collect();
        for node in 0..self.kernel.node_count() {
            self.resume(node);
            self.start(node);
        }
        self.environment.healed(&mut self.kernel);
    }

    fn resume(&mut self, node: u32) {
        if let Some(slept) = self.kernel.resume(node) {
            self.environment.resumed(&mut self.kernel, node, slept);
        }
    }

    fn start(&mut self, node: u32) {
        if self.kernel.process(node).is_some() {
            return;
        }
        let (process, clock) = self.kernel.next_process(node);
        let seed = self
            .kernel
            .seed()
            .child("machine")
            .nth(process.incarnation.0);
        let start = Start {
            node,
            process,
            clock,
            seed,
        };
        let machine = self.environment.start(&mut self.kernel, start);
        self.kernel.install(node, machine, clock);
        self.environment.started(&mut self.kernel, start);
    }

    fn crash(&mut self, node: u32, machine: bool) {
        let Some(process) = self.kernel.process(node) else {
            return;
        };
        self.kernel.count("crashes", 1);
        self.kernel.forget(node);
        self.kernel.network.crash(self.kernel.now(), node, machine);
        self.kernel.collect();
        self.environment
            .ended(&mut self.kernel, process, Ending::Crashed);
    }

    fn deliver(&mut self, delivery: Delivery<Box<M::Message>>) {
        let Delivery { to, from, item } = delivery;
        let Some(process) = self.kernel.process_at(from) else {
            self.dial_failed(to, from, LinkDown::Refused);
            return;
        };
        let input = match item {
            Item::Up => Input::LinkUp(process),
            Item::Message(message) => Input::Received {
                from: process,
                message: *message,
            },
            Item::Down(reason) => Input::LinkDown { process, reason },
            Item::DialFailed(reason) => {
                self.dial_failed(to, from, reason);
                return;
            }
        };
        if let Some(input) = self.kernel.admit(to, input) {
            self.handle(to, input);
        }
    }

    fn dial_failed(&mut self, to: Endpoint, from: Endpoint, reason: LinkDown) {
        if self.kernel.endpoint(to.node) == Some(to) {
            let peer = self.kernel.peer(from.node);
            self.environment
                .dial_failed(&mut self.kernel, to.node, peer, reason);
        }
    }

    fn handle(&mut self, to: Endpoint, input: InputOf<M>) {
        self.record(to.node, &input);
        let now = self.kernel.now();
        let mut outputs = std::mem::take(&mut self.outputs);
        let local = self.kernel.clock(to.node).shows(now);
        if let Some(machine) = &mut self.kernel.nodes[to.node as usize].machine {
            machine.handle(local, input, &mut outputs);
        }
        for output in outputs.drain(..) {
            self.output(to, output);
        }
        self.outputs = outputs;
        self.environment.handled(&mut self.kernel, to.node);
    }

    fn record(&mut self, node: u32, input: &InputOf<M>) {
        match input {
            Input::Command(command) => {
                let hash = variant(command);
                self.kernel.record(node, Kind::Command, hash, command);
            }
            Input::Received { from, message } => {
                let now = self.kernel.now();
                let payload = from.incarnation.0;
                let words = || format!("from {from}: {message:?}");
                self.kernel
                    .trace
                    .record(now, node, Kind::Received, payload, words);
            }
            Input::TimerFired(timer) => {
                self.kernel.record(node, Kind::Timer, variant(timer), timer);
            }
            Input::LinkUp(process) => {
                let hash = process.incarnation.0;
                self.kernel.record(node, Kind::LinkUp, hash, process);
            }
            Input::LinkDown { process, reason } => {
                let hash = process.incarnation.0 ^ variant(reason);
                self.kernel
                    .record(node, Kind::LinkDown, hash, &(process, reason));
            }
        }
    }

    fn output(&mut self, from: Endpoint, output: OutputOf<M>) {
        match output {
            Output::Send { to, message } => self.send(from, to, message),
            Output::SetTimer { timer, after } => {
                let clock = self.kernel.clock(from.node);
                let lateness = self.kernel.timer_lateness();
                let at = self.kernel.now() + clock.world_time(after) + lateness;
                self.kernel.queue.push(at, Due::Timer(from, timer));
            }
            Output::Emit(event) => {
                self.kernel
                    .record(from.node, Kind::Event, variant(&event), &event);
                self.environment.event(&mut self.kernel, from.node, event);
            }
        }
    }

    fn send(&mut self, from: Endpoint, to: ProcessId, message: M::Message) {
        let Some(target) = self.kernel.endpoint_of(&to) else {
            let reason = LinkDown::Unreachable;
            let input = Input::LinkDown {
                process: to,
                reason,
            };
            let at = self.kernel.now() + self.kernel.conditions().dial_timeout;
            self.kernel
                .queue
                .push(at, Due::Input(from, Box::new(input)));
            return;
        };
        if target == from {
            self.kernel.violate(
                "no_send_to_self",
                format!("{to} sent {message:?} to itself"),
            );
            return;
        }
        match self.environment.transmit(message) {
            Ok(Transmitted {
                message,
                bytes,
                hash,
                protocol,
            }) => {
                let now = self.kernel.now();
                let words = || format!("to {to}: {message:?}");
                self.kernel
                    .trace
                    .record(now, from.node, Kind::Sent, hash, words);
                self.kernel
                    .traffic
                    .sent(from.node, target.node, protocol, bytes as u64);
                if self.kernel.endpoint(from.node) == Some(from) {
                    self.kernel
                        .network
                        .send(now, from, target, Box::new(message));
                    self.kernel.collect();
                }
            }
            Err(detail) => self.kernel.violate("survives_the_wire", detail),
        }
    }
}

#[cfg(test)]
mod tests;

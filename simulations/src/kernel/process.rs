//! Starts, stops and backlogs of the processes, and what a world needs beyond its environment.

use std::fmt::Debug;

use overlay_proto::{Duration, Incarnation, Input, Instant, ProcessId};

use super::{Due, InputOf, Kernel, Node, SimMachine};
use crate::conditions::Clock;
use crate::network::{Endpoint, HostState};
use crate::trace::Kind;

impl<M: SimMachine, A> Kernel<M, A> {
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = now;
        self.progress.at(now);
        if self.samples.due(now) {
            let live = self.running().count() as u32;
            self.samples.take(now, live, &self.traffic);
        }
    }

    pub(crate) fn endpoint(&self, node: u32) -> Option<Endpoint> {
        let slot = &self.slots[node as usize];
        slot.running()?;
        let start = slot.start;
        Some(Endpoint { node, start })
    }

    pub(crate) fn endpoint_of(&self, process: &ProcessId) -> Option<Endpoint> {
        self.by_process.get(process).copied()
    }

    pub(crate) fn process_at(&self, endpoint: Endpoint) -> Option<ProcessId> {
        let node = endpoint.node as usize;
        if let Some(process) = self.slots.get(node)?.newest(endpoint.start) {
            return Some(process);
        }
        let starts = &self.nodes[node].starts;
        starts.get(endpoint.start.checked_sub(1)? as usize).copied()
    }

    /// Names the next process of a node; it runs once [`Self::install`] is called.
    pub(crate) fn next_process(&mut self, node: u32) -> (ProcessId, Clock) {
        let slot = &mut self.nodes[node as usize];
        let start = slot.starts.len() as u64 + 1;
        let seed = self.seed.child("process").nth(u64::from(node)).nth(start);
        let mut dice = seed.dice();
        let incarnation = Incarnation(dice.word());
        let process = ProcessId {
            peer: slot.peer,
            incarnation,
        };
        slot.starts.push(process);
        self.slots[node as usize].follow(process);
        let endpoint = Endpoint {
            node,
            start: start as u32,
        };
        self.by_process.insert(process, endpoint);
        self.network.start(node, endpoint.start);
        (
            process,
            Clock::any(self.network.conditions.drift_ppm, &mut dice),
        )
    }

    pub(crate) fn install(&mut self, node: u32, machine: M, clock: Clock) {
        self.generation += 1;
        self.slots[node as usize].run(clock);
        let node = &mut self.nodes[node as usize];
        node.machine = Some(machine);
        node.paused = None;
        node.backlog.clear();
    }

    /// Drops a node's machine, and with it its timers and its backlog.
    pub(crate) fn forget(&mut self, node: u32) {
        self.generation += 1;
        self.slots[node as usize].end();
        let node = &mut self.nodes[node as usize];
        node.backlog.clear();
        node.paused = None;
        node.machine = None;
    }

    /// Inputs go into the backlog of a node that is paused or has one.
    fn update_waits(&mut self, node: u32) {
        let Node {
            paused, backlog, ..
        } = &self.nodes[node as usize];
        self.slots[node as usize].waits = paused.is_some() || !backlog.is_empty();
    }

    pub(crate) fn pause(&mut self, node: u32) {
        if self.network.host(node) == HostState::Running {
            self.nodes[node as usize].paused = Some(self.now());
            self.update_waits(node);
            self.network.pause(node, true);
        }
    }

    /// Lets a paused process go on with its backlog. How long it was stopped.
    pub(crate) fn resume(&mut self, node: u32) -> Option<Duration> {
        let since = self.nodes[node as usize].paused.take()?;
        self.update_waits(node);
        self.network.pause(node, false);
        if let Some(to) = self.endpoint(node) {
            self.queue.push(self.now(), Due::Drain(to));
        }
        Some(self.now().since(since))
    }

    /// Drops what a node's links had buffered, and resets them: what a driver does that finds
    /// out that its process was stopped.
    pub fn discard_received(&mut self, node: u32) {
        let slot = &mut self.nodes[node as usize];
        slot.backlog
            .retain(|input| !matches!(input, Input::Received { .. }));
        self.update_waits(node);
        let now = self.now();
        self.network.close_all(now, node);
        self.collect();
    }

    /// Gives a command to a resumed process before anything in its backlog.
    pub fn command_first(&mut self, node: u32, command: M::Command) {
        self.nodes[node as usize]
            .backlog
            .push_front(Input::Command(command));
        self.update_waits(node);
    }

    /// The input, if the node handles it now; else it waits in the node's backlog, or is lost
    /// with the process that it was for.
    pub(crate) fn admit(&mut self, to: Endpoint, input: InputOf<M>) -> Option<InputOf<M>> {
        if self.endpoint(to.node) != Some(to) {
            return None;
        }
        if self.slots[to.node as usize].waits {
            self.nodes[to.node as usize].backlog.push_back(input);
            return None;
        }
        Some(input)
    }

    /// The first input of a resumed node's backlog. The caller handles it and drains on.
    pub(crate) fn drain(&mut self, to: Endpoint) -> Option<InputOf<M>> {
        if self.endpoint(to.node) != Some(to) || self.nodes[to.node as usize].paused.is_some() {
            return None;
        }
        let slot = &mut self.nodes[to.node as usize];
        let input = slot.backlog.pop_front()?;
        if slot.backlog.is_empty() {
            self.update_waits(to.node);
        } else {
            let pace = Duration::from_micros(self.dice.between(2, 20));
            self.queue.push(self.now + pace, Due::Drain(to));
        }
        Some(input)
    }

    /// Schedules what the network left over after a call.
    pub(crate) fn collect(&mut self) {
        for delivery in self.network.deliveries.drain(..) {
            self.queue.push(self.now, Due::Delivery(delivery));
        }
        self.collect_scheduled();
    }

    pub(crate) fn collect_scheduled(&mut self) {
        for (at, due) in self.network.scheduled.drain(..) {
            self.queue.push(at, Due::Network(due));
        }
    }

    pub(crate) fn timer_lateness(&mut self) -> Duration {
        let longest = self.network.conditions.timer_lateness;
        self.dice.duration(Duration::ZERO, longest)
    }

    pub(crate) fn record(&mut self, node: u32, kind: Kind, hash: u64, payload: &impl Debug) {
        let words = || format!("{payload:?}");
        self.trace.record(self.now, node, kind, hash, words);
    }
}

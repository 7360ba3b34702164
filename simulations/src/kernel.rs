//! The kernel of a world: virtual time, the event queue, nodes, links and the trace.

mod process;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;

use overlay_proto::{Duration, Input, Instant, Machine, PeerId, ProcessId};

use crate::conditions::{Clock, Conditions};
use crate::faults::Fault;
use crate::network::{Delivery, Endpoint, Network, NetworkDue};
use crate::queue::Queue;
use crate::seed::{Dice, Seed};
use crate::trace::{Kind, Trace};

/// A machine that a world can run: the core itself, or the core with its host's glue.
pub trait SimMachine:
    Machine<Command: Debug, Message: Debug, Timer: Debug, Event: Debug> + Sized
{
}

impl<M> SimMachine for M
where
    M: Machine<Command: Debug, Message: Debug, Timer: Debug>,
    M: Machine<Event: Debug>,
{
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} violated at {at:?}: {detail}")]
pub struct Violation {
    /// The invariant's name: the module that defines it.
    pub invariant: &'static str,
    /// When it was seen.
    pub at: Instant,
    /// What was seen.
    pub detail: String,
}

/// Inputs of a machine.
pub type InputOf<M> =
    Input<<M as Machine>::Command, <M as Machine>::Message, <M as Machine>::Timer>;

/// What waits in the queue.
pub(crate) enum Due<M: Machine, A> {
    Input(Endpoint, InputOf<M>),
    Network(NetworkDue),
    Delivery(Delivery<M::Message>),
    Drain(Endpoint),
    Fault(Fault),
    Alarm(A),
}

/// A process that runs.
pub(crate) struct Running<M> {
    pub(crate) process: ProcessId,
    pub(crate) machine: M,
    pub(crate) clock: Clock,
}

/// A peer's place in the world, through all its starts.
pub(crate) struct Node<M: Machine> {
    peer: PeerId,
    starts: Vec<ProcessId>,
    pub(crate) running: Option<Running<M>>,
    backlog: VecDeque<InputOf<M>>,
    paused: Option<Instant>,
}

/// Everything of a world but its environment, which works on it through these methods.
///
/// Nodes are numbered from 0. `A` is the environment's own alarm.
pub struct Kernel<M: Machine, A> {
    now: Instant,
    pub(crate) queue: Queue<Due<M, A>>,
    pub(crate) network: Network<M::Message>,
    pub(crate) nodes: Vec<Node<M>>,
    by_process: BTreeMap<ProcessId, Endpoint>,
    by_peer: BTreeMap<PeerId, u32>,
    pub(crate) trace: Trace,
    counters: BTreeMap<&'static str, u64>,
    /// Processes that left cleanly, not yet told to the environment.
    pub(crate) left: Vec<ProcessId>,
    violation: Option<Violation>,
    seed: Seed,
    dice: Dice,
}

impl<M: SimMachine, A> Kernel<M, A> {
    /// `nodes` nodes, all off.
    pub(crate) fn new(nodes: u32, conditions: Conditions, seed: Seed, keep: usize) -> Self {
        let peers = (0..nodes).map(|node| {
            let mut dice = seed.child("peer").nth(u64::from(node)).dice();
            let words: Vec<u8> = (0..4).flat_map(|_| dice.word().to_be_bytes()).collect();
            let mut key = [0; 32];
            key.copy_from_slice(&words);
            PeerId(key)
        });
        let nodes: Vec<Node<M>> = peers
            .map(|peer| Node {
                peer,
                starts: Vec::new(),
                running: None,
                backlog: VecDeque::new(),
                paused: None,
            })
            .collect();
        Self {
            now: Instant::ZERO,
            queue: Queue::default(),
            network: Network::new(nodes.len(), conditions, seed.child("network").dice()),
            by_peer: (0..)
                .zip(&nodes)
                .map(|(index, node)| (node.peer, index))
                .collect(),
            nodes,
            by_process: BTreeMap::new(),
            trace: Trace::new(keep),
            counters: BTreeMap::new(),
            left: Vec::new(),
            violation: None,
            seed,
            dice: seed.child("kernel").dice(),
        }
    }

    /// World time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The run's seed.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Draws for the environment.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Number of nodes, running or not.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// The peer of a node.
    #[must_use]
    pub fn peer(&self, node: u32) -> PeerId {
        self.nodes[node as usize].peer
    }

    /// The node of a peer.
    #[must_use]
    pub fn node_of(&self, peer: &PeerId) -> Option<u32> {
        self.by_peer.get(peer).copied()
    }

    /// The process that runs on a node, paused or not.
    #[must_use]
    pub fn process(&self, node: u32) -> Option<ProcessId> {
        self.nodes[node as usize]
            .running
            .as_ref()
            .map(|running| running.process)
    }

    /// All processes that ever ran on a node, oldest first.
    #[must_use]
    pub fn starts(&self, node: u32) -> &[ProcessId] {
        &self.nodes[node as usize].starts
    }

    /// Whether exactly this process runs now, paused or not.
    #[must_use]
    pub fn runs(&self, process: &ProcessId) -> bool {
        self.by_process
            .get(process)
            .is_some_and(|endpoint| self.process(endpoint.node) == Some(*process))
    }

    /// The machine that runs on a node.
    #[must_use]
    pub fn machine(&self, node: u32) -> Option<&M> {
        self.nodes[node as usize]
            .running
            .as_ref()
            .map(|running| &running.machine)
    }

    /// The clock of the process that runs on a node.
    #[must_use]
    pub fn clock(&self, node: u32) -> Clock {
        self.nodes[node as usize]
            .running
            .as_ref()
            .map_or_else(Clock::default, |r| r.clock)
    }

    /// The nodes with a running process, paused or not.
    pub fn running(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.node_count()).filter(|node| self.nodes[*node as usize].running.is_some())
    }

    /// Whether a node's process is stopped.
    #[must_use]
    pub fn paused(&self, node: u32) -> bool {
        self.nodes[node as usize].paused.is_some()
    }

    /// Whether two nodes run and packets pass between them in both directions.
    #[must_use]
    pub fn reachable(&self, from: u32, to: u32) -> bool {
        self.network.reachable(from, to)
    }

    /// Whether packets from one node get to another.
    #[must_use]
    pub fn path_open(&self, from: u32, to: u32) -> bool {
        self.network.path_open(from, to)
    }

    /// The conditions in force.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.network.conditions
    }

    /// One latency draw, for what travels beside the links.
    pub fn draw_latency(&mut self) -> Duration {
        self.network.draw_latency()
    }

    /// Gives a command to the process that runs on a node now, after `after`. If it is gone
    /// by then, so is the command.
    pub fn command(&mut self, node: u32, after: Duration, command: M::Command) {
        if let Some(to) = self.endpoint(node) {
            self.queue
                .push(self.now + after, Due::Input(to, Input::Command(command)));
        }
    }

    /// Wakes the environment.
    pub fn alarm(&mut self, after: Duration, alarm: A) {
        self.queue.push(self.now + after, Due::Alarm(alarm));
    }

    /// Schedules a fault.
    pub fn fault(&mut self, after: Duration, fault: Fault) {
        self.queue.push(self.now + after, Due::Fault(fault));
    }

    /// Dials the process that runs on `peer`'s node from `node`, without anything to send.
    /// Returns false if there is no such node.
    pub fn dial(&mut self, node: u32, peer: &PeerId) -> bool {
        let (Some(from), Some(to)) = (self.endpoint(node), self.node_of(peer)) else {
            return false;
        };
        let to = Endpoint {
            node: to,
            start: self.nodes[to as usize].starts.len() as u32,
        };
        self.network.open(self.now, from, to);
        self.collect();
        true
    }

    /// Closes the link between the process of `node` and `process`, if there is one.
    pub fn close(&mut self, node: u32, process: &ProcessId) {
        if let (Some(from), Some(to)) = (self.endpoint(node), self.by_process.get(process)) {
            self.network.close(self.now, from, *to);
            self.collect();
        }
    }

    /// Ends the process of a node cleanly: what it sent still arrives, then its links close.
    pub fn stop(&mut self, node: u32) {
        let Some(process) = self.process(node) else {
            return;
        };
        self.forget(node);
        self.network.stop(self.now, node);
        self.collect();
        self.left.push(process);
    }

    /// Hands a message to the process of a node outside of any link: a replay of something
    /// old, for tests of what a core does with it.
    pub fn inject(&mut self, node: u32, after: Duration, from: ProcessId, message: M::Message) {
        if let Some(to) = self.endpoint(node) {
            self.queue.push(
                self.now + after,
                Due::Input(to, Input::Received { from, message }),
            );
        }
    }

    /// Adds to a counter of the run's report.
    pub fn count(&mut self, counter: &'static str, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &BTreeMap<&'static str, u64> {
        &self.counters
    }

    /// Reports a violation; the first one ends the run.
    pub fn violate(&mut self, invariant: &'static str, detail: impl Into<String>) {
        if self.violation.is_none() {
            let at = self.now;
            self.violation = Some(Violation {
                invariant,
                at,
                detail: detail.into(),
            });
        }
    }

    /// Reports a violation if there is one.
    pub fn check(&mut self, invariant: &'static str, result: Result<(), String>) {
        if let Err(detail) = result {
            self.violate(invariant, detail);
        }
    }

    /// The first violation.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Puts words of the scenario into the trace.
    pub fn note(&mut self, node: u32, words: impl FnOnce() -> String) {
        self.trace.record(self.now, node, Kind::Note, 0, words);
    }

    /// The running hash of everything that happened.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Number of events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.trace.events()
    }

    /// The last events in words, if the run keeps them.
    pub fn last_events(&self) -> impl Iterator<Item = &str> {
        self.trace.last()
    }
}

//! The kernel of a world: virtual time, the event queue, nodes, links and the trace.

mod named;
mod process;
mod slot;
mod tell;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;

use overlay_proto::{Duration, Input, Instant, Machine, PeerId, ProcessId};

use crate::conditions::{Clock, Conditions};
use crate::faults::Fault;
use crate::network::{Delivery, Endpoint, Network, NetworkDue};
use crate::progress::Progress;
use crate::queue::Queue;
use crate::samples::{Sample, Samples};
use crate::seed::{Dice, Seed};
use crate::trace::{Kind, Trace};
use crate::traffic::{Protocol, Traffic};
use named::ByProcess;
use slot::Slot;
pub(crate) use tell::Broadcast;

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
    /// The object that it is about, as the events name it.
    pub subject: Option<String>,
}

/// Inputs of a machine.
pub type InputOf<M> =
    Input<<M as Machine>::Command, <M as Machine>::Message, <M as Machine>::Timer>;

/// What waits in the queue.
pub(crate) enum Due<M: Machine, A> {
    Input(Endpoint, Box<InputOf<M>>),
    Timer(Endpoint, M::Timer),
    Network(NetworkDue),
    Delivery(Delivery<Box<M::Message>>),
    Broadcast(Box<Broadcast<M::Command>>),
    Drain(Endpoint),
    Fault(Fault),
    Alarm(A),
}

/// A peer's place in the world, through all its starts.
pub(crate) struct Node<M: Machine> {
    peer: PeerId,
    starts: Vec<ProcessId>,
    /// Of the process that runs.
    pub(crate) machine: Option<M>,
    backlog: VecDeque<InputOf<M>>,
    paused: Option<Instant>,
}

/// Everything of a world but its environment, which works on it through these methods.
///
/// Nodes are numbered from 0. `A` is the environment's own alarm.
pub struct Kernel<M: Machine, A> {
    now: Instant,
    pub(crate) queue: Queue<Due<M, A>>,
    pub(crate) network: Network<Box<M::Message>>,
    pub(crate) nodes: Vec<Node<M>>,
    slots: Vec<Slot>,
    by_process: ByProcess,
    by_peer: BTreeMap<PeerId, u32>,
    pub(crate) trace: Trace,
    counters: BTreeMap<&'static str, u64>,
    pub(crate) traffic: Traffic,
    samples: Samples,
    /// Raised with each start and end of a process.
    generation: u64,
    /// Processes that left cleanly, not yet told to the environment.
    pub(crate) left: Vec<ProcessId>,
    violation: Option<Violation>,
    progress: Progress,
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
                machine: None,
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
            by_process: ByProcess::default(),
            trace: Trace::new(keep),
            counters: BTreeMap::new(),
            traffic: Traffic::new(nodes.len()),
            samples: Samples::default(),
            slots: vec![Slot::default(); nodes.len()],
            nodes,
            generation: 0,
            left: Vec::new(),
            violation: None,
            progress: Progress::of_this_thread(),
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
        self.slots[node as usize].running()
    }

    /// All processes that ever ran on a node, oldest first.
    #[must_use]
    pub fn starts(&self, node: u32) -> &[ProcessId] {
        &self.nodes[node as usize].starts
    }

    /// Which start of its node a process is, from 0.
    #[must_use]
    pub fn start_of(&self, process: &ProcessId) -> Option<usize> {
        let start = self.by_process.get(process)?.start;
        Some(start as usize - 1)
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
        self.nodes[node as usize].machine.as_ref()
    }

    /// The clock of the process that runs on a node.
    #[must_use]
    pub fn clock(&self, node: u32) -> Clock {
        self.slots[node as usize].clock
    }

    /// The nodes with a running process, paused or not.
    pub fn running(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.node_count()).filter(|node| self.process(*node).is_some())
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

    /// Adds to a counter of the run's report.
    pub fn count(&mut self, counter: &'static str, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }

    /// The counters, messages and their bytes among them.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        let mut counters = self.counters.clone();
        counters.insert("messages", self.traffic.messages());
        counters.insert("message bytes", self.traffic.bytes());
        for protocol in Protocol::ALL {
            let bytes = self.traffic.of(protocol);
            if bytes > 0 {
                counters.insert(protocol.counter(), bytes);
            }
        }
        counters
    }

    /// What travelled.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The same, to count what travels beside the links.
    pub fn traffic_mut(&mut self) -> &mut Traffic {
        &mut self.traffic
    }

    /// Who lived and what travelled, over time.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        self.samples.taken()
    }

    /// Raised with each start and end of a process.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Reports a violation; the first one ends the run.
    pub fn violate(&mut self, invariant: &'static str, detail: impl Into<String>) {
        if self.violation.is_none() {
            let at = self.now;
            self.violation = Some(Violation {
                invariant,
                at,
                detail: detail.into(),
                subject: None,
            });
        }
    }

    /// Names the object that a violation is about, unless it is named: its last events are
    /// told.
    pub fn concerning(&mut self, subject: Option<impl Debug>) {
        if let (Some(violation), Some(subject)) = (&mut self.violation, subject) {
            violation
                .subject
                .get_or_insert_with(|| format!("{subject:?}"));
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

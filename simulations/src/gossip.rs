//! A model of gossipsub: a random mesh that floods, with late repair of what it missed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use overlay_proto::{Duration, Instant};

use crate::kernel::{Kernel, SimMachine};
use crate::seed::{Dice, Seed};
use crate::traffic::Protocol;

/// Gossipsub's `mesh_n`: links that a node keeps in the mesh.
pub const DEGREE: usize = 6;
/// Gossipsub's `mesh_n_high`: links from which on a node grafts no more.
pub const DEGREE_HIGH: usize = 12;
/// Bytes of gossipsub's own around each copy: sender, sequence, topic, signature.
const MESSAGE_BYTES: u64 = 160;
/// Nodes from which a missed message may be offered: two heartbeats to six nodes each.
const OFFERS: usize = 12;
/// Later than anything happens.
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// One topic's mesh.
#[derive(Debug)]
pub struct Mesh {
    neighbours: Vec<Vec<u32>>,
    /// The kernel's generation for which the mesh was looked after last.
    generation: Option<u64>,
    running: Vec<u32>,
    /// When each node got the message.
    arrivals: Vec<Instant>,
    /// Copies on their way, and the earliest on the way to each node.
    open: BinaryHeap<Reverse<(Instant, u32, u32)>>,
    earliest: Vec<Instant>,
    /// Share of eager forwards that are lost, by full send queues or links that just broke.
    pub loss: f64,
    /// Share of receivers that get a message a second time, long after the first.
    pub duplicates: f64,
    dice: Dice,
}

impl Mesh {
    /// A mesh over this many nodes, without links yet.
    #[must_use]
    pub fn new(nodes: u32, seed: Seed) -> Self {
        let mut dice = seed.child("gossip").dice();
        Self {
            neighbours: vec![Vec::new(); nodes as usize],
            generation: None,
            running: Vec::new(),
            arrivals: vec![NEVER; nodes as usize],
            open: BinaryHeap::new(),
            earliest: vec![NEVER; nodes as usize],
            loss: 0.1 * dice.unit() * dice.unit(),
            duplicates: 0.01 * dice.unit(),
            dice,
        }
    }

    /// Links that a running node has in the mesh, on average.
    #[must_use]
    pub fn degree(&self) -> f64 {
        let links: usize = self.neighbours.iter().map(Vec::len).sum();
        links as f64 / self.running.len().max(1) as f64
    }

    /// Who receives what `from` publishes now, and after how long. A node may be named twice.
    /// The copies of its `bytes` that travel are counted.
    pub fn publish<M: SimMachine, A>(
        &mut self,
        kernel: &mut Kernel<M, A>,
        from: u32,
        bytes: usize,
    ) -> Vec<(u32, Duration)> {
        self.maintain(kernel);
        let mut receivers = self.flood(kernel, from, bytes as u64 + MESSAGE_BYTES);
        self.repair(kernel, from, &mut receivers);
        for index in 0..receivers.len() {
            if self.dice.chance(self.duplicates) {
                let (node, after) = receivers[index];
                let late = Duration::from_millis(self.dice.between(1, 120_000));
                receivers.push((node, after + late));
            }
        }
        receivers
    }

    /// Drops links to nodes that are gone, grafts new ones where too few are left.
    fn maintain<M: SimMachine, A>(&mut self, kernel: &Kernel<M, A>) {
        if self.generation == Some(kernel.generation()) {
            return;
        }
        self.generation = Some(kernel.generation());
        self.running.clear();
        self.running.extend(kernel.running());
        let runs = |node: u32| kernel.process(node).is_some();
        for node in 0..kernel.node_count() {
            let neighbours = &mut self.neighbours[node as usize];
            if runs(node) {
                neighbours.retain(|other| runs(*other));
            } else {
                neighbours.clear();
            }
        }
        let wanted = DEGREE.min(self.running.len().saturating_sub(1));
        for node in &self.running {
            for _ in 0..2 * DEGREE {
                if self.neighbours[*node as usize].len() >= wanted {
                    break;
                }
                let other = self.dice.pick(&self.running).copied().unwrap_or(*node);
                if other != *node
                    && self.neighbours[other as usize].len() < DEGREE_HIGH
                    && !self.neighbours[other as usize].contains(node)
                {
                    self.neighbours[*node as usize].push(other);
                    self.neighbours[other as usize].push(*node);
                }
            }
        }
    }

    /// Earliest arrivals along mesh links (Dijkstra). Stopped nodes receive and do not forward.
    fn flood<M: SimMachine, A>(
        &mut self,
        kernel: &mut Kernel<M, A>,
        from: u32,
        bytes: u64,
    ) -> Vec<(u32, Duration)> {
        self.arrivals.fill(NEVER);
        self.earliest.fill(NEVER);
        let start = kernel.now();
        let mut receivers = Vec::with_capacity(self.running.len());
        self.open.push(Reverse((start, from, from)));
        while let Some(Reverse((at, node, sender))) = self.open.pop() {
            if self.arrivals[node as usize] != NEVER {
                continue;
            }
            self.arrivals[node as usize] = at;
            if node != from {
                receivers.push((node, at.since(start)));
            }
            if kernel.paused(node) {
                continue;
            }
            for other in &self.neighbours[node as usize] {
                let passes = *other != sender && kernel.path_open(node, *other);
                if !passes || self.dice.chance(self.loss) {
                    continue;
                }
                kernel
                    .traffic_mut()
                    .sent(node, *other, Protocol::Gossip, bytes);
                if self.arrivals[*other as usize] != NEVER {
                    continue;
                }
                let arrives = at + kernel.draw_latency();
                let earliest = &mut self.earliest[*other as usize];
                if arrives < *earliest {
                    *earliest = arrives;
                    self.open.push(Reverse((arrives, *other, node)));
                }
            }
        }
        receivers
    }

    /// Most of those that the mesh missed learn of the message from a heartbeat's `IHAVE`.
    fn repair<M: SimMachine, A>(
        &mut self,
        kernel: &Kernel<M, A>,
        from: u32,
        receivers: &mut Vec<(u32, Duration)>,
    ) {
        if receivers.len() + 1 >= self.running.len() {
            return;
        }
        let reached = receivers.len();
        for node in &self.running {
            if *node == from || self.arrivals[*node as usize] != NEVER {
                continue;
            }
            let offered = (0..OFFERS).any(|_| {
                let other = self.dice.index(reached + 1);
                let other = receivers.get(other).map_or(from, |(other, _)| *other);
                self.arrivals[other as usize] != NEVER && kernel.reachable(other, *node)
            });
            if offered && self.dice.chance(0.9) {
                let after = Duration::from_millis(self.dice.between(300, 3_000));
                receivers.push((*node, after));
            }
        }
    }
}

//! A model of gossipsub: a random mesh that floods, with late repair of what it missed.

use std::collections::{BTreeMap, BTreeSet};

use overlay_proto::{Duration, Instant};

use crate::kernel::{Kernel, SimMachine};
use crate::seed::{Dice, Seed};

/// Gossipsub's `mesh_n`: links that a node keeps in the mesh.
pub const DEGREE: usize = 6;
/// Gossipsub's `mesh_n_high`: links from which on a node grafts no more.
pub const DEGREE_HIGH: usize = 12;

/// One topic's mesh.
#[derive(Debug)]
pub struct Mesh {
    neighbours: Vec<BTreeSet<u32>>,
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
            neighbours: vec![BTreeSet::new(); nodes as usize],
            loss: 0.1 * dice.unit() * dice.unit(),
            duplicates: 0.01 * dice.unit(),
            dice,
        }
    }

    /// Who receives what `from` publishes now, and after how long. A node may be named twice.
    pub fn publish<M: SimMachine, A>(
        &mut self,
        kernel: &mut Kernel<M, A>,
        from: u32,
    ) -> Vec<(u32, Duration)> {
        self.maintain(kernel);
        let arrivals = self.flood(kernel, from);
        let start = kernel.now();
        let mut receivers: Vec<(u32, Duration)> = arrivals
            .iter()
            .filter(|(node, _)| **node != from)
            .map(|(node, at)| (*node, at.since(start)))
            .collect();
        self.repair(kernel, from, &arrivals, &mut receivers);
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
        let running: Vec<u32> = kernel.running().collect();
        for node in 0..kernel.node_count() {
            let gone: Vec<u32> = self.neighbours[node as usize]
                .iter()
                .copied()
                .filter(|other| kernel.process(node).is_none() || kernel.process(*other).is_none())
                .collect();
            for other in gone {
                self.neighbours[node as usize].remove(&other);
                self.neighbours[other as usize].remove(&node);
            }
        }
        let wanted = DEGREE.min(running.len().saturating_sub(1));
        for node in &running {
            for _ in 0..2 * DEGREE {
                if self.neighbours[*node as usize].len() >= wanted {
                    break;
                }
                let other = self.dice.pick(&running).copied().unwrap_or(*node);
                if other != *node && self.neighbours[other as usize].len() < DEGREE_HIGH {
                    self.neighbours[*node as usize].insert(other);
                    self.neighbours[other as usize].insert(*node);
                }
            }
        }
    }

    /// Earliest arrivals along mesh links (Dijkstra). Stopped nodes receive and do not forward.
    fn flood<M: SimMachine, A>(
        &mut self,
        kernel: &mut Kernel<M, A>,
        from: u32,
    ) -> BTreeMap<u32, Instant> {
        let mut arrivals = BTreeMap::new();
        let mut open = BTreeSet::from([(kernel.now(), from)]);
        while let Some((at, node)) = open.pop_first() {
            if arrivals.contains_key(&node) {
                continue;
            }
            arrivals.insert(node, at);
            if kernel.paused(node) {
                continue;
            }
            for other in &self.neighbours[node as usize] {
                let passes = kernel.path_open(node, *other) && !self.dice.chance(self.loss);
                if passes && !arrivals.contains_key(other) {
                    open.insert((at + kernel.draw_latency(), *other));
                }
            }
        }
        arrivals
    }

    /// Most of those that the mesh missed learn of the message from a heartbeat's `IHAVE`.
    fn repair<M: SimMachine, A>(
        &mut self,
        kernel: &Kernel<M, A>,
        from: u32,
        arrivals: &BTreeMap<u32, Instant>,
        receivers: &mut Vec<(u32, Duration)>,
    ) {
        for node in kernel.running() {
            let missed = node != from && !arrivals.contains_key(&node);
            let offered = missed && arrivals.keys().any(|other| kernel.reachable(*other, node));
            if offered && self.dice.chance(0.9) {
                receivers.push((node, Duration::from_millis(self.dice.between(300, 3_000))));
            }
        }
    }
}

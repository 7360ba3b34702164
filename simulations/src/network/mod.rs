//! The network: links with latency, loss, cuts and half-open connections.
//!
//! A link is a reliable ordered stream: nothing on it is duplicated or overtaken. Loss is
//! delay, and a link that cannot deliver for the link timeout is reset. A crash of a process
//! resets its links at once, a crash of its machine leaves the other ends half open.

mod dial;
mod failure;
mod link;
mod paths;

use overlay_proto::{Instant, LinkDown};

use crate::conditions::Conditions;
use crate::seed::Dice;
use link::{Carrier, End, Link};
pub use link::{Endpoint, Item};
use paths::Paths;

/// Names a link; a closed link's name is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId {
    index: u32,
    generation: u32,
}

/// What the network wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkDue {
    /// Something arrives at the far end of this side's pipe.
    Arrive(LinkId, u8),
    /// A dial step.
    Dial(LinkId),
    /// Data may have been unacknowledged for too long.
    Stall(LinkId),
    /// Too many retransmissions of one message from this side.
    GiveUp(LinkId, u8),
    /// A half-open end finds out.
    Farewell(LinkId),
}

/// Something to hand to a process.
#[derive(Debug)]
pub struct Delivery<T> {
    /// The receiver.
    pub to: Endpoint,
    /// The process at the other end of the link.
    pub from: Endpoint,
    /// What arrived.
    pub item: Item<T>,
}

/// What a node's machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Its process runs.
    Running,
    /// Its process is stopped, its kernel still answers for open connections.
    Paused,
    /// No process; the machine refuses connections.
    ProcessDown,
    /// The machine is off.
    MachineDown,
}

/// A link as a node's list has it.
#[derive(Clone, Copy, Debug)]
struct Attached {
    /// Which start of the node.
    start: u32,
    other: Endpoint,
    index: u32,
}

/// The network of a world, generic over what its links carry.
#[derive(Debug)]
pub struct Network<T> {
    /// In force for everything sent from now on.
    pub conditions: Conditions,
    hosts: Vec<(u32, HostState)>,
    paths: Paths,
    /// Share of transmissions lost at each node besides that of the network; empty if none is.
    lossy: Vec<f64>,
    links: Vec<Link<T>>,
    free: Vec<u32>,
    /// Each node's links, oldest first: few enough to look through.
    by_node: Vec<Vec<Attached>>,
    dice: Dice,
    /// What to wake the network for; the owner drains it after each call.
    pub scheduled: Vec<(Instant, NetworkDue)>,
    /// What to hand to processes now; the owner drains it after each call.
    pub deliveries: Vec<Delivery<T>>,
}

impl<T> Network<T> {
    /// A network of this many nodes, all off.
    #[must_use]
    pub fn new(nodes: usize, conditions: Conditions, dice: Dice) -> Self {
        Self {
            conditions,
            hosts: vec![(0, HostState::ProcessDown); nodes],
            paths: Paths::default(),
            lossy: Vec::new(),
            links: Vec::new(),
            free: Vec::new(),
            by_node: vec![Vec::new(); nodes],
            dice,
            scheduled: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// So much of what a node sends and is sent is lost, besides what the network loses.
    pub fn lose(&mut self, node: u32, share: f64) {
        self.lossy.resize(self.hosts.len(), 0.0);
        self.lossy[node as usize] = share;
    }

    fn loss_between(&self, from: u32, to: u32) -> f64 {
        let at = |node: u32| self.lossy.get(node as usize).copied().unwrap_or_default();
        1.0 - (1.0 - self.conditions.loss) * (1.0 - at(from)) * (1.0 - at(to))
    }

    /// What a node's machine is doing.
    #[must_use]
    pub fn host(&self, node: u32) -> HostState {
        self.hosts[node as usize].1
    }

    /// A new process starts on a node.
    pub fn start(&mut self, node: u32, start: u32) {
        self.hosts[node as usize] = (start, HostState::Running);
    }

    /// A process is stopped or goes on.
    pub fn pause(&mut self, node: u32, paused: bool) {
        self.hosts[node as usize].1 = if paused {
            HostState::Paused
        } else {
            HostState::Running
        };
    }

    /// Sends on the link between two processes; without one, dials first.
    pub fn send(&mut self, now: Instant, from: Endpoint, to: Endpoint, message: T) {
        let index = self.link_between(from, to);
        let link = &mut self.links[index as usize];
        let side = link.side(from);
        match (link.carrier, link.states[side]) {
            (Carrier::Up, state) => {
                if state == End::Idle {
                    link.states[side] = End::Waiting;
                }
                self.enqueue(now, index, side, Item::Message(message));
            }
            (Carrier::Closing, End::Up | End::Stale) => {}
            (_, End::Stale | End::Up) => self.schedule_farewell(now, index),
            (Carrier::Dialing(_) | Carrier::Closing, End::Idle | End::Waiting) => {
                link.states[side] = End::Waiting;
                link.waiting[side].push(message);
            }
            (Carrier::Lost, End::Idle | End::Waiting) => {
                link.states[side] = End::Waiting;
                link.waiting[side].push(message);
                self.dial(now, index);
            }
        }
    }

    /// Does what was scheduled.
    pub fn due(&mut self, now: Instant, due: NetworkDue) {
        let id = match due {
            NetworkDue::Arrive(id, _)
            | NetworkDue::Dial(id)
            | NetworkDue::Stall(id)
            | NetworkDue::GiveUp(id, _)
            | NetworkDue::Farewell(id) => id,
        };
        if self
            .links
            .get(id.index as usize)
            .is_none_or(|link| link.generation != id.generation)
        {
            return;
        }
        match due {
            NetworkDue::Arrive(_, side) => self.arrive(now, id.index, usize::from(side)),
            NetworkDue::Dial(_) => self.dial_step(now, id.index),
            NetworkDue::Stall(_) => self.check_stall(now, id.index),
            NetworkDue::GiveUp(_, side) => self.reset(now, id.index, usize::from(side)),
            NetworkDue::Farewell(_) => self.farewell(id.index),
        }
    }

    /// Closes the link between two processes from the side of `from`.
    pub fn close(&mut self, now: Instant, from: Endpoint, to: Endpoint) {
        let Some(index) = self.attached(from, to) else {
            return;
        };
        let link = &mut self.links[index as usize];
        let side = link.side(from);
        if link.carrier != Carrier::Up {
            return;
        }
        link.carrier = Carrier::Closing;
        let told = link.states[side] != End::Idle;
        link.states[side] = End::Idle;
        link.pipes[1 - side] = link::Pipe::default();
        if told {
            self.deliver(index, side, Item::Down(LinkDown::Closed));
        }
        self.enqueue(now, index, side, Item::Down(LinkDown::Closed));
    }

    /// Closes every link of a node from its side.
    pub fn close_all(&mut self, now: Instant, node: u32) {
        for index in self.links_of(node) {
            let [left, right] = self.links[index as usize].ends;
            let (own, other) = if left.node == node {
                (left, right)
            } else {
                (right, left)
            };
            self.close(now, own, other);
        }
    }

    /// Puts an item into the pipe that leads away from `side`.
    fn enqueue(&mut self, now: Instant, index: u32, side: usize, item: Item<T>) {
        let link = &self.links[index as usize];
        let id = LinkId {
            index,
            generation: link.generation,
        };
        let [from, to] = [link.ends[side].node, link.ends[1 - side].node];
        let conditions = Conditions {
            loss: self.loss_between(from, to),
            ..self.conditions
        };
        let Some(delay) = conditions.transmission(&mut self.dice) else {
            let at = now + self.conditions.link_timeout;
            self.scheduled
                .push((at, NetworkDue::GiveUp(id, side as u8)));
            return;
        };
        let link = &mut self.links[index as usize];
        let pipe = &mut link.pipes[side];
        let at = (now + delay).max(pipe.last);
        pipe.last = at;
        pipe.queue.push_back((at, item));
        self.scheduled
            .push((at, NetworkDue::Arrive(id, side as u8)));
        if !(self.path_open(from, to) && self.path_open(to, from)) {
            self.mark_stalled(now, index);
        }
    }

    fn mark_stalled(&mut self, now: Instant, index: u32) {
        let link = &mut self.links[index as usize];
        if link.stalled_since.is_none() {
            link.stalled_since = Some(now);
            let id = LinkId {
                index,
                generation: link.generation,
            };
            self.scheduled
                .push((now + self.conditions.link_timeout, NetworkDue::Stall(id)));
        }
    }

    fn arrive(&mut self, now: Instant, index: u32, side: usize) {
        let link = &mut self.links[index as usize];
        let [from, to] = [link.ends[side].node, link.ends[1 - side].node];
        if link.pipes[side].queue.is_empty() {
            return;
        }
        if !self.paths.open(from, to) {
            link.pipes[side].stalled = true;
            link.pipes[side].flush_at = None;
            self.mark_stalled(now, index);
            return;
        }
        let pipe = &mut link.pipes[side];
        if pipe.stalled {
            if pipe.flush_at.is_some_and(|at| at > now) {
                return;
            }
            pipe.stalled = false;
            pipe.flush_at = None;
        }
        while let Some(item) = self.links[index as usize].pipes[side].pop_arrived(now) {
            let link = &mut self.links[index as usize];
            let receiver = 1 - side;
            match item {
                Item::Up => link.states[receiver] = End::Up,
                Item::Message(_) => {}
                Item::Down(_) | Item::DialFailed(_) => {
                    let told = link.states[receiver] != End::Idle;
                    link.states[receiver] = End::Idle;
                    link.drop_connection();
                    if told {
                        self.deliver(index, receiver, item);
                    }
                    self.settle(now, index);
                    return;
                }
            }
            self.deliver(index, receiver, item);
        }
    }

    fn deliver(&mut self, index: u32, receiver: usize, item: Item<T>) {
        let ends = self.links[index as usize].ends;
        self.deliveries.push(Delivery {
            to: ends[receiver],
            from: ends[1 - receiver],
            item,
        });
    }

    /// The link between two processes, if there is one.
    fn attached(&self, from: Endpoint, to: Endpoint) -> Option<u32> {
        self.by_node[from.node as usize]
            .iter()
            .find(|link| link.other == to && link.start == from.start)
            .map(|link| link.index)
    }

    fn links_of(&self, node: u32) -> Vec<u32> {
        let links = self.by_node[node as usize].iter();
        links.map(|link| link.index).collect()
    }

    fn link_between(&mut self, from: Endpoint, to: Endpoint) -> u32 {
        if let Some(index) = self.attached(from, to) {
            return index;
        }
        let ends = if from < to { [from, to] } else { [to, from] };
        let index = match self.free.pop() {
            Some(index) => {
                let generation = self.links[index as usize].generation;
                self.links[index as usize] = Link::new(generation, ends);
                index
            }
            None => {
                self.links.push(Link::new(0, ends));
                (self.links.len() - 1) as u32
            }
        };
        for (own, other) in [(from, to), (to, from)] {
            let start = own.start;
            self.by_node[own.node as usize].push(Attached {
                start,
                other,
                index,
            });
        }
        index
    }

    fn remove(&mut self, index: u32) {
        let link = &mut self.links[index as usize];
        link.generation += 1;
        link.drop_connection();
        link.waiting = [Vec::new(), Vec::new()];
        for end in link.ends {
            self.by_node[end.node as usize].retain(|link| link.index != index);
        }
        self.free.push(index);
    }
}

#[cfg(test)]
mod tests;

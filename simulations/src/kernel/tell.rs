//! How the environment acts on the nodes of its world.

use overlay_proto::{Duration, Input, Instant, PeerId, ProcessId};

use super::{Due, Kernel, SimMachine};
use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::network::Endpoint;

/// One command for many nodes, each at its own time.
pub(crate) struct Broadcast<C> {
    /// The latest first.
    receivers: Vec<(Instant, Endpoint)>,
    make: Box<dyn Fn() -> C>,
}

impl<C> Broadcast<C> {
    /// When the next receiver gets it.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.receivers.last().map(|(at, _)| *at)
    }

    /// The next receiver and its command.
    pub(crate) fn pop(&mut self) -> Option<(Endpoint, C)> {
        let (_, to) = self.receivers.pop()?;
        Some((to, (self.make)()))
    }
}

impl<M: SimMachine, A> Kernel<M, A> {
    /// Gives a command to the process that runs on a node now, after `after`. If it is gone
    /// by then, so is the command.
    pub fn command(&mut self, node: u32, after: Duration, command: M::Command) {
        if let Some(to) = self.endpoint(node) {
            self.queue.push(
                self.now + after,
                Due::Input(to, Box::new(Input::Command(command))),
            );
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
            start: self.slots[to as usize].start,
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

    /// These conditions are in force from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.network.conditions = conditions;
    }

    /// So much of what a node sends and is sent is lost from now on, besides what the network
    /// loses.
    pub fn lose(&mut self, node: u32, share: f64) {
        self.network.lose(node, share);
    }

    /// From now on packets pass only between nodes of the same island.
    pub fn split(&mut self, islands: Vec<u8>) {
        self.network.split(islands);
    }

    /// Takes [`Self::split`] back.
    pub fn unite(&mut self) {
        self.network.unite(self.now);
        self.collect();
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
                Due::Input(to, Box::new(Input::Received { from, message })),
            );
        }
    }

    /// Gives the command that `make` makes to the processes that run on these nodes now, each
    /// after its time.
    pub fn broadcast(
        &mut self,
        receivers: impl Iterator<Item = (u32, Duration)>,
        make: impl Fn() -> M::Command + 'static,
    ) {
        let mut receivers: Vec<(Instant, Endpoint)> = receivers
            .filter_map(|(node, after)| Some((self.now + after, self.endpoint(node)?)))
            .collect();
        receivers.sort_unstable_by(|one, two| two.cmp(one));
        let broadcast = Broadcast {
            receivers,
            make: Box::new(make),
        };
        self.go_on(broadcast);
    }

    /// Schedules the rest of a broadcast.
    pub(crate) fn go_on(&mut self, broadcast: impl Into<Box<Broadcast<M::Command>>>) {
        let broadcast = broadcast.into();
        if let Some(at) = broadcast.next_at() {
            self.queue.push(at, Due::Broadcast(broadcast));
        }
    }
}

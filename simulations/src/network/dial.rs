//! Making a connection, and what is learned when that fails.

use overlay_proto::{Instant, LinkDown};

use super::link::{Carrier, End, Endpoint, Item};
use super::{HostState, LinkId, Network, NetworkDue};
use crate::seed::micros;

impl<T> Network<T> {
    /// Makes a link between two processes without having anything to send yet. A failure is
    /// told as [`Item::DialFailed`]; if there is a link already, nothing happens.
    pub fn open(&mut self, now: Instant, from: Endpoint, to: Endpoint) {
        let index = self.link_between(from, to);
        let link = &mut self.links[index as usize];
        let side = link.side(from);
        match (link.carrier, link.states[side]) {
            (Carrier::Up, _) | (_, End::Stale | End::Up) => {}
            (carrier, End::Idle | End::Waiting) => {
                link.states[side] = End::Waiting;
                link.asked[side] = true;
                if carrier == Carrier::Lost {
                    self.dial(now, index);
                }
            }
        }
    }

    /// Starts to dial for the ends that wait.
    pub(super) fn dial(&mut self, now: Instant, index: u32) {
        let deadline = now + self.conditions.dial_timeout;
        let handshake = self.handshake();
        let link = &mut self.links[index as usize];
        link.carrier = Carrier::Dialing(deadline);
        let id = LinkId {
            index,
            generation: link.generation,
        };
        self.scheduled
            .push(((now + handshake).min(deadline), NetworkDue::Dial(id)));
    }

    /// Two round trips: connection and hello.
    fn handshake(&mut self) -> overlay_proto::Duration {
        (0..4)
            .map(|_| {
                self.conditions
                    .transmission(&mut self.dice)
                    .unwrap_or(self.conditions.dial_timeout)
            })
            .sum()
    }

    /// Looks whether the dial succeeds, fails, or waits on.
    pub(super) fn dial_step(&mut self, now: Instant, index: u32) {
        let link = &self.links[index as usize];
        let Carrier::Dialing(deadline) = link.carrier else {
            return;
        };
        let [left, right] = link.ends;
        let id = LinkId {
            index,
            generation: link.generation,
        };
        let open = self.path_open(left.node, right.node) && self.path_open(right.node, left.node);
        let states = [left, right].map(|end| {
            let (start, state) = self.hosts[end.node as usize];
            (start == end.start, state)
        });
        let off = states
            .iter()
            .any(|(_, state)| *state == HostState::MachineDown);
        let gone = states
            .iter()
            .any(|(same, state)| !same || *state == HostState::ProcessDown);
        if open && !off && gone {
            self.fail(now, index, LinkDown::Refused);
        } else if open
            && states
                .iter()
                .all(|(same, state)| *same && *state == HostState::Running)
        {
            self.connect(now, index);
        } else if now >= deadline {
            self.fail(now, index, LinkDown::Unreachable);
        } else {
            let again = now + self.conditions.retransmit_after;
            self.scheduled
                .push((again.min(deadline), NetworkDue::Dial(id)));
        }
    }

    fn fail(&mut self, now: Instant, index: u32, reason: LinkDown) {
        for end in [0, 1] {
            let link = &mut self.links[index as usize];
            if link.states[end] != End::Waiting {
                continue;
            }
            link.states[end] = End::Idle;
            let asked = std::mem::take(&mut link.asked[end]);
            let sent = !std::mem::take(&mut link.waiting[end]).is_empty();
            if asked {
                self.deliver(index, end, Item::DialFailed(reason));
            }
            if sent {
                self.deliver(index, end, Item::Down(reason));
            }
        }
        self.links[index as usize].carrier = Carrier::Lost;
        self.settle(now, index);
    }

    fn connect(&mut self, now: Instant, index: u32) {
        self.end_predecessors(now, index);
        self.links[index as usize].carrier = Carrier::Up;
        self.links[index as usize].asked = [false; 2];
        for end in [0, 1] {
            let link = &mut self.links[index as usize];
            if link.states[end] == End::Stale {
                link.states[end] = End::Idle;
                self.deliver(index, end, Item::Down(LinkDown::Closed));
            }
        }
        for side in [0, 1] {
            self.enqueue_soon(now, index, side);
            let waiting = std::mem::take(&mut self.links[index as usize].waiting[side]);
            for message in waiting {
                self.enqueue(now, index, side, Item::Message(message));
            }
        }
    }

    /// Tells the end that `side` sends to that the link is up: never given up for loss, since
    /// a lost handshake is dialled again.
    fn enqueue_soon(&mut self, now: Instant, index: u32, side: usize) {
        let delay = self.conditions.latency.draw(&mut self.dice);
        let link = &mut self.links[index as usize];
        let id = LinkId {
            index,
            generation: link.generation,
        };
        let at = now + delay;
        link.pipes[side].last = at;
        link.pipes[side].queue.push_back((at, Item::Up));
        self.scheduled
            .push((at, NetworkDue::Arrive(id, side as u8)));
    }

    /// Links to earlier starts of the two nodes end: another incarnation answered there.
    fn end_predecessors(&mut self, now: Instant, index: u32) {
        let ends = self.links[index as usize].ends;
        for old in self.links_of(ends[0].node) {
            let link = &self.links[old as usize];
            let same_nodes = link
                .ends
                .iter()
                .all(|end| ends.iter().any(|e| e.node == end.node));
            if old == index || !same_nodes {
                continue;
            }
            for end in [0, 1] {
                if self.links[old as usize].states[end] == End::Stale {
                    self.links[old as usize].states[end] = End::Idle;
                    self.deliver(old, end, Item::Down(LinkDown::Refused));
                }
            }
            self.settle(now, old);
        }
    }

    /// A latency draw for what travels beside the links.
    pub fn draw_latency(&mut self) -> overlay_proto::Duration {
        overlay_proto::Duration::from_micros(micros(self.conditions.latency.draw(&mut self.dice)))
    }
}

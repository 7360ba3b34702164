//! How links end: crashes, resets after a cut, and ends that do not know yet.

use overlay_proto::{Instant, LinkDown};

use super::link::{Carrier, End, Item};
use super::{HostState, LinkId, Network, NetworkDue};

impl<T> Network<T> {
    /// The process of a node dies. With its machine, nobody is told.
    pub fn crash(&mut self, now: Instant, node: u32, machine: bool) {
        let down = if machine {
            HostState::MachineDown
        } else {
            HostState::ProcessDown
        };
        self.hosts[node as usize].1 = down;
        for index in self.links_of(node) {
            self.crash_end(now, index, node, machine, LinkDown::Refused);
        }
    }

    /// The process of a node ends cleanly: what it sent arrives, then its links close.
    pub fn stop(&mut self, now: Instant, node: u32) {
        self.hosts[node as usize].1 = HostState::ProcessDown;
        for index in self.links_of(node) {
            self.crash_end(now, index, node, false, LinkDown::Closed);
        }
    }

    fn crash_end(&mut self, now: Instant, at: u32, node: u32, machine: bool, reason: LinkDown) {
        let link = &mut self.links[at as usize];
        let dead = usize::from(link.ends[0].node != node);
        link.states[dead] = End::Idle;
        link.waiting[dead].clear();
        link.asked[dead] = false;
        match link.carrier {
            Carrier::Up if machine => {
                link.drop_connection();
                if link.states[1 - dead] != End::Idle {
                    let waiting = link.states[1 - dead] == End::Waiting;
                    link.states[1 - dead] = End::Stale;
                    if waiting {
                        self.schedule_farewell(now, at);
                    }
                }
            }
            Carrier::Up => {
                link.carrier = Carrier::Closing;
                link.pipes[1 - dead].queue.clear();
                if reason == LinkDown::Refused && self.dice.chance(0.5) {
                    let kept = self.dice.index(link.pipes[dead].queue.len() + 1);
                    link.pipes[dead].queue.truncate(kept);
                }
                self.enqueue(now, at, dead, Item::Down(reason));
            }
            Carrier::Closing => link.pipes[1 - dead].queue.clear(),
            Carrier::Dialing(_) | Carrier::Lost => {}
        }
        self.settle(now, at);
    }

    pub(super) fn check_stall(&mut self, now: Instant, index: u32) {
        let link = &self.links[index as usize];
        let Some(since) = link.stalled_since else {
            return;
        };
        let until = since + self.conditions.link_timeout;
        let id = LinkId {
            index,
            generation: link.generation,
        };
        if until > now {
            self.scheduled.push((until, NetworkDue::Stall(id)));
        } else {
            let side = self.dice.index(2);
            self.reset(now, index, side);
        }
    }

    /// The connection fails at one side; the other notices later.
    pub(super) fn reset(&mut self, now: Instant, index: u32, side: usize) {
        let link = &mut self.links[index as usize];
        if !matches!(link.carrier, Carrier::Up | Carrier::Closing) {
            return;
        }
        link.drop_connection();
        for end in [side, 1 - side] {
            let link = &mut self.links[index as usize];
            match link.states[end] {
                End::Up if end != side => {
                    link.states[end] = End::Stale;
                    self.schedule_farewell(now, index);
                }
                End::Up | End::Waiting if link.waiting[end].is_empty() && !link.asked[end] => {
                    link.states[end] = End::Idle;
                    self.deliver(index, end, Item::Down(LinkDown::Unreachable));
                }
                End::Up | End::Waiting | End::Idle | End::Stale => {}
            }
        }
        self.settle(now, index);
    }

    pub(super) fn schedule_farewell(&mut self, now: Instant, index: u32) {
        let link = &mut self.links[index as usize];
        if link.farewell {
            return;
        }
        link.farewell = true;
        let id = LinkId {
            index,
            generation: link.generation,
        };
        let [left, right] = link.ends.map(|end| end.node);
        let both_on = [left, right]
            .iter()
            .all(|node| self.host(*node) != HostState::MachineDown);
        let after = if both_on && self.path_open(left, right) && self.path_open(right, left) {
            self.conditions.latency.draw(&mut self.dice) * 2
        } else {
            self.conditions.link_timeout
        };
        self.scheduled.push((now + after, NetworkDue::Farewell(id)));
    }

    pub(super) fn farewell(&mut self, index: u32) {
        self.links[index as usize].farewell = false;
        for end in [0, 1] {
            if self.links[index as usize].states[end] == End::Stale {
                let reason = self.evidence(index, end);
                self.links[index as usize].states[end] = End::Idle;
                self.deliver(index, end, Item::Down(reason));
            }
        }
        let link = &self.links[index as usize];
        if link.carrier == Carrier::Lost && link.states == [End::Idle; 2] {
            self.remove(index);
        }
    }

    /// What an end whose connection broke finds when it dials again.
    fn evidence(&self, index: u32, end: usize) -> LinkDown {
        let link = &self.links[index as usize];
        let [own, other] = [link.ends[end], link.ends[1 - end]];
        let (start, state) = self.hosts[other.node as usize];
        let open = self.path_open(own.node, other.node) && self.path_open(other.node, own.node);
        match state {
            _ if !open => LinkDown::Unreachable,
            HostState::MachineDown => LinkDown::Unreachable,
            HostState::ProcessDown => LinkDown::Refused,
            HostState::Running | HostState::Paused if start != other.start => LinkDown::Refused,
            HostState::Paused => LinkDown::Unreachable,
            HostState::Running => LinkDown::Closed,
        }
    }

    /// After a connection went away: dials for who waits, forgets the link if nobody cares.
    pub(super) fn settle(&mut self, now: Instant, index: u32) {
        let link = &self.links[index as usize];
        match link.carrier {
            Carrier::Dialing(_) | Carrier::Lost if link.states == [End::Idle; 2] => {
                self.remove(index);
            }
            Carrier::Lost if link.states.contains(&End::Waiting) => self.dial(now, index),
            Carrier::Dialing(_) | Carrier::Lost | Carrier::Up | Carrier::Closing => {}
        }
    }
}

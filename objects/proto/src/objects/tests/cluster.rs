//! A small cluster in virtual time: nodes with the real machine, links with order per pair,
//! crashes, freezes, cuts, and an executor for one kind whose state is a number.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::member::{HostedKind, MemberRecord, MemberState};
use overlay_proto::view::{Member, MembershipView};
use overlay_proto::{
    Duration, Incarnation, Input, Instant, LinkDown, Machine, Output, PeerId, ProcessId,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::executor::Numbers;
use super::serving::Relay;
use crate::config::{ObjectsConfig, Pace};
use crate::execution::Executed;
use crate::machine::{Command, Event, Ticket, Timer};
use crate::message::Message;
use crate::mode::Mode;
use crate::object::{ObjectId, Slot};
use crate::objects::Objects;
use crate::reads::Reads;
use crate::reference::RawRef;
use crate::register::Mutation;

pub(super) const KIND: &str = "Number";
/// One way over a link takes between this and twice this.
const DELAY: u64 = 300;
/// The view learns of a crash after this time.
const DETECTION: Duration = Duration::from_millis(3_000);
/// The view learns of a node's news after this time.
const NEWS: Duration = Duration::from_millis(200);
/// A dial that is not answered fails after this time.
const DIAL: Duration = Duration::from_millis(2_000);

/// No single input of these stories makes a machine do more.
const OUTPUTS_MAX: usize = 1_000;

type In = Input<Command, Message, Timer>;

pub(super) struct Node {
    pub(super) machine: Objects,
    pub(super) process: ProcessId,
    pub(super) state: State,
    pub(super) leaving: bool,
    pub(super) events: Vec<Event>,
    in_view: bool,
    hosts: bool,
    /// The load that it had announced.
    told: u32,
    missed: Vec<In>,
    frozen_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Frozen,
    Dead,
}

pub(super) enum Happening {
    Input {
        node: usize,
        input: In,
    },
    Deliver {
        from: usize,
        to: usize,
        message: Message,
    },
    Executed {
        node: usize,
        executed: Executed,
    },
    Unseen {
        node: usize,
    },
    /// The view shows what nodes announced.
    Heard,
}

pub(super) struct Cluster {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) references: BTreeMap<ObjectId, RawRef>,
    pub(super) messages: BTreeMap<(usize, usize), u64>,
    pub(super) directory: bool,
    pub(super) mutation: Option<Mutation>,
    /// What the directory was told of each slot, the newest last.
    pub(super) published: BTreeMap<Slot, Vec<Vec<ProcessId>>>,
    pub(super) executor: Numbers,
    pub(super) mode: Mode,
    pub(super) relays: BTreeMap<Ticket, Relay>,
    pace: Pace,
    /// What was sent, if it is recorded.
    pub(super) sent: Option<Vec<Message>>,
    queue: BTreeMap<(Instant, u64), Happening>,
    order: u64,
    links: BTreeMap<(usize, usize), Instant>,
    cuts: BTreeSet<(usize, usize)>,
    /// What a link from or to a node takes besides.
    slowness: BTreeMap<usize, Duration>,
    rng: ChaCha8Rng,
    pub(super) next_ticket: u64,
    view_version: u64,
}

impl Cluster {
    pub(super) fn new(seed: u64, hosts: usize) -> Self {
        Self::reading(Reads::Quorum, seed, hosts)
    }

    pub(super) fn reading(reads: Reads, seed: u64, hosts: usize) -> Self {
        Self::of(reads, Pace::default(), seed, hosts)
    }

    /// Hosts that do so much at a time.
    pub(super) fn paced(pace: Pace, seed: u64, hosts: usize) -> Self {
        Self::of(Reads::Quorum, pace, seed, hosts)
    }

    fn of(reads: Reads, pace: Pace, seed: u64, hosts: usize) -> Self {
        let mut cluster = Self {
            now: Instant::from_micros(1_000_000),
            nodes: Vec::new(),
            references: BTreeMap::new(),
            messages: BTreeMap::new(),
            directory: true,
            mutation: None,
            published: BTreeMap::new(),
            executor: Numbers {
                reads,
                ..Numbers::default()
            },
            mode: Mode::Strong,
            pace,
            relays: BTreeMap::new(),
            sent: None,
            queue: BTreeMap::new(),
            order: 0,
            links: BTreeMap::new(),
            cuts: BTreeSet::new(),
            slowness: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            next_ticket: 0,
            view_version: 0,
        };
        for _ in 0..hosts {
            cluster.add(true);
        }
        cluster
    }

    /// Breaks a rule at every node.
    pub(super) fn mutate(&mut self, mutation: Mutation) {
        self.mutation = Some(mutation);
        for node in &mut self.nodes {
            node.machine.mutate(self.mutation);
        }
    }

    /// A node joins; at once in everybody's view.
    pub(super) fn add(&mut self, hosts: bool) -> usize {
        let index = self.nodes.len();
        let number = u8::try_from(index + 1).unwrap();
        self.start(index, PeerId([number; 32]), 1, hosts);
        index
    }

    /// The peer of a node that is gone starts again, as a new process.
    pub(super) fn restart(&mut self, old: usize) -> usize {
        let index = self.nodes.len();
        let ProcessId { peer, incarnation } = self.nodes[old].process;
        self.nodes[old].in_view = false;
        self.start(index, peer, incarnation.0 + 1, true);
        index
    }

    fn start(&mut self, index: usize, peer: PeerId, incarnation: u64, hosts: bool) {
        let process = ProcessId {
            peer,
            incarnation: Incarnation(incarnation),
        };
        let seed = self.rng.random();
        let methods = Arc::new(self.executor);
        let config = ObjectsConfig {
            pace: self.pace.clone(),
            ..ObjectsConfig::default()
        };
        let mut machine = Objects::new(config, process, methods, seed);
        machine.mutate(self.mutation);
        self.nodes.push(Node {
            machine,
            process,
            state: State::Running,
            leaving: false,
            events: Vec::new(),
            in_view: hosts,
            hosts,
            told: 0,
            missed: Vec::new(),
            frozen_at: self.now,
        });
        debug_assert_eq!(index + 1, self.nodes.len());
        self.announce();
    }

    fn view(&self) -> MembershipView {
        let members = self
            .nodes
            .iter()
            .filter(|node| node.in_view)
            .map(|node| Member {
                record: Arc::new(record(node)),
                state: MemberState::Alive,
            });
        MembershipView::new(self.view_version, members.collect())
    }

    /// Everybody sees the members as they are now.
    pub(super) fn announce(&mut self) {
        self.view_version += 1;
        let view = self.view();
        for node in 0..self.nodes.len() {
            self.command(node, Command::View(view.clone()));
        }
    }

    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].state = State::Dead;
        self.at(self.now + DETECTION, Happening::Unseen { node });
        self.reset_links(node, LinkDown::Refused);
    }

    /// The process stops but its links stay.
    /// The view shows a node that runs, or does not.
    pub(super) fn show(&mut self, node: usize, shown: bool) {
        self.nodes[node].in_view = shown;
        self.announce();
    }

    pub(super) fn freeze(&mut self, node: usize) {
        self.nodes[node].state = State::Frozen;
        self.nodes[node].frozen_at = self.now;
    }

    /// The process goes on: it finds that it was stopped, and its links are reset.
    pub(super) fn thaw(&mut self, node: usize) {
        self.nodes[node].state = State::Running;
        let stopped = self.now.since(self.nodes[node].frozen_at) > Duration::from_secs(1);
        let missed = core::mem::take(&mut self.nodes[node].missed);
        if stopped {
            self.command(node, Command::Stopped);
            self.reset_links(node, LinkDown::Closed);
        }
        for input in missed {
            let stale = matches!(input, Input::Received { .. } | Input::LinkUp(_));
            if !(stopped && stale) {
                self.input(node, input);
            }
        }
    }

    /// The two no longer reach each other; links do not notice.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        self.cuts.insert((a.min(b), a.max(b)));
    }

    pub(super) fn heal(&mut self, a: usize, b: usize) {
        self.cuts.remove(&(a.min(b), a.max(b)));
    }

    /// Messages from and to the node take so much longer from now on.
    pub(super) fn slow(&mut self, node: usize, by: Duration) {
        self.slowness.insert(node, by);
    }

    /// The node says that it leaves, and hands over.
    pub(super) fn drain(&mut self, node: usize) {
        self.nodes[node].leaving = true;
        self.announce();
        self.command(node, Command::Drain);
    }

    /// The node has said goodbye: gone from the view at once.
    pub(super) fn leave(&mut self, node: usize) {
        self.nodes[node].state = State::Dead;
        self.nodes[node].in_view = false;
        self.announce();
        self.reset_links(node, LinkDown::Closed);
    }

    fn reset_links(&mut self, node: usize, reason: LinkDown) {
        let linked: Vec<(usize, usize)> = self.links.keys().copied().collect();
        let mut others = BTreeSet::new();
        for (from, to) in linked {
            if from == node || to == node {
                self.links.remove(&(from, to));
                others.insert(if from == node { to } else { from });
            }
        }
        for other in others {
            let process = self.nodes[node].process;
            let input = Input::LinkDown { process, reason };
            let at = self.now + Duration::from_millis(5);
            self.at(at, Happening::Input { node: other, input });
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.keys().next().is_some_and(|(at, _)| *at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until something holds, half a minute at most.
    pub(super) fn run_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(30);
        while !holds(self) {
            let next = self.queue.keys().next().copied();
            let in_time = next.is_some_and(|(at, _)| at <= end);
            assert!(in_time, "waited in vain until {what}");
            self.step();
        }
    }

    /// Whether nothing is under way and no timer is set.
    pub(super) fn is_idle(&self) -> bool {
        let waits = |happening: &Happening| {
            let input = match happening {
                Happening::Input { input, .. } => input,
                _ => return true,
            };
            !matches!(input, Input::TimerFired(Timer::Publish))
        };
        !self.queue.values().any(waits)
    }

    pub(super) fn at(&mut self, at: Instant, happening: Happening) {
        self.order += 1;
        self.queue.insert((at, self.order), happening);
    }

    fn step(&mut self) {
        let Some(((at, _), happening)) = self.queue.pop_first() else {
            return;
        };
        self.now = self.now.max(at);
        match happening {
            Happening::Input { node, input } => self.input(node, input),
            Happening::Deliver { from, to, message } => self.deliver(from, to, message),
            Happening::Executed { node, executed } => {
                self.input(node, Input::Command(Command::Executed(executed)));
            }
            Happening::Unseen { node } => {
                self.nodes[node].in_view = false;
                self.announce();
            }
            Happening::Heard => self.announce(),
        }
    }

    fn deliver(&mut self, from: usize, to: usize, message: Message) {
        let cut = self.cuts.contains(&(from.min(to), from.max(to)));
        let process = self.nodes[to].process;
        let dead = self.nodes[to].state == State::Dead;
        if dead || cut {
            let (reason, after) = if dead {
                (LinkDown::Refused, Duration::from_millis(5))
            } else {
                (LinkDown::Unreachable, DIAL)
            };
            let input = Input::LinkDown { process, reason };
            self.at(self.now + after, Happening::Input { node: from, input });
            return;
        }
        let from = self.nodes[from].process;
        self.input(to, Input::Received { from, message });
    }

    pub(super) fn input(&mut self, node: usize, input: In) {
        match self.nodes[node].state {
            State::Dead => return,
            State::Frozen => {
                self.nodes[node].missed.push(input);
                return;
            }
            State::Running => {}
        }
        let mut outputs: Vec<Output<Message, Timer, Event>> = Vec::new();
        self.nodes[node]
            .machine
            .handle(self.now, input, &mut outputs);
        self.nodes[node].machine.check_invariants();
        assert!(outputs.len() <= OUTPUTS_MAX, "{} outputs", outputs.len());
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(node, to, message),
                Output::SetTimer { timer, after } => {
                    let input = Input::TimerFired(timer);
                    self.at(self.now + after, Happening::Input { node, input });
                }
                Output::Emit(event) => self.event(node, event),
            }
        }
    }

    fn send(&mut self, from: usize, to: ProcessId, message: Message) {
        let process = to;
        let Some(to) = self.find(process) else {
            let reason = LinkDown::Unreachable;
            let input = Input::LinkDown { process, reason };
            self.at(self.now + DIAL, Happening::Input { node: from, input });
            return;
        };
        assert_ne!(from, to, "a message to itself stays inside the machine");
        if let Some(sent) = &mut self.sent {
            sent.push(message.clone());
        }
        *self.messages.entry((from, to)).or_default() += 1;
        let slowness = [from, to].map(|node| self.slowness.get(&node).copied().unwrap_or_default());
        let delay = Duration::from_micros(self.rng.random_range(DELAY..2 * DELAY))
            + slowness.into_iter().sum::<Duration>();
        let last = self.links.get(&(from, to)).copied().unwrap_or_default();
        let at = (self.now + delay).max(last);
        self.links.insert((from, to), at);
        self.at(at, Happening::Deliver { from, to, message });
    }

    fn event(&mut self, node: usize, event: Event) {
        match &event {
            Event::Execute(execution) => self.execute(node, execution.clone()),
            Event::Publish { slot, holders } => {
                let told = self.published.entry(*slot).or_default();
                told.push(holders.clone());
            }
            Event::Lookup(object) => self.look_up(node, *object),
            Event::Announce(content) => {
                self.nodes[node].told = content.load;
                self.at(self.now + NEWS, Happening::Heard);
            }
            Event::Completed { ticket, completion } => {
                if let Some(relay) = self.relays.remove(ticket) {
                    let outcome = completion.outcome.clone();
                    self.relayed(&relay, outcome);
                }
            }
            _ => {}
        }
        self.nodes[node].events.push(event);
    }
}

fn record(node: &Node) -> MemberRecord {
    let kind = HostedKind {
        name: KIND.to_string(),
        version: 1,
        weak: false,
        methods: vec!["add".to_string(), "get".to_string()],
    };
    MemberRecord {
        process: node.process,
        sequence: 0,
        addresses: Vec::new(),
        kinds: if node.hosts { vec![kind] } else { Vec::new() },
        capacity: 1_000_000,
        load: node.told,
        primaries: 0,
        labels: Vec::new(),
        leaving: node.leaving,
        stamp: node.machine.next_stamp(),
    }
}

pub(super) fn number(value: u64) -> Bytes {
    Bytes::copy_from_slice(&value.to_le_bytes())
}

pub(super) fn read(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

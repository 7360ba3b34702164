//! A world that does what is expected of it, step by step.

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, ProcessId};

use super::world::*;
use crate::execution::{CallChain, Codec};
use crate::message::{Ask, CallRequest, Message, Position, Reply, Request};
use crate::mode::Mode;
use crate::object::{Configuration, MethodId};
use crate::outcome::Outcome;
use crate::reads::Reads;
use crate::register::Note;

/// A world that runs by itself: everything sent arrives in order, unless its way is cut.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) replies: Vec<(u64, Reply)>,
    pub(super) cut: Vec<usize>,
    /// Hosts hear callers and not each other.
    pub(super) apart: bool,
    /// Hosts that run nothing.
    pub(super) held: Vec<usize>,
    pub(super) next_id: u64,
}

pub(super) fn caller() -> ProcessId {
    process(50)
}

impl Story {
    pub(super) fn new(hosts: usize, members: &[usize]) -> Self {
        Self::with_state(hosts, members, Bytes::new())
    }

    pub(super) fn reading(reads: Reads, hosts: usize, members: &[usize]) -> Self {
        Self::of((Mode::Strong, reads), hosts, members, Bytes::new())
    }

    pub(super) fn with_state(hosts: usize, members: &[usize], state: Bytes) -> Self {
        Self::of((Mode::Strong, Reads::Quorum), hosts, members, state)
    }

    pub(super) fn weak(hosts: usize, members: &[usize]) -> Self {
        Self::of((Mode::Weak, Reads::Quorum), hosts, members, Bytes::new())
    }

    fn of((mode, reads): (Mode, Reads), hosts: usize, members: &[usize], state: Bytes) -> Self {
        let mut world = World::new(1, hosts);
        world.reads = reads;
        world.mode = mode;
        world.initial = state;
        world.create(members, caller());
        let mut story = Self {
            world,
            replies: Vec::new(),
            cut: Vec::new(),
            apart: false,
            held: Vec::new(),
            next_id: 0,
        };
        story.flow();
        story
    }

    /// Delivers and executes until nothing is left. What a cut host sends or gets is lost.
    pub(super) fn flow(&mut self) {
        for _ in 0..100_000 {
            if !self.world.bag.is_empty() {
                let envelope = self.world.bag.remove(0);
                let ends = [index_of(envelope.from), index_of(envelope.to)];
                let hosts = self.world.hosts.len();
                let between = ends.iter().all(|end| *end < hosts);
                let one_lost = ends.iter().any(|end| self.cut.contains(end));
                let lost = one_lost || self.apart && between;
                if !lost && let Some((_, id, reply)) = self.world.deliver(envelope) {
                    self.replies.push((id, reply));
                }
                continue;
            }
            let busy = (0..self.world.hosts.len())
                .filter(|index| !self.held.contains(index))
                .find(|index| !self.world.hosts[*index].executions.is_empty());
            match busy {
                Some(index) => self.world.execute(index),
                None => return,
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass in small steps, delivering everything.
    pub(super) fn pass(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(25) {
            self.world.pass(25);
            self.flow();
        }
    }

    pub(super) fn ask(&mut self, to: usize, attempt: u32, ask: Ask) -> u64 {
        self.next_id += 1;
        let request = Request {
            id: self.next_id,
            object: OBJECT,
            kind: MethodId::of(KIND),
            attempt,
            budget: Duration::from_secs(10),
            ask,
        };
        let message = Message::Request(request);
        self.world.bag.push(Envelope {
            from: caller(),
            to: process(to),
            message,
        });
        self.next_id
    }

    pub(super) fn reply(&self, id: u64) -> Option<&Reply> {
        self.replies
            .iter()
            .find(|(held, _)| *held == id)
            .map(|(_, reply)| reply)
    }

    /// Makes a call and gives its reply.
    pub(super) fn call(&mut self, to: usize, method: &str, position: Position, tag: u32) -> Reply {
        let id = self.ask(to, 0, call(method, position, tag));
        self.flow();
        self.reply(id)
            .cloned()
            .unwrap_or_else(|| panic!("no reply to {method}"))
    }

    pub(super) fn append(&mut self, to: usize, number: u64, tag: u32) -> Reply {
        self.call(to, "append", numbered(number), tag)
    }

    /// The list as the host's primary reads it.
    pub(super) fn list(&mut self, to: usize) -> Vec<u32> {
        match self.call(to, "list", Position::Unordered, 0) {
            Reply::Done {
                outcome: Outcome::Returned(bytes),
                ..
            } => tags(&bytes),
            other => panic!("no list but {other:?}"),
        }
    }

    pub(super) fn stand(&mut self, index: usize) {
        self.world
            .at(index, |replica, env, fx| replica.stand(env, fx));
        self.flow();
    }

    pub(super) fn notes(&self, index: usize) -> &[Note] {
        &self.world.hosts[index].notes
    }
}

pub(super) fn numbered(number: u64) -> Position {
    Position::Numbered {
        session: BORN,
        number,
        predecessor: number - 1,
        floor: 1,
    }
}

pub(super) fn call(method: &str, position: Position, tag: u32) -> Ask {
    Ask::Call(CallRequest {
        method: MethodId::of(method),
        write: true,
        codec: Codec::Cbor,
        position,
        chain: CallChain::default(),
        arguments: Bytes::from(tag.to_be_bytes().to_vec()),
    })
}

pub(super) fn tags(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|tag| u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]]))
        .collect()
}

pub(super) fn returned(reply: &Reply) -> u32 {
    match reply {
        Reply::Done {
            outcome: Outcome::Returned(bytes),
            ..
        } => tags(bytes)[0],
        other => panic!("not returned: {other:?}"),
    }
}

/// Adds learners and seals the object into `members`, of which the first goes on.
pub(super) fn move_to(story: &mut Story, primary: usize, members: &[usize]) {
    let next = prepare_next(story, primary, members);
    let proposed = story.world.at(primary, |replica, env, fx| {
        replica.propose(env, next, 0, fx)
    });
    assert_eq!(proposed, Some(Ok(())));
    story.flow();
    story.pass(100);
}

pub(super) fn prepare_next(story: &mut Story, primary: usize, members: &[usize]) -> Configuration {
    for _ in 0..2 {
        for member in members {
            story.world.at(primary, |replica, env, fx| {
                replica.add_learner(env, process(*member), fx);
            });
        }
        story.flow();
    }
    let now = story.world.now;
    let replica = story.world.replica(primary);
    let number = replica.configuration().epoch.number + 1;
    let stamped: Vec<(usize, u64)> = members
        .iter()
        .map(|member| {
            let status = replica.peer_status(process(*member), now);
            (*member, status.and_then(|status| status.stamp).unwrap_or(1))
        })
        .collect();
    configuration(number, &stamped)
}

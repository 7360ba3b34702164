//! One process of the model: what an event does to it, worked out once for each of its states.
//!
//! Millions of states of the cluster consist of a few thousand states of its processes, so the
//! register itself runs only once for each pair of a process's state and an event.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use objects_proto::config::{Limits, Timings};
use objects_proto::lease::Leases;
use objects_proto::message::{Message, RegisterMessage, Reply, Request};
use objects_proto::mode::WeakTimings;
use objects_proto::object::{Replica as Member, Version};
use objects_proto::outcome::Outcome;
use objects_proto::reach::Reach;
use objects_proto::register::{Effects, Env, Expiry, Mutation, Note, Replica, Tombstone};
use overlay_proto::{Duration, Incarnation, Instant, PeerId, ProcessId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::kind::{Kinds, run};
use crate::requests::{self, OBJECT};

/// Members of the first replica set; one more process may join.
pub(crate) const MEMBERS: usize = 3;
/// All processes that can hold the object.
pub(crate) const HOSTS: usize = MEMBERS + 1;
/// The caller, who has the session that is born with the object.
pub(crate) const CALLER: usize = HOSTS;

/// One process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    pub(crate) replica: Option<Replica>,
    tombstone: Option<Tombstone>,
    pub(crate) dead: bool,
}

impl Host {
    /// Whether it holds a replica, or remembers one.
    pub(crate) const fn knows_object(&self) -> bool {
        self.replica.is_some() || self.tombstone.is_some()
    }

    /// A process that has died; with `amnesia`, one that goes on and has forgotten everything.
    pub(crate) fn crashed(amnesia: bool) -> Self {
        Self {
            dead: !amnesia,
            ..Self::default()
        }
    }
}

/// A message that was sent, and from whom to whom.
#[derive(Clone, Debug, PartialEq)]
struct Envelope {
    from: usize,
    to: usize,
    is_answer: bool,
    message: RegisterMessage,
}

/// Something that happens to one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The message with this number arrives, perhaps again.
    Deliver(usize),
    /// The caller's write of this number arrives, perhaps again.
    Write(u8),
    /// The caller's read arrives, perhaps again.
    Read,
    /// It stands for primary.
    Stand,
    /// It ships the object to the newcomer.
    AddLearner,
    /// It seals the object into the next set.
    Propose,
}

/// What callers and the world learn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// The process takes the list at a version for chosen.
    Chosen(Version, Bytes),
    /// A write was answered with its version and the list after it.
    Wrote(u8, Version, Bytes),
    /// The read was answered with the list.
    Read(Bytes),
}

/// What an event does to one process.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) host: Arc<Host>,
    pub(crate) print: u64,
    /// Numbers of the messages sent.
    pub(crate) sent: Vec<usize>,
    pub(crate) told: Vec<Told>,
}

/// A state of a process, as its index and print, and an event.
type Happening = (usize, u64, Event);

/// The steps that were worked out, and the messages by number.
pub(crate) struct Steps {
    mutation: Option<Mutation>,
    known: Mutex<HashMap<Happening, Option<Arc<Step>>>>,
    messages: RwLock<Vec<Arc<Envelope>>>,
}

impl Steps {
    pub(crate) fn new(mutation: Option<Mutation>) -> Self {
        Self {
            mutation,
            known: Mutex::default(),
            messages: RwLock::default(),
        }
    }

    /// What `event` does to this process; `None` if that is nothing.
    pub(crate) fn step(
        &self,
        index: usize,
        (host, print): (&Host, u64),
        event: Event,
    ) -> Option<Arc<Step>> {
        let key = (index, print, event);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = known().get(&key) {
            return step.clone();
        }
        let step = self.work_out(index, host, event);
        let nothing = step.print == print && step.sent.is_empty() && step.told.is_empty();
        let step = (!nothing).then(|| Arc::new(step));
        known().insert(key, step.clone());
        step
    }

    /// The number of a message.
    pub(crate) fn number(&self, from: usize, to: usize, message: RegisterMessage) -> usize {
        let envelope = Envelope {
            from,
            to,
            is_answer: is_answer(&message),
            message,
        };
        let mut messages = self
            .messages
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let known = messages.iter().position(|known| **known == envelope);
        known.unwrap_or_else(|| {
            messages.push(Arc::new(envelope));
            messages.len() - 1
        })
    }

    /// The message with this number.
    fn message(&self, number: usize) -> Option<Arc<Envelope>> {
        let messages = self.messages.read().unwrap_or_else(PoisonError::into_inner);
        messages.get(number).cloned()
    }

    /// Whom the message with this number was sent to, and whether it is an answer.
    pub(crate) fn receiver(&self, number: usize) -> Option<(usize, bool)> {
        let envelope = self.message(number)?;
        Some((envelope.to, envelope.is_answer))
    }

    fn work_out(&self, index: usize, host: &Host, event: Event) -> Step {
        let mut host = host.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut leases = Leases::new(&Timings::default(), &Limits::default());
        let reach = Reach::default();
        let mut env = Env {
            now: Instant::from_micros(1_000_000),
            me: process(index),
            stamp: 2,
            floor: 0,
            methods: &Kinds,
            expiry: Expiry {
                session_idle: Duration::from_secs(600),
                nested_kept: Duration::from_secs(600),
            },
            rng: &mut rng,
            leases: &mut leases,
            reach: &reach,
            weak: &WeakTimings::default(),
            mutation: self.mutation,
        };
        let mut fx = Effects::default();
        self.happen(&mut host, &mut env, event, &mut fx);
        let mut told = noted(&mut host, &mut fx);
        while !fx.executions.is_empty() {
            let executed = run(&fx.executions.remove(0));
            if let Some(replica) = &mut host.replica {
                replica.on_executed(&mut env, executed, &mut fx);
            }
            told.append(&mut noted(&mut host, &mut fx));
        }
        let mut sent = Vec::new();
        for (to, message) in fx.sends {
            match (index_of(to), message) {
                (CALLER, Message::Reply { id, reply }) => told.extend(answered(id, reply)),
                (to, Message::Register { message, .. }) if to < HOSTS => {
                    sent.push(self.number(index, to, message));
                }
                _ => {}
            }
        }
        Step {
            print: print_of(&host),
            host: Arc::new(host),
            sent,
            told,
        }
    }

    fn happen(&self, host: &mut Host, env: &mut Env<'_>, event: Event, fx: &mut Effects) {
        if let Event::Deliver(number) = event {
            if let Some(envelope) = self.message(number) {
                let Envelope { from, message, .. } = Envelope::clone(&envelope);
                deliver(host, env, process(from), message, fx);
            }
            return;
        }
        let Some(replica) = &mut host.replica else {
            return;
        };
        let mut request = |request: Request| {
            replica.on_request(env, process(CALLER), request, fx);
        };
        match event {
            Event::Deliver(_) => {}
            Event::Write(number) => request(requests::write(number)),
            Event::Read => request(requests::read()),
            Event::Stand => replica.stand(env, fx),
            Event::AddLearner => replica.add_learner(env, process(MEMBERS), fx),
            Event::Propose => propose(replica, env, fx),
        }
    }
}

const fn is_answer(message: &RegisterMessage) -> bool {
    match message {
        RegisterMessage::Promised { .. }
        | RegisterMessage::Stored { .. }
        | RegisterMessage::NeedFull { .. }
        | RegisterMessage::Rejected { .. }
        | RegisterMessage::Gone { .. }
        | RegisterMessage::Leased { .. }
        | RegisterMessage::Forgotten { .. }
        | RegisterMessage::Checked { .. } => true,
        RegisterMessage::Prepare { .. }
        | RegisterMessage::Accept { .. }
        | RegisterMessage::Check { .. }
        | RegisterMessage::Retire { .. } => false,
    }
}

fn deliver(
    host: &mut Host,
    env: &mut Env<'_>,
    from: ProcessId,
    message: RegisterMessage,
    fx: &mut Effects,
) {
    match &mut host.replica {
        Some(replica) => replica.on_register(env, from, message, fx),
        None => {
            let tombstone = host.tombstone.as_ref();
            host.replica = Replica::install(env, OBJECT, from, message, tombstone, fx);
        }
    }
}

/// The last other member gives way to the newcomer.
fn propose(replica: &mut Replica, env: &mut Env<'_>, fx: &mut Effects) {
    let mut next = replica.configuration().clone();
    next.epoch.number += 1;
    let leaver = (0..MEMBERS)
        .rev()
        .map(process)
        .find(|member| *member != env.me);
    let mut members = next.members.to_vec();
    for member in &mut members {
        if Some(member.process) == leaver {
            *member = Member {
                process: process(MEMBERS),
                stamp: 2,
            };
        }
    }
    next.members = members.into();
    if let Some(first) = next.index_of(&env.me) {
        // Refused while the newcomer is not in step: then nothing has happened.
        let _refused = replica.propose(env, next, first, fx);
    }
}

/// Takes in what the replica did so far, before it goes on to another version.
fn noted(host: &mut Host, fx: &mut Effects) -> Vec<Told> {
    let mut told = Vec::new();
    for note in std::mem::take(&mut fx.notes) {
        match note {
            Note::Retired(tombstone) => {
                host.replica = None;
                host.tombstone = Some(tombstone);
            }
            Note::Dropped => host.replica = None,
            Note::Chosen(version) => {
                let held = host.replica.as_ref().and_then(Replica::value);
                if let Some((_, held, value)) = held
                    && held == version
                {
                    told.push(Told::Chosen(version, value.state.clone()));
                }
            }
            _ => {}
        }
    }
    told
}

fn answered(id: u64, reply: Reply) -> Option<Told> {
    let Reply::Done {
        outcome: Outcome::Returned(list),
        witness: Some(witness),
    } = reply
    else {
        return None;
    };
    if id == requests::READ {
        return Some(Told::Read(list));
    }
    let number = u8::try_from(id).ok()?;
    Some(Told::Wrote(number, witness.version, list))
}

/// A process of the model.
pub(crate) fn process(index: usize) -> ProcessId {
    ProcessId {
        peer: PeerId([index as u8; 32]),
        incarnation: Incarnation(1),
    }
}

fn index_of(process: ProcessId) -> usize {
    usize::from(process.peer.0[0])
}

/// A number for everything that a value shows of itself.
pub(crate) fn print_of(value: &impl Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{value:?}").hash(&mut hasher);
    hasher.finish()
}

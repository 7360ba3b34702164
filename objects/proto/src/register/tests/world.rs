//! A world of a few hosts that hold one object: a list to which calls append their tag.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Incarnation, Instant, PeerId, ProcessId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::config::{Limits, Timings};
use crate::execution::{Deferred, Executed, Execution, Ran};
use crate::lease::Leases;
use crate::message::{
    Change, Message, Outbox, Refusal, RegisterMessage, Reply, Request, Sighting, Status, Value,
};
use crate::mode::{Mode, WeakTimings};
use crate::object::{
    Ballot, Configuration, Epoch, Lineage, MethodId, ObjectId, Replica as Member, Version,
};
use crate::outcome::{Cause, Failure};
use crate::reach::Reach;
use crate::reads::Reads;
use crate::reference::RawRef;
use crate::register::{
    Effects, Env, Expiry, MethodInfo, Methods, Mutation, Note, Replica, Tombstone,
};
use crate::session::{Session, SessionId, Sessions};

pub(super) const OBJECT: ObjectId = ObjectId(77);
pub(super) const KIND: &str = "List";
pub(super) const BORN: SessionId = SessionId {
    lineage: Lineage { number: 0, tag: 0 },
    version: Version(1),
};

pub(super) const EXPIRY: Expiry = Expiry {
    session_idle: Duration::from_secs(600),
    nested_kept: Duration::from_secs(600),
};

/// The kind of all hosts but those that are told not to have it: `append`, `refuse` (returns
/// `Err`), `list`, slow ones, `stamp` (in place), `fill`, which is deterministic, and `guess`,
/// which only says so.
pub(super) struct Kinds {
    pub(super) reads: Reads,
    hosted: bool,
}

impl Methods for Kinds {
    fn method(&self, _: &str, _: u32, id: MethodId) -> Option<MethodInfo> {
        let (write, asynchronous) = match id {
            id if id == MethodId::of("append") => (true, false),
            id if id == MethodId::of("refuse") => (true, false),
            id if id == MethodId::of("push") => (true, false),
            id if id == MethodId::of("stamp") => (true, false),
            id if id == MethodId::of("fill") => (true, false),
            id if id == MethodId::of("guess") => (true, false),
            id if id == MethodId::of("append_slow") => (true, true),
            id if id == MethodId::of("list") => (false, false),
            id if id == MethodId::of("list_slow") => (false, true),
            _ => return None,
        };
        Some(MethodInfo {
            write,
            asynchronous,
            deterministic: id == MethodId::of("fill") || id == MethodId::of("guess"),
        })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        self.hosted && kind == KIND && version == 1
    }

    fn reads(&self, _: &str, _: u32) -> Reads {
        self.reads
    }
}

/// One process.
pub(super) struct Host {
    pub(super) replica: Option<Replica>,
    pub(super) tombstone: Option<Tombstone>,
    pub(super) alive: bool,
    /// Its messages wait.
    pub(super) frozen: bool,
    /// It has the kind.
    pub(super) hosts: bool,
    pub(super) executions: Vec<Execution>,
    pub(super) notes: Vec<Note>,
    pub(super) leases: Leases,
    pub(super) stamp: u64,
    pub(super) floor: u64,
    /// The stamp of the time when its replica ended.
    buried: u64,
    rng: ChaCha8Rng,
}

/// A message under way.
#[derive(Clone)]
pub(super) struct Envelope {
    pub(super) from: ProcessId,
    pub(super) to: ProcessId,
    pub(super) message: Message,
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) hosts: Vec<Host>,
    pub(super) bag: Vec<Envelope>,
    pub(super) rng: ChaCha8Rng,
    pub(super) mutation: Option<Mutation>,
    pub(super) reads: Reads,
    /// The state of the object when it is made.
    pub(super) initial: Bytes,
    pub(super) mode: Mode,
    /// What was chosen at each version, by lineage.
    pub(super) chosen: BTreeMap<(Lineage, Version), Bytes>,
    pub(super) violation: Option<String>,
    /// How many method bodies ran.
    pub(super) runs: usize,
}

pub(super) fn process(index: usize) -> ProcessId {
    ProcessId {
        peer: PeerId([u8::try_from(index).unwrap_or(u8::MAX); 32]),
        incarnation: Incarnation(index as u64),
    }
}

pub(super) fn index_of(process: ProcessId) -> usize {
    usize::try_from(process.incarnation.0).unwrap_or(usize::MAX)
}

pub(super) fn configuration(number: u64, members: &[(usize, u64)]) -> Configuration {
    Configuration {
        epoch: Epoch {
            lineage: Lineage::default(),
            number,
        },
        members: members
            .iter()
            .map(|(index, stamp)| Member {
                process: process(*index),
                stamp: *stamp,
            })
            .collect(),
        forks: Vec::new(),
        seal: None,
    }
}

impl World {
    pub(super) fn new(seed: u64, hosts: usize) -> Self {
        let hosts = (0..hosts)
            .map(|index| Host {
                replica: None,
                tombstone: None,
                alive: true,
                frozen: false,
                hosts: true,
                executions: Vec::new(),
                notes: Vec::new(),
                leases: Leases::new(&leases(), &Limits::default()),
                stamp: 10,
                floor: 0,
                buried: 0,
                rng: ChaCha8Rng::seed_from_u64(seed ^ (index as u64 + 1)),
            })
            .collect();
        Self {
            now: Instant::ZERO,
            hosts,
            bag: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            mutation: None,
            reads: Reads::Quorum,
            initial: Bytes::new(),
            mode: Mode::Strong,
            chosen: BTreeMap::new(),
            violation: None,
            runs: 0,
        }
    }

    /// The first value goes to the first members; `owner` has the session born with the object.
    pub(super) fn create(&mut self, members: &[usize], owner: ProcessId) {
        let members: Vec<(usize, u64)> = members.iter().map(|index| (*index, 1)).collect();
        let configuration = configuration(1, &members);
        let value = Value {
            mode: self.mode,
            kind: KIND.into(),
            kind_version: 1,
            factor: 3,
            state: self.initial.clone(),
            sessions: Sessions {
                open: Vec::from([Session::new(BORN, owner)]),
                callers: Vec::new(),
            },
            outbox: Outbox::default(),
            status: Status::Live,
        };
        for member in configuration.processes() {
            self.send_register(
                owner,
                member,
                RegisterMessage::Accept {
                    epoch: configuration.epoch,
                    ballot: Ballot {
                        round: 1,
                        member: 0,
                    },
                    version: Version(1),
                    change: Change::Full {
                        configuration: configuration.clone(),
                        value: value.clone(),
                    },
                },
            );
        }
    }

    pub(super) fn send_register(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        message: RegisterMessage,
    ) {
        let message = Message::Register {
            object: OBJECT,
            message,
        };
        self.bag.push(Envelope { from, to, message });
    }

    /// A host forgets its tombstone and raises its install floor above it. Whether it had one
    /// that it may forget.
    pub(super) fn forget(&mut self, index: usize) -> bool {
        let host = &mut self.hosts[index];
        let me = process(index);
        let kept = host.tombstone.take_if(|tombstone| !tombstone.awaits(&me));
        if kept.is_some() {
            host.floor = host.floor.max(host.buried + 1);
            host.stamp = host.stamp.max(host.floor);
        }
        kept.is_some()
    }

    /// Lets a host's replica do something; collects what follows.
    pub(super) fn at<R>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Replica, &mut Env<'_>, &mut Effects) -> R,
    ) -> Option<R> {
        let (now, mutation) = (self.now, self.mutation);
        let kinds = Kinds {
            reads: self.reads,
            hosted: self.hosts.get(index)?.hosts,
        };
        let weak = WeakTimings::default();
        let host = self.hosts.get_mut(index)?;
        host.stamp += 1;
        let reach = Reach::default();
        let mut env = Env {
            now,
            me: process(index),
            stamp: host.stamp,
            floor: host.floor,
            methods: &kinds,
            expiry: EXPIRY,
            rng: &mut host.rng,
            leases: &mut host.leases,
            reach: &reach,
            weak: &weak,
            mutation,
        };
        let mut fx = Effects::default();
        let result = act(host.replica.as_mut()?, &mut env, &mut fx);
        self.settle(index, fx);
        Some(result)
    }

    fn settle(&mut self, index: usize, fx: Effects) {
        for (to, message) in fx.sends {
            let from = process(index);
            self.bag.push(Envelope { from, to, message });
        }
        let mutated = self.mutation.is_some();
        let Some(host) = self.hosts.get_mut(index) else {
            return;
        };
        host.executions.extend(fx.executions);
        if let Some(replica) = host.replica.as_ref().filter(|_| !mutated) {
            replica.check_invariants();
        }
        for note in fx.notes {
            match &note {
                Note::Retired(tombstone) => {
                    host.replica = None;
                    host.leases.given.release(&OBJECT);
                    host.buried = host.stamp;
                    host.tombstone = Some(tombstone.clone());
                }
                Note::Dropped => {
                    host.replica = None;
                    host.leases.given.release(&OBJECT);
                }
                Note::Chosen(version) => {
                    let held = host.replica.as_ref().and_then(Replica::value);
                    let lineage = host
                        .replica
                        .as_ref()
                        .map_or_else(Lineage::default, |replica| {
                            replica.configuration().epoch.lineage
                        });
                    if let Some((_, held, value)) = held
                        && held == *version
                    {
                        let known = self
                            .chosen
                            .entry((lineage, held))
                            .or_insert_with(|| value.state.clone());
                        if *known != value.state {
                            self.violation = Some(format!("two values at {held:?}"));
                        }
                    }
                }
                _ => {}
            }
            host.notes.push(note);
        }
    }

    /// Hands a message over. A host's answer to a client is given back.
    pub(super) fn deliver(&mut self, envelope: Envelope) -> Option<(ProcessId, u64, Reply)> {
        let Envelope { from, to, message } = envelope;
        let index = index_of(to);
        if index >= self.hosts.len() {
            return match message {
                Message::Reply { id, reply } => Some((to, id, reply)),
                _ => None,
            };
        }
        if !self.hosts[index].alive {
            return None;
        }
        match message {
            Message::Request(request) => self.request(index, from, request),
            Message::Register { message, .. } => self.register(index, from, message),
            Message::Cancel { id, .. } => {
                self.at(index, |replica, _, _| replica.on_cancel(from, id));
            }
            _ => {}
        }
        None
    }

    fn request(&mut self, index: usize, from: ProcessId, request: Request) {
        let id = request.id;
        let there = self.at(index, |replica, env, fx| {
            replica.on_request(env, from, request, fx);
        });
        if there.is_none() {
            let refusal = match self.hosts[index].tombstone.as_ref() {
                None => Refusal::Elsewhere(Sighting::Unknown),
                Some(tombstone) if tombstone.sighting == Sighting::Deleted => {
                    Refusal::Final(Cause::Deleted)
                }
                Some(tombstone) => Refusal::Elsewhere(tombstone.sighting.clone()),
            };
            let message = Message::Reply {
                id,
                reply: Reply::Refused(refusal),
            };
            self.bag.push(Envelope {
                from: process(index),
                to: from,
                message,
            });
        }
    }

    fn register(&mut self, index: usize, from: ProcessId, message: RegisterMessage) {
        let (now, mutation) = (self.now, self.mutation);
        let kinds = Kinds {
            reads: self.reads,
            hosted: self.hosts[index].hosts,
        };
        let weak = WeakTimings::default();
        let host = &mut self.hosts[index];
        if host.replica.is_some() {
            self.at(index, |replica, env, fx| {
                replica.on_register(env, from, message, fx);
            });
            return;
        }
        host.stamp += 1;
        let reach = Reach::default();
        let mut env = Env {
            now,
            me: process(index),
            stamp: host.stamp,
            floor: host.floor,
            methods: &kinds,
            expiry: EXPIRY,
            rng: &mut host.rng,
            leases: &mut host.leases,
            reach: &reach,
            weak: &weak,
            mutation,
        };
        let mut fx = Effects::default();
        let tombstone = host.tombstone.as_ref();
        host.replica = Replica::install(&mut env, OBJECT, from, message, tombstone, &mut fx);
        self.settle(index, fx);
    }

    /// Runs the oldest execution of a host.
    pub(super) fn execute(&mut self, index: usize) {
        if self.hosts[index].executions.is_empty() {
            return;
        }
        let execution = self.hosts[index].executions.remove(0);
        self.runs += execution.calls.len();
        let executed = run(&execution, self.runs as u8);
        self.at(index, |replica, env, fx| {
            replica.on_executed(env, executed, fx);
        });
    }

    pub(super) fn tick(&mut self, index: usize) {
        let wants = self.hosts[index]
            .replica
            .as_ref()
            .is_some_and(Replica::wants_tick);
        if wants && self.hosts[index].alive && !self.hosts[index].frozen {
            self.at(index, |replica, env, fx| replica.tick(env, fx));
        }
    }

    /// Lets time pass; everybody who wants to look, looks.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        for index in 0..self.hosts.len() {
            self.tick(index);
        }
    }

    pub(super) fn replica(&self, index: usize) -> &Replica {
        self.hosts[index]
            .replica
            .as_ref()
            .unwrap_or_else(|| panic!("host {index} holds no replica"))
    }

    /// The hosts that take themselves for active primaries.
    pub(super) fn active(&self) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|index| {
                let host = &self.hosts[*index];
                host.alive && host.replica.as_ref().is_some_and(Replica::is_active)
            })
            .collect()
    }

    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit.max(1)
    }

    pub(super) fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < permille
    }
}

/// Runs calls on a list of four-byte tags. No two runs have the same `salt`.
pub(super) fn run(execution: &Execution, salt: u8) -> Executed {
    let mut state = Vec::from(&execution.state[..]);
    let ran = execution
        .calls
        .iter()
        .map(|call| {
            let length = Bytes::from(((state.len() / 4) as u32).to_be_bytes().to_vec());
            let method = call.method;
            if method == MethodId::of("refuse") {
                return Ran::Failed(Failure::Returned(length));
            }
            if method == MethodId::of("list") || method == MethodId::of("list_slow") {
                return Ran::Returned {
                    result: Bytes::from(state.clone()),
                    state: None,
                    after_commit: Vec::new(),
                };
            }
            if call.arguments.len() != 4 {
                return Ran::Refused(Cause::Arguments("not a tag".to_string()));
            }
            if method == MethodId::of("fill") {
                state.fill(call.arguments[3]);
            } else if method == MethodId::of("guess") {
                state.fill(salt);
            }
            if method == MethodId::of("stamp") {
                let place = 4 * usize::from(call.arguments[3]);
                state[place..place + 4].copy_from_slice(&call.arguments);
            } else {
                state.extend_from_slice(&call.arguments);
            }
            let pushed = method == MethodId::of("push");
            Ran::Returned {
                result: Bytes::from(((state.len() / 4) as u32).to_be_bytes().to_vec()),
                state: Some(Bytes::from(state.clone())),
                after_commit: pushed
                    .then(|| Deferred {
                        target: RawRef::bare(ObjectId(5), KIND),
                        method: MethodId::of("append"),
                        name: "append".to_string(),
                        arguments: call.arguments.clone(),
                    })
                    .into_iter()
                    .collect(),
            }
        })
        .collect();
    Executed {
        object: execution.object,
        key: execution.key,
        ran,
    }
}

/// The leases that the stories are told with.
fn leases() -> Timings {
    Timings {
        lease: Duration::from_secs(3),
        lease_renewal: Duration::from_secs(1),
        ..Timings::default()
    }
}

//! A client and one scripted object: three members that agree by magic, links that lose.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Incarnation, Instant, LinkDown, PeerId, ProcessId};

use crate::caller::{Completion, HandleId, Invocation};
use crate::client::{Client, ClientConfig, ClientEffects};
use crate::execution::Codec;
use crate::machine::Ticket;
use crate::message::{Ask, CallRequest, Message, Refusal, Reply, Request, Sighting};
use crate::object::{Configuration, Epoch, Lineage, MethodId, ObjectId, Replica, Version};
use crate::outcome::{Cause, Outcome, Witness};
use crate::reference::RawRef;
use crate::session::{Decision, Origin, SessionId, SessionOp, Sessions};

pub(super) const OBJECT: ObjectId = ObjectId(7);
pub(super) const HANDLE: HandleId = HandleId(1);

pub(super) fn process(number: u8) -> ProcessId {
    ProcessId {
        peer: PeerId([number; 32]),
        incarnation: Incarnation(u64::from(number)),
    }
}

pub(super) fn configuration(epoch: u64, members: &[u8]) -> Configuration {
    Configuration {
        epoch: Epoch {
            lineage: Lineage::default(),
            number: epoch,
        },
        members: members
            .iter()
            .map(|number| Replica {
                process: process(*number),
                stamp: 1,
            })
            .collect(),
        forks: Vec::new(),
        seal: None,
    }
}

pub(super) fn reference(configuration: Option<Configuration>) -> RawRef {
    RawRef {
        configuration: configuration.map(Arc::new),
        ..RawRef::bare(OBJECT, "Log")
    }
}

/// The client, the object, and the links between them.
pub(super) struct World {
    pub(super) client: Client,
    pub(super) now: Instant,
    pub(super) object: Object,
    /// Messages on their way, in the order sent.
    pub(super) wire: VecDeque<(ProcessId, ProcessId, Message)>,
    /// Processes that swallow all and answer nothing.
    pub(super) frozen: BTreeSet<ProcessId>,
    /// Processes to which no link can be made.
    pub(super) gone: BTreeSet<ProcessId>,
    pub(super) ended: BTreeMap<Ticket, Completion>,
    pub(super) fx: ClientEffects,
    pub(super) me: ProcessId,
    next: u64,
}

/// What the members of the object agree on.
pub(super) struct Object {
    pub(super) configuration: Configuration,
    pub(super) primary: u8,
    pub(super) sessions: Sessions,
    pub(super) version: u64,
    /// The first byte of the arguments of all writes that ran.
    pub(super) log: Vec<u8>,
    pub(super) requests: usize,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(ClientConfig::default())
    }

    pub(super) fn with(config: ClientConfig) -> Self {
        let me = process(100);
        Self {
            client: Client::new(config, me, 1),
            now: Instant::from_micros(1_000_000),
            object: Object {
                configuration: configuration(1, &[1, 2, 3]),
                primary: 1,
                sessions: Sessions::default(),
                version: 0,
                log: vec![],
                requests: 0,
            },
            wire: VecDeque::new(),
            frozen: BTreeSet::new(),
            gone: BTreeSet::new(),
            ended: BTreeMap::new(),
            fx: ClientEffects::default(),
            me,
            next: 0,
        }
    }

    pub(super) fn reference(&self) -> RawRef {
        reference(Some(self.object.configuration.clone()))
    }

    pub(super) fn invocation(&self, write: bool, argument: u8) -> Invocation {
        Invocation {
            handle: HANDLE,
            target: self.reference(),
            method: MethodId::of(if write { "push" } else { "len" }),
            write,
            codec: Codec::Cbor,
            arguments: Bytes::from(vec![argument]),
            timeout: Duration::from_secs(5),
            one_way: false,
            parent: None,
        }
    }

    pub(super) fn invoke(&mut self, invocation: Invocation) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.client
            .invoke(self.now, ticket, invocation, &mut self.fx);
        self.collect();
        ticket
    }

    pub(super) fn write(&mut self, argument: u8) -> Ticket {
        self.invoke(self.invocation(true, argument))
    }

    pub(super) fn read(&mut self) -> Ticket {
        self.invoke(self.invocation(false, 0))
    }

    /// Takes what the client wants.
    pub(super) fn collect(&mut self) {
        let fx = &mut self.fx;
        self.wire.extend(
            fx.sends
                .drain(..)
                .map(|(to, message)| (self.me, to, message)),
        );
        for (ticket, completion) in fx.completed.drain(..) {
            let before = self.ended.insert(ticket, completion);
            assert_eq!(before, None, "{ticket:?} ended twice");
        }
    }

    /// Delivers everything under way, and what follows from it.
    pub(super) fn settle(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            self.deliver(from, to, message);
        }
    }

    /// The same, but for requests, which stay under way.
    pub(super) fn settle_all_but_requests(&mut self) {
        let is_request = |m: &Message| matches!(m, Message::Request(_));
        while let Some(place) = self.wire.iter().position(|(_, _, m)| !is_request(m))
            && let Some((from, to, message)) = self.wire.remove(place)
        {
            self.deliver(from, to, message);
        }
    }

    /// Delivers one message.
    pub(super) fn deliver(&mut self, from: ProcessId, to: ProcessId, message: Message) {
        if to == self.me {
            match message {
                Message::Reply { id, reply } => {
                    self.client
                        .on_reply(self.now, from, id, reply, &mut self.fx);
                }
                Message::Here { object, sighting } => {
                    self.client
                        .on_here(self.now, from, object, sighting, &mut self.fx);
                }
                // This process has no replica.
                Message::Where { object, .. } => {
                    let sighting = Sighting::Unknown;
                    self.client
                        .on_here(self.now, from, object, sighting, &mut self.fx);
                }
                other => panic!("no answer: {other:?}"),
            }
            self.collect();
        } else if self.gone.contains(&to) {
            self.client
                .on_link_down(self.now, to, LinkDown::Refused, &mut self.fx);
            self.collect();
        } else if !self.frozen.contains(&to)
            && let Some(answer) = self.object.answer(to, message)
        {
            self.wire.push_back((to, self.me, answer));
        }
    }

    /// Loses what is under way on the link with `process`, and says so.
    pub(super) fn cut(&mut self, process: ProcessId) {
        self.wire
            .retain(|(from, to, _)| *from != process && *to != process);
        self.client
            .on_link_down(self.now, process, LinkDown::Unreachable, &mut self.fx);
        self.collect();
    }

    /// One tick of 25 ms, without deliveries.
    pub(super) fn tick(&mut self) {
        self.now = self.now + Duration::from_millis(25);
        self.client.tick(self.now, &mut self.fx);
        self.collect();
    }

    /// Lets time pass with everything delivered at once.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while self.now < end {
            self.tick();
            self.settle();
        }
    }

    /// How the call ended.
    #[track_caller]
    pub(super) fn outcome(&self, ticket: Ticket) -> Outcome {
        self.ended
            .get(&ticket)
            .expect("the call has ended")
            .outcome
            .clone()
    }

    /// The requests under way to a process, in order.
    pub(super) fn requests(&self) -> Vec<(ProcessId, Request)> {
        self.wire
            .iter()
            .filter_map(|(_, to, message)| match message {
                Message::Request(request) => Some((*to, request.clone())),
                _ => None,
            })
            .collect()
    }

    /// The calls under way to a process, in order.
    pub(super) fn calls(&self) -> Vec<CallRequest> {
        let calls = self
            .requests()
            .into_iter()
            .filter_map(|(_, request)| match request.ask {
                Ask::Call(call) => Some(call),
                _ => None,
            });
        calls.collect()
    }

    /// Answers the oldest request under way with `reply` instead of the object's answer.
    #[track_caller]
    pub(super) fn answer_oldest(&mut self, reply: Reply) {
        let place = self
            .wire
            .iter()
            .position(|(_, _, m)| matches!(m, Message::Request(_)));
        let (_, to, message) = self
            .wire
            .remove(place.expect("a request"))
            .expect("a request");
        let Message::Request(request) = message else {
            return;
        };
        self.client
            .on_reply(self.now, to, request.id, reply, &mut self.fx);
        self.collect();
    }
}

impl Object {
    pub(super) fn index(&self, number: u8) -> Option<u8> {
        self.configuration.index_of(&process(number))
    }

    fn sighting(&self, of: ProcessId) -> Sighting {
        if self.configuration.index_of(&of).is_none() {
            return Sighting::Unknown;
        }
        let primary = self.index(self.primary);
        Sighting::Member {
            configuration: self.configuration.clone(),
            primary,
        }
    }

    pub(super) fn answer(&mut self, to: ProcessId, message: Message) -> Option<Message> {
        match message {
            Message::Request(request) => {
                let id = request.id;
                self.requests += 1;
                let reply = self.reply(to, &request)?;
                Some(Message::Reply { id, reply })
            }
            Message::Where { object, .. } => {
                let sighting = self.sighting(to);
                Some(Message::Here { object, sighting })
            }
            _ => None,
        }
    }

    fn reply(&mut self, to: ProcessId, request: &Request) -> Option<Reply> {
        if to != process(self.primary) {
            return Some(Reply::Refused(Refusal::Elsewhere(self.sighting(to))));
        }
        Some(match &request.ask {
            Ask::OpenSession => {
                self.version += 1;
                let id = SessionId {
                    lineage: Lineage::default(),
                    version: Version(self.version),
                };
                self.sessions.apply(&SessionOp::Open { id, owner: to });
                Reply::Session(id)
            }
            Ask::CloseSession(id) => {
                self.sessions.apply(&SessionOp::Close(*id));
                return None;
            }
            Ask::Call(call) => self.call(call),
            Ask::Delete { .. } => done(Outcome::Returned(Bytes::new()), self.version),
            Ask::Inspect => Reply::Refused(Refusal::Final(Cause::UnknownKind(String::from("Log")))),
        })
    }

    fn call(&mut self, call: &CallRequest) -> Reply {
        let hash = u64::from(call.method.0) << 8 | u64::from(call.arguments[0]);
        match self.sessions.decide(&call.position, hash, 0) {
            Decision::Run if !call.write => {
                let seen = Bytes::from(vec![u8::try_from(self.log.len()).unwrap_or(u8::MAX)]);
                done(Outcome::Returned(seen), self.version)
            }
            Decision::Run => {
                self.version += 1;
                self.log.push(call.arguments[0]);
                let outcome = Outcome::Returned(call.arguments.clone());
                if let Some(origin) = Origin::of(&call.position) {
                    self.sessions.apply(&SessionOp::Ran {
                        origin,
                        version: Version(self.version),
                        hash,
                        outcome: outcome.clone(),
                    });
                }
                done(outcome, self.version)
            }
            Decision::Repeat(entry) => done(entry.outcome, entry.version.0),
            Decision::Closed => Reply::Refused(Refusal::Final(Cause::OutOfOrder)),
            Decision::Gap => Reply::Refused(Refusal::Gap),
            Decision::UnknownSession => Reply::Refused(Refusal::UnknownSession),
            Decision::IdReused => Reply::Refused(Refusal::Final(Cause::IdReused)),
        }
    }
}

pub(super) fn done(outcome: Outcome, version: u64) -> Reply {
    let epoch = configuration(1, &[1]).epoch;
    Reply::Done {
        outcome,
        witness: Some(Witness {
            epoch,
            version: Version(version),
        }),
    }
}

pub(super) fn returned(argument: u8) -> Outcome {
    Outcome::Returned(Bytes::from(vec![argument]))
}

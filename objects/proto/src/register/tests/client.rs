//! Clients that number their calls, retry them anywhere, and remember what they were told.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, ProcessId};

use super::story::tags;
use super::world::{BORN, Envelope, KIND, OBJECT, World, process};
use crate::execution::{CallChain, Codec};
use crate::message::{Ask, CallRequest, Message, Position, Refusal, Reply, Request, Sighting};
use crate::object::MethodId;
use crate::outcome::{Cause, Failure, Outcome};
use crate::session::SessionId;

/// What all clients together were told: the list as it must be.
#[derive(Default)]
pub(super) struct History {
    /// The longest list read.
    longest: Vec<u32>,
    /// Who was told to stand where.
    places: BTreeMap<usize, u32>,
    /// A length that some completed call saw: later calls see no shorter list.
    seen: usize,
    /// Tags of calls that were said not to have run.
    never: Vec<u32>,
    pub(super) acknowledged: usize,
    pub(super) reads: usize,
}

impl History {
    fn read(&mut self, list: Vec<u32>, invoked: usize) -> Result<(), String> {
        let mut sorted = list.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != list.len() {
            return Err(format!("a call took effect twice: {list:?}"));
        }
        if list.len() < invoked {
            return Err(format!("stale: {} of {invoked}", list.len()));
        }
        let both = list.len().min(self.longest.len());
        if list[..both] != self.longest[..both] {
            return Err(format!("histories part: {list:?}, {:?}", self.longest));
        }
        self.seen = self.seen.max(list.len());
        if list.len() > self.longest.len() {
            self.longest = list;
        }
        self.reads += 1;
        Ok(())
    }

    fn wrote(&mut self, tag: u32, place: usize, invoked: usize) -> Result<(), String> {
        if place <= invoked {
            return Err(format!("written at {place}, after {invoked} were seen"));
        }
        if self
            .places
            .insert(place, tag)
            .is_some_and(|held| held != tag)
        {
            return Err(format!("two calls at {place}"));
        }
        self.seen = self.seen.max(place);
        self.acknowledged += 1;
        Ok(())
    }

    /// Whether the longest list read is as long as any that a call saw.
    pub(super) fn is_read_whole(&self) -> bool {
        self.longest.len() >= self.seen
    }

    /// Whether what was told holds in the list as it is in the end.
    pub(super) fn check(&self) -> Result<(), String> {
        for (place, tag) in &self.places {
            if self.longest.get(place - 1) != Some(tag) {
                return Err(format!(
                    "{tag} was acknowledged at {place}: {:?}",
                    self.longest
                ));
            }
        }
        match self.never.iter().find(|tag| self.longest.contains(tag)) {
            Some(tag) => Err(format!("{tag} was said not to have run")),
            None => Ok(()),
        }
    }
}

/// A write that has not ended.
struct Open {
    number: u64,
    method: &'static str,
    tag: u32,
    invoked: usize,
    /// An attempt may have run.
    unclear: bool,
}

/// A request that may be answered.
enum Sent {
    Session,
    Write(u64),
    Read(usize),
}

pub(super) struct Client {
    me: ProcessId,
    target: usize,
    session: Option<SessionId>,
    opening: bool,
    next: u64,
    open: Vec<Open>,
    sent: BTreeMap<u64, Sent>,
    /// What each number came to.
    ended: BTreeMap<u64, Outcome>,
    reading: bool,
    ids: u64,
    tags: u32,
}

impl Client {
    pub(super) fn new(index: usize) -> Self {
        Self {
            me: process(50 + index),
            target: 0,
            session: (index == 0).then_some(BORN),
            opening: false,
            next: 1,
            open: Vec::new(),
            sent: BTreeMap::new(),
            ended: BTreeMap::new(),
            reading: false,
            ids: 0,
            tags: (index as u32 + 1) << 20,
        }
    }

    pub(super) fn me(&self) -> ProcessId {
        self.me
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && !self.reading
    }

    /// Begins another call, if not too many are open.
    pub(super) fn begin(&mut self, world: &mut World, history: &History) {
        if self.session.is_none() {
            self.opening = true;
            self.retry(world);
            return;
        }
        match world.below(4) {
            0 => self.begin_read(world, history),
            kind if self.open.len() < 3 => {
                self.tags += 1;
                let slow = world.chance(200);
                self.open.push(Open {
                    number: self.next,
                    method: match kind {
                        1 => "refuse",
                        _ if slow => "append_slow",
                        _ => "append",
                    },
                    tag: self.tags,
                    invoked: history.seen,
                    unclear: false,
                });
                self.next += 1;
                self.send_write(world, self.open.len() - 1, 0);
            }
            _ => {}
        }
    }

    pub(super) fn begin_read(&mut self, world: &mut World, history: &History) {
        let position = match self.session {
            Some(session) if world.chance(500) => Position::After {
                session,
                predecessor: self.open.last().map_or(0, |open| open.number),
                floor: self.floor(),
            },
            _ => Position::Unordered,
        };
        let method = if world.chance(300) {
            "list_slow"
        } else {
            "list"
        };
        self.reading = true;
        let ask = call(method, position, 0);
        self.send(world, Sent::Read(history.seen), ask, 0);
    }

    /// Sends everything that is open again, in order, perhaps to somebody else.
    pub(super) fn retry(&mut self, world: &mut World) {
        if world.chance(300) {
            self.target = world.below(world.hosts.len() as u32) as usize;
        }
        if self.opening {
            self.send(world, Sent::Session, Ask::OpenSession, 1);
        }
        for place in 0..self.open.len() {
            self.send_write(world, place, 1);
        }
    }

    fn floor(&self) -> u64 {
        self.open.first().map_or(self.next, |open| open.number)
    }

    fn send_write(&mut self, world: &mut World, place: usize, attempt: u32) {
        let Some(session) = self.session else {
            return;
        };
        let predecessor = match place {
            0 => 0,
            place => self.open[place - 1].number,
        };
        let floor = self.floor();
        let open = &mut self.open[place];
        let position = Position::Numbered {
            session,
            number: open.number,
            predecessor,
            floor,
        };
        let (number, ask) = (open.number, call(open.method, position, open.tag));
        self.send(world, Sent::Write(number), ask, attempt);
    }

    fn send(&mut self, world: &mut World, sent: Sent, ask: Ask, attempt: u32) {
        self.ids += 1;
        self.sent.insert(self.ids, sent);
        let message = Message::Request(Request {
            id: self.ids,
            object: OBJECT,
            kind: MethodId::of(KIND),
            attempt,
            budget: Duration::from_secs(3),
            ask,
        });
        world.bag.push(Envelope {
            from: self.me,
            to: process(self.target),
            message,
        });
    }

    /// Takes an answer.
    pub(super) fn answered(
        &mut self,
        world: &mut World,
        history: &mut History,
        id: u64,
        reply: Reply,
    ) -> Result<(), String> {
        if let Reply::Refused(Refusal::Elsewhere(Sighting::Member {
            configuration,
            primary: Some(primary),
        })) = &reply
            && let Some(process) = configuration.process(*primary)
        {
            self.target = super::world::index_of(process);
        }
        let Some(sent) = self.sent.remove(&id) else {
            return Ok(());
        };
        match (sent, reply) {
            (Sent::Session, Reply::Session(session)) => {
                if self.session.is_none() {
                    self.session = Some(session);
                    self.opening = false;
                }
                Ok(())
            }
            (Sent::Read(invoked), Reply::Done { outcome, .. }) => {
                self.reading = false;
                match outcome {
                    Outcome::Returned(bytes) => history.read(tags(&bytes), invoked),
                    other => Err(format!("a read came to {other:?}")),
                }
            }
            (Sent::Read(_), _) => {
                self.reading = false;
                Ok(())
            }
            (Sent::Write(number), Reply::Done { outcome, .. }) => {
                self.ended(history, number, outcome)
            }
            (Sent::Write(number), Reply::Refused(refusal)) => {
                self.refused(world, history, number, refusal)
            }
            _ => Ok(()),
        }
    }

    fn ended(
        &mut self,
        history: &mut History,
        number: u64,
        outcome: Outcome,
    ) -> Result<(), String> {
        if let Some(before) = self.ended.get(&number)
            && *before != outcome
        {
            return Err(format!("{number} came to {before:?} and to {outcome:?}"));
        }
        self.ended.insert(number, outcome.clone());
        let Some(place) = self.open.iter().position(|open| open.number == number) else {
            return Ok(());
        };
        let open = self.open.remove(place);
        let length = |bytes: &Bytes| tags(bytes)[0] as usize;
        match outcome {
            Outcome::Returned(bytes) => history.wrote(open.tag, length(&bytes), open.invoked),
            Outcome::Failed(Failure::Returned(bytes)) => {
                if length(&bytes) < open.invoked {
                    return Err(format!("stale failure: {} seen", open.invoked));
                }
                history.seen = history.seen.max(length(&bytes));
                Ok(())
            }
            other => Err(format!("{number} came to {other:?}")),
        }
    }

    fn refused(
        &mut self,
        world: &mut World,
        history: &mut History,
        number: u64,
        refusal: Refusal,
    ) -> Result<(), String> {
        let Some(place) = self.open.iter().position(|open| open.number == number) else {
            return Ok(());
        };
        match refusal {
            Refusal::Elsewhere(_) => {}
            Refusal::Gap => self.retry(world),
            Refusal::Final(
                Cause::NoQuorum | Cause::Deadline | Cause::Overloaded(_) | Cause::Deleted,
            ) => {
                let others = self
                    .sent
                    .values()
                    .any(|sent| matches!(sent, Sent::Write(held) if *held == number));
                let open = self.open.remove(place);
                if !others && !open.unclear {
                    history.never.push(open.tag);
                }
            }
            other => return Err(format!("{number} was refused: {other:?}")),
        }
        Ok(())
    }
}

fn call(method: &str, position: Position, tag: u32) -> Ask {
    Ask::Call(CallRequest {
        method: MethodId::of(method),
        write: true,
        codec: Codec::Cbor,
        position,
        chain: CallChain::default(),
        arguments: Bytes::from(tag.to_be_bytes().to_vec()),
    })
}

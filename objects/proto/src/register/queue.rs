//! The calls that wait for one object, in the order in which they arrived.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::flat_map::FlatMap;
use crate::message::{CallRequest, Position};
use crate::object::ObjectId;
use crate::outcome::Failure;
use crate::session::SessionId;

/// Most calls that wait for one object.
pub const QUEUE_CALLS_MAX: usize = 1024;

/// Most bytes of arguments that wait for one object.
pub const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Longest time that a caller's budget counts for.
const BUDGET_MAX: Duration = Duration::from_secs(3600);

/// Most addresses that one call is answered to.
const ADDRESSES_MAX: usize = 4;

/// What makes a call the same call, sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKey {
    /// A numbered call of a session.
    Session(SessionId, u64),
    /// A call from an outbox.
    Outbox(ObjectId, u64),
    /// A call that a method awaits.
    Nested(ObjectId, u128),
    /// Anything else: a request of one process.
    Request(ProcessId, u64),
}

impl CallKey {
    /// The key of a call at this position, sent as request `id` by `from`.
    pub(crate) const fn of(position: &Position, from: ProcessId, id: u64) -> Self {
        match *position {
            Position::Unordered | Position::After { .. } => Self::Request(from, id),
            Position::Numbered {
                session, number, ..
            } => Self::Session(session, number),
            Position::Outbox { source, number } => Self::Outbox(source, number),
            Position::Nested { source, id } => Self::Nested(source, id),
        }
    }
}

/// Where a call's answer goes: one address for each attempt that waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Vec<(ProcessId, u64)>);

impl Addresses {
    /// The address of one request.
    pub(crate) fn one(process: ProcessId, id: u64) -> Self {
        Self(Vec::from([(process, id)]))
    }

    /// Adds those of a repetition; of too many the oldest go.
    pub(crate) fn join(&mut self, others: &Self) {
        for address in &others.0 {
            if !self.0.contains(address) {
                if self.0.len() >= ADDRESSES_MAX {
                    self.0.remove(0);
                }
                self.0.push(*address);
            }
        }
    }

    /// Removes one, and whether it was there.
    pub(crate) fn remove(&mut self, process: ProcessId, id: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|address| *address != (process, id));
        self.0.len() < before
    }

    /// Whether nobody waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ProcessId, u64)> + '_ {
        self.0.iter().copied()
    }
}

/// What a queued request wants.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// A session.
    Open,
    /// A session to be forgotten.
    Close(SessionId),
    /// The object to be deleted.
    Delete(Position),
    /// A description.
    Inspect,
    /// A method to be run.
    Call(CallWork),
}

/// A method call in the queue.
#[derive(Clone, Debug)]
pub(crate) struct CallWork {
    pub(crate) request: CallRequest,
    /// It makes a version: the method may write, or the caller gave the call an identity.
    pub(crate) write: bool,
    pub(crate) asynchronous: bool,
    /// A backup may run it again instead of being sent what it made.
    pub(crate) deterministic: bool,
    /// It was ended while it waited: recorded in its turn, not run.
    pub(crate) verdict: Option<Failure>,
}

/// One request in the queue.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) to: Addresses,
    pub(crate) caller: ProcessId,
    pub(crate) key: CallKey,
    pub(crate) hash: u64,
    pub(crate) arrived: Instant,
    pub(crate) budget: Duration,
    /// It was begun and given up: whoever asks may not be told that it did not run at all.
    pub(crate) started: bool,
    pub(crate) work: Work,
}

impl Item {
    /// A request that arrived now.
    pub(crate) fn new(
        (caller, id): (ProcessId, u64),
        key: CallKey,
        hash: u64,
        now: Instant,
        budget: Duration,
        work: Work,
    ) -> Self {
        Self {
            to: Addresses::one(caller, id),
            caller,
            key,
            hash,
            arrived: now,
            budget: budget.min(BUDGET_MAX),
            started: false,
            work,
        }
    }

    /// Whether its caller has stopped waiting.
    pub(crate) fn is_late(&self, now: Instant) -> bool {
        now.since(self.arrived) >= self.budget
    }

    /// Whether half of its caller's time is over.
    pub(crate) fn is_half_over(&self, now: Instant) -> bool {
        now.since(self.arrived) * 2 >= self.budget
    }

    /// What is left of its caller's time.
    pub(crate) fn rest(&self, now: Instant) -> Duration {
        self.budget.saturating_sub(now.since(self.arrived))
    }

    /// The session that it belongs to, and its number in it.
    pub(crate) const fn numbered(&self) -> Option<(SessionId, u64)> {
        match self.key {
            CallKey::Session(session, number) => Some((session, number)),
            _ => None,
        }
    }

    /// The session that orders it.
    pub(crate) const fn session(&self) -> Option<SessionId> {
        match &self.work {
            Work::Call(call) => session_of(&call.request.position),
            Work::Delete(position) => session_of(position),
            Work::Open | Work::Close(_) | Work::Inspect => None,
        }
    }

    /// The call, if it is a method call.
    pub(crate) const fn call(&self) -> Option<&CallWork> {
        match &self.work {
            Work::Call(call) => Some(call),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        self.call().map_or(0, |call| call.request.arguments.len())
    }
}

/// The session that a position names.
pub(crate) const fn session_of(position: &Position) -> Option<SessionId> {
    match *position {
        Position::After { session, .. } | Position::Numbered { session, .. } => Some(session),
        _ => None,
    }
}

/// A session's calls that are queued or being executed.
#[derive(Clone, Debug, Default)]
struct Ahead {
    calls: usize,
    highest: u64,
}

/// The queue, and which numbers of which session are in it or taken from it and not yet shipped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    ahead: FlatMap<SessionId, Ahead>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many sessions have calls in it, or taken from it and not yet shipped.
    pub(crate) fn sessions_ahead(&self) -> usize {
        self.ahead.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether one more of this size may wait.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.items.len() < QUEUE_CALLS_MAX && self.bytes + bytes <= QUEUE_BYTES_MAX
    }

    /// The highest number of a session that is queued or being executed, 0 if none.
    pub(crate) fn ahead(&self, session: SessionId) -> u64 {
        self.ahead.get(&session).map_or(0, |ahead| ahead.highest)
    }

    pub(crate) fn front(&self) -> Option<&Item> {
        self.items.front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.items.iter_mut()
    }

    pub(crate) fn push(&mut self, item: Item) {
        if let Some((session, number)) = item.numbered() {
            self.ahead.change(session, |ahead| {
                ahead.calls += 1;
                ahead.highest = ahead.highest.max(number);
            });
        }
        self.bytes += item.bytes();
        if self.items.capacity() == 0 {
            // Most objects are called by one caller at a time, and many are called once.
            self.items.reserve_exact(1);
        }
        self.items.push_back(item);
    }

    /// Takes the first one. Its number still counts as ahead until [`Self::release`].
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.bytes());
        Some(item)
    }

    /// Puts one that was taken back to the front.
    pub(crate) fn put_back(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.items.push_front(item);
    }

    /// One that was taken is in the session table now, or refused.
    pub(crate) fn release(&mut self, item: &Item) {
        let Some((session, _)) = item.numbered() else {
            return;
        };
        if let Some(ahead) = self.ahead.get_mut(&session) {
            ahead.calls = ahead.calls.saturating_sub(1);
            if ahead.calls == 0 {
                self.ahead.remove(&session);
            }
        }
    }

    /// Removes those that match, in order. Each is looked at once.
    pub(crate) fn extract(&mut self, mut matches: impl FnMut(&Item) -> bool) -> Vec<Item> {
        let Some(first) = self.items.iter().position(&mut matches) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        let mut kept = VecDeque::with_capacity(self.items.len());
        for (place, item) in core::mem::take(&mut self.items).into_iter().enumerate() {
            if place == first || place > first && matches(&item) {
                self.bytes = self.bytes.saturating_sub(item.bytes());
                self.release(&item);
                taken.push(item);
            } else {
                kept.push_back(item);
            }
        }
        self.items = kept;
        taken
    }

    /// Removes all.
    pub(crate) fn drain(&mut self) -> Vec<Item> {
        self.bytes = 0;
        self.ahead.clear();
        core::mem::take(&mut self.items).into()
    }
}

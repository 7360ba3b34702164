//! The session table's rules: which call runs, which is repeated, what is forgotten.

use alloc::string::String;
use alloc::vec::Vec;

use overlay_proto::ProcessId;

use super::Position;
use crate::object::{ObjectId, Version};
use crate::outcome::{Failure, Outcome};
use crate::session::{CallingObject, Entry, Origin, Session, SessionId, SessionOp, Sessions};

/// Most bytes that one object's session table takes, by [`Sessions::bytes`].
pub const SESSION_BYTES_MAX: usize = 64 * 1024;

/// An outcome up to this many bytes is kept until it is settled at the caller, in a full table
/// for a minute at least; a larger one only while there is room for it.
pub const OUTCOME_KEPT_MAX: usize = 1024;

/// Most unsettled calls of one session.
pub const SESSION_ENTRIES_MAX: usize = 1024;

/// Most awaited calls that are remembered of one calling object: the oldest gives way.
pub const NESTED_KEPT_MAX: usize = 256;

/// So many of them are remembered also in a full table.
pub const NESTED_KEPT_MIN: usize = 64;

/// Up to so many sessions no room is kept for further ones.
const EXACT_MAX: usize = 8;

/// What a session without calls weighs, bytes.
const SESSION_COST: usize = 96;

/// What a call without its outcome weighs, bytes.
const ENTRY_COST: usize = 40;

/// What a calling object without calls weighs, bytes.
const CALLER_COST: usize = 64;

/// What is to be done with a call, as the session table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run it.
    Run,
    /// It ran; this is what it came to.
    Repeat(Entry),
    /// It did not run, and a later call of its session did: it never will.
    Closed,
    /// A call that goes before it has not arrived.
    Gap,
    /// Its session is not known: it never runs.
    UnknownSession,
    /// Its id was used for another call.
    IdReused,
}

impl Origin {
    /// Whose call stands at this position, if it is one that happens at most once.
    #[must_use]
    pub const fn of(position: &Position) -> Option<Self> {
        match *position {
            Position::Unordered | Position::After { .. } => None,
            Position::Numbered {
                session,
                number,
                floor,
                ..
            } => Some(Self::Session {
                id: session,
                number,
                floor,
            }),
            Position::Outbox { source, number } => Some(Self::Outbox { source, number }),
            Position::Nested { source, id } => Some(Self::Nested { source, id }),
        }
    }
}

impl Sessions {
    /// What is to be done with a call at this position. `ahead` is the highest number of its
    /// session that will have run before it, 0 if none.
    #[must_use]
    pub fn decide(&self, position: &Position, hash: u64, ahead: u64) -> Decision {
        match *position {
            Position::Unordered => Decision::Run,
            Position::After {
                session,
                predecessor,
                floor,
            } => match self.session(session) {
                None => Decision::UnknownSession,
                Some(session) if session.follows(predecessor, floor, ahead) => Decision::Run,
                Some(_) => Decision::Gap,
            },
            Position::Numbered {
                session,
                number,
                predecessor,
                floor,
            } => self
                .session(session)
                .map_or(Decision::UnknownSession, |session| {
                    session.decide(number, predecessor, floor, hash, ahead)
                }),
            Position::Outbox { source, number } => {
                let newest = self
                    .caller(source)
                    .and_then(|caller| caller.outbox.as_ref());
                match newest {
                    Some(entry) if entry.number == number => entry.repeat(hash),
                    Some(entry) if entry.number > number => Decision::Repeat(Entry {
                        number,
                        version: entry.version,
                        hash,
                        outcome: Outcome::Executed,
                    }),
                    _ => Decision::Run,
                }
            }
            Position::Nested { source, id } => self
                .caller(source)
                .and_then(|caller| caller.nested.iter().find(|(held, _)| *held == id))
                .map_or(Decision::Run, |(_, entry)| entry.repeat(hash)),
        }
    }

    /// Takes one change.
    pub fn apply(&mut self, op: &SessionOp) {
        match op {
            SessionOp::Open { id, owner } => {
                if let Err(place) = self.open.binary_search_by(|held| held.id.cmp(id)) {
                    if self.open.len() < EXACT_MAX {
                        self.open.reserve_exact(1);
                    }
                    self.open.insert(place, Session::new(*id, *owner));
                }
            }
            SessionOp::Close(id) => self.open.retain(|held| held.id != *id),
            SessionOp::Forget { source, until } => self.forget(*source, *until),
            SessionOp::DropAnswers { until, larger_than } => {
                let limit = usize::try_from(*larger_than).unwrap_or(usize::MAX);
                self.drop_answers(*until, limit);
            }
            SessionOp::Ran {
                origin,
                version,
                hash,
                outcome,
            } => {
                let entry = |number| Entry {
                    number,
                    version: *version,
                    hash: *hash,
                    outcome: outcome.clone(),
                };
                match *origin {
                    Origin::Session { id, number, floor } => {
                        if let Some(session) = self.open.iter_mut().find(|held| held.id == id) {
                            session.ran(entry(number), floor);
                        }
                    }
                    Origin::Outbox { source, number } => {
                        self.caller_mut(source).outbox = Some(entry(number));
                    }
                    Origin::Nested { source, id } => {
                        let low = (id & u128::from(u64::MAX)) as u64;
                        let nested = &mut self.caller_mut(source).nested;
                        nested.push((id, entry(low)));
                        if nested.len() > NESTED_KEPT_MAX {
                            nested.remove(0);
                        }
                    }
                }
            }
        }
    }

    /// Forgets the awaited calls of an object up to a version; the object too, if nothing else
    /// of it is known. What its outbox reached stays: without it a call could run twice.
    fn forget(&mut self, source: ObjectId, until: Version) {
        let held = |caller: &CallingObject| caller.source.cmp(&source);
        let Ok(place) = self.callers.binary_search_by(held) else {
            return;
        };
        let caller = &mut self.callers[place];
        caller.nested.retain(|(_, entry)| entry.version > until);
        if caller.nested.is_empty() && caller.outbox.is_none() {
            self.callers.remove(place);
        }
    }

    fn drop_answers(&mut self, until: Version, larger_than: usize) {
        let sessions = self.open.iter_mut();
        let numbered = sessions.flat_map(|session| session.entries.iter_mut());
        let callers = self.callers.iter_mut();
        let nested = callers.flat_map(|caller| caller.nested.iter_mut().map(|(_, entry)| entry));
        for entry in numbered.chain(nested) {
            if entry.version <= until && outcome_bytes(&entry.outcome) > larger_than {
                entry.outcome = without_answer(&entry.outcome);
            }
        }
    }

    /// What the table weighs, roughly, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let sessions: usize = self
            .open
            .iter()
            .map(|session| SESSION_COST + session.entries.iter().map(Entry::bytes).sum::<usize>())
            .sum();
        let callers: usize = self
            .callers
            .iter()
            .map(|caller| {
                let nested: usize = caller.nested.iter().map(|(_, entry)| entry.bytes()).sum();
                CALLER_COST + nested + caller.outbox.as_ref().map_or(0, Entry::bytes)
            })
            .sum();
        sessions + callers
    }

    /// Whether another session may be opened.
    #[must_use]
    pub fn may_open(&self) -> bool {
        !self.is_full()
    }

    /// Whether there is no room for another session with a call.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes() + SESSION_COST + ENTRY_COST > SESSION_BYTES_MAX
    }

    /// Whether a call of this origin may run: its outcome, if small, will be remembered.
    /// A call that settles earlier ones may always run.
    #[must_use]
    pub fn may_run(&self, origin: &Origin) -> bool {
        if let Origin::Session { id, floor, .. } = origin
            && let Some(session) = self.session(*id)
        {
            if session
                .entries
                .first()
                .is_some_and(|entry| entry.number < *floor)
            {
                return true;
            }
            if session.entries.len() >= SESSION_ENTRIES_MAX {
                return false;
            }
        }
        self.bytes() + CALLER_COST + ENTRY_COST <= SESSION_BYTES_MAX
    }

    /// The form in which an outcome is kept when the table already weighs `held` bytes. Nobody
    /// wants the answer to a call from an outbox.
    #[must_use]
    pub fn kept(origin: &Origin, outcome: &Outcome, held: usize) -> Outcome {
        let bytes = outcome_bytes(outcome);
        let fits = bytes <= OUTCOME_KEPT_MAX || held + ENTRY_COST + bytes <= SESSION_BYTES_MAX;
        if fits && !matches!(origin, Origin::Outbox { .. }) {
            return outcome.clone();
        }
        without_answer(outcome)
    }

    /// What a call adds to the table's weight, bytes.
    #[must_use]
    pub fn entry_bytes(outcome: &Outcome) -> usize {
        ENTRY_COST + outcome_bytes(outcome)
    }

    /// The session with this id, if it is open.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        let place = self.open.binary_search_by(|held| held.id.cmp(&id)).ok()?;
        self.open.get(place)
    }

    fn caller(&self, source: ObjectId) -> Option<&CallingObject> {
        let place = self
            .callers
            .binary_search_by(|held| held.source.cmp(&source))
            .ok()?;
        self.callers.get(place)
    }

    fn caller_mut(&mut self, source: ObjectId) -> &mut CallingObject {
        let place = match self
            .callers
            .binary_search_by(|held| held.source.cmp(&source))
        {
            Ok(place) => place,
            Err(place) => {
                let caller = CallingObject {
                    source,
                    outbox: None,
                    nested: Vec::new(),
                };
                self.callers.insert(place, caller);
                place
            }
        };
        &mut self.callers[place]
    }
}

impl Session {
    /// A session in which nothing ran.
    #[must_use]
    pub const fn new(id: SessionId, owner: ProcessId) -> Self {
        Self {
            id,
            owner,
            next: 1,
            entries: Vec::new(),
        }
    }

    /// Whether a call behind `predecessor` may run after all numbers up to `ahead` did.
    const fn follows(&self, predecessor: u64, floor: u64, ahead: u64) -> bool {
        predecessor < self.next || predecessor <= ahead || predecessor < floor
    }

    fn decide(&self, number: u64, before: u64, floor: u64, hash: u64, ahead: u64) -> Decision {
        match self
            .entries
            .binary_search_by(|entry| entry.number.cmp(&number))
        {
            Ok(place) => self.entries[place].repeat(hash),
            Err(_) if number < self.next || number <= ahead => Decision::Closed,
            Err(_) if self.follows(before, floor, ahead) => Decision::Run,
            Err(_) => Decision::Gap,
        }
    }

    fn ran(&mut self, entry: Entry, floor: u64) {
        if entry.number < self.next {
            return;
        }
        self.next = entry.number.saturating_add(1);
        self.entries.push(entry);
        self.entries.retain(|entry| entry.number >= floor);
    }
}

impl Entry {
    fn repeat(&self, hash: u64) -> Decision {
        if self.hash == hash {
            Decision::Repeat(self.clone())
        } else {
            Decision::IdReused
        }
    }

    fn bytes(&self) -> usize {
        ENTRY_COST + outcome_bytes(&self.outcome)
    }
}

/// That a call ran, and whether it failed.
fn without_answer(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(Failure::Returned(_) | Failure::Panicked(_)) => {
            Outcome::Failed(Failure::Panicked(String::from(LOST)))
        }
        Outcome::Returned(_) => Outcome::Executed,
        _ => outcome.clone(),
    }
}

/// What is left of an error that was not kept.
const LOST: &str = "the call failed; its error was not kept";

/// What an outcome weighs, bytes.
fn outcome_bytes(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Returned(bytes) | Outcome::Failed(Failure::Returned(bytes)) => bytes.len(),
        Outcome::Failed(Failure::Panicked(text)) => text.len(),
        _ => 0,
    }
}

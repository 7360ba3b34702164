//! The creator's side of making an object: install it on its first replica set, count a
//! majority, or begin again under a fresh id. An id has exactly one first configuration.

mod deal;
mod first;
mod tables;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, Instant, ProcessId};

use self::deal::Dealer;
use self::first::{BORN_SESSION, first_set, install, retire};
use crate::caller::HandleId;
use crate::kinds_table::STATE_BYTES_MAX;
use crate::machine::{Creation, Ticket};
use crate::message::{Message, RegisterMessage};
use crate::object::{Configuration, ObjectId};
use crate::outcome::Cause;
use crate::reference::RawRef;
use crate::session::SessionId;

/// What follows from one input.
#[derive(Debug, Default)]
pub struct CreationEffects {
    /// Messages, to the replicas only.
    pub sends: Vec<(ProcessId, Message)>,
    /// Creations that ended well, with the session that the handle has from birth.
    pub created: Vec<(Ticket, HandleId, SessionId, RawRef)>,
    /// Creations that failed.
    pub failed: Vec<(Ticket, Cause)>,
}

/// The creations under way.
pub struct Creations {
    me: ProcessId,
    open: BTreeMap<Ticket, Creating>,
    by_object: BTreeMap<ObjectId, Ticket>,
    dealer: Dealer,
    retry: Duration,
    limit: usize,
}

struct Creating {
    creation: Creation,
    deadline: Instant,
    attempt: Option<Attempt>,
    next: Instant,
    avoid: BTreeSet<ProcessId>,
    anybody: bool,
}

struct Attempt {
    object: ObjectId,
    configuration: Configuration,
    stored: BTreeSet<u8>,
    refused: BTreeSet<u8>,
}

/// What a member makes of an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Stored,
    Refused,
    /// It takes no membership with the stamp that the view named; with its newer one it would.
    Outdated,
}

impl Creations {
    /// None under way, at most `limit`. `seed` decides ids and where dealing begins.
    #[must_use]
    pub fn new(me: ProcessId, seed: u64, retry: Duration, limit: usize) -> Self {
        Self {
            me,
            open: BTreeMap::new(),
            by_object: BTreeMap::new(),
            dealer: Dealer::new(seed),
            retry,
            limit,
        }
    }

    /// The membership view changed.
    pub fn on_view(&mut self, view: &MembershipView) {
        self.dealer.on_view(view);
    }

    /// Whether anything waits for time to pass.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.open.is_empty()
    }

    /// Begins to make an object.
    pub fn create(
        &mut self,
        now: Instant,
        view: &MembershipView,
        ticket: Ticket,
        creation: Creation,
        fx: &mut CreationEffects,
    ) {
        if let Some(cause) = self.refuse(&creation) {
            fx.failed.push((ticket, cause));
            return;
        }
        let creating = Creating {
            deadline: now + creation.timeout,
            creation,
            attempt: None,
            next: now,
            avoid: BTreeSet::new(),
            anybody: false,
        };
        self.open.insert(ticket, creating);
        self.attempt(now, view, ticket, fx);
    }

    /// Nobody waits for the object any more: what was installed of it is retired.
    pub fn cancel(&mut self, ticket: Ticket, fx: &mut CreationEffects) {
        self.abandon(ticket, fx);
        self.open.remove(&ticket);
    }

    /// Takes a member's answer. Others pass by.
    pub fn on_register(
        &mut self,
        now: Instant,
        view: &MembershipView,
        from: ProcessId,
        (object, message): (ObjectId, &RegisterMessage),
        fx: &mut CreationEffects,
    ) {
        let Some(ticket) = self.by_object.get(&object).copied() else {
            return;
        };
        let answer = match message {
            RegisterMessage::Stored { .. } => Answer::Stored,
            RegisterMessage::Gone { .. } | RegisterMessage::Rejected { .. } => Answer::Refused,
            RegisterMessage::Forgotten { stamp, .. } => {
                self.dealer.on_stamp(view, from, *stamp);
                Answer::Outdated
            }
            _ => return,
        };
        self.count(now, view, (ticket, from, answer), fx);
    }

    /// A member cannot be reached.
    pub fn on_link_down(
        &mut self,
        now: Instant,
        view: &MembershipView,
        process: ProcessId,
        fx: &mut CreationEffects,
    ) {
        let concerned: Vec<Ticket> = self
            .open
            .iter()
            .filter(|(_, one)| one.names(&process))
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in concerned {
            self.count(now, view, (ticket, process, Answer::Refused), fx);
        }
    }

    /// Moves on what is due.
    pub fn tick(&mut self, now: Instant, view: &MembershipView, fx: &mut CreationEffects) {
        let late = |one: &Creating| one.deadline <= now || one.next <= now;
        let due: Vec<Ticket> = self
            .open
            .iter()
            .filter(|(_, one)| late(one))
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in due {
            let expired = self
                .open
                .get(&ticket)
                .is_some_and(|one| one.deadline <= now);
            if expired {
                self.fail(ticket, fx);
            } else {
                self.attempt(now, view, ticket, fx);
            }
        }
    }

    fn refuse(&self, creation: &Creation) -> Option<Cause> {
        let bytes = creation.state.len();
        if bytes > STATE_BYTES_MAX {
            return Some(Cause::TooLarge {
                what: String::from("the object's state"),
                bytes: bytes as u64,
                limit: STATE_BYTES_MAX as u64,
            });
        }
        (self.open.len() >= self.limit)
            .then(|| Cause::Overloaded(String::from("the table of creations")))
    }

    /// Sends the object to a first replica set: a new one under a fresh id, or, where the id
    /// was given, the same one again.
    fn attempt(
        &mut self,
        now: Instant,
        view: &MembershipView,
        ticket: Ticket,
        fx: &mut CreationEffects,
    ) {
        let keeps_id = self
            .open
            .get(&ticket)
            .is_some_and(|one| one.creation.id.is_some() && one.attempt.is_some());
        if !keeps_id {
            self.abandon(ticket, fx);
            self.begin(view, ticket);
        }
        let Some(creating) = self.open.get_mut(&ticket) else {
            return;
        };
        creating.next = now + self.retry;
        let Some(attempt) = &creating.attempt else {
            return;
        };
        creating.anybody = true;
        let message = install(
            attempt.object,
            &attempt.configuration,
            &creating.creation,
            self.me,
        );
        for process in attempt.configuration.processes() {
            fx.sends.push((process, message.clone()));
        }
    }

    /// Chooses id and members, if there are hosts.
    fn begin(&mut self, view: &MembershipView, ticket: Ticket) {
        let Some(creating) = self.open.get_mut(&ticket) else {
            return;
        };
        let dealt = self.dealer.deal(view, &creating.creation, &creating.avoid);
        let Some((object, members)) = dealt else {
            creating.avoid.clear();
            return;
        };
        if self.by_object.contains_key(&object) {
            return;
        }
        creating.attempt = Some(Attempt {
            object,
            configuration: first_set(members),
            stored: BTreeSet::new(),
            refused: BTreeSet::new(),
        });
        self.by_object.insert(object, ticket);
    }

    fn count(
        &mut self,
        now: Instant,
        view: &MembershipView,
        (ticket, from, answer): (Ticket, ProcessId, Answer),
        fx: &mut CreationEffects,
    ) {
        let Some(creating) = self.open.get_mut(&ticket) else {
            return;
        };
        let Some(attempt) = &mut creating.attempt else {
            return;
        };
        let Some(index) = attempt.configuration.index_of(&from) else {
            return;
        };
        match answer {
            Answer::Stored => {
                attempt.stored.insert(index);
            }
            Answer::Refused => {
                attempt.refused.insert(index);
                creating.avoid.insert(from);
            }
            Answer::Outdated => {
                attempt.refused.insert(index);
            }
        }
        let members = attempt.configuration.members.len();
        if attempt.stored.len() >= attempt.configuration.majority() {
            self.succeed(ticket, fx);
        } else if members - attempt.refused.len() < attempt.configuration.majority()
            && creating.creation.id.is_none()
        {
            self.attempt(now, view, ticket, fx);
        }
    }

    fn succeed(&mut self, ticket: Ticket, fx: &mut CreationEffects) {
        let Some(creating) = self.open.remove(&ticket) else {
            return;
        };
        let Some(attempt) = creating.attempt else {
            return;
        };
        self.by_object.remove(&attempt.object);
        let reference = RawRef {
            id: attempt.object,
            kind: creating.creation.kind.as_str().into(),
            configuration: Some(attempt.configuration.into()),
        };
        let handle = creating.creation.handle;
        fx.created.push((ticket, handle, BORN_SESSION, reference));
    }

    fn fail(&mut self, ticket: Ticket, fx: &mut CreationEffects) {
        self.abandon(ticket, fx);
        let Some(creating) = self.open.remove(&ticket) else {
            return;
        };
        let cause = if creating.anybody {
            Cause::NoQuorum
        } else {
            Cause::UnknownKind(creating.creation.kind)
        };
        fx.failed.push((ticket, cause));
    }

    /// Gives up an attempt. Nobody has learned a fresh id, so what was installed may go; a
    /// given id may be tried again, and a tombstone would forbid that.
    fn abandon(&mut self, ticket: Ticket, fx: &mut CreationEffects) {
        let Some(creating) = self.open.get_mut(&ticket) else {
            return;
        };
        let Some(attempt) = creating.attempt.take() else {
            return;
        };
        self.by_object.remove(&attempt.object);
        if creating.creation.id.is_some() {
            return;
        }
        for process in attempt.configuration.processes() {
            fx.sends
                .push((process, retire(attempt.object, &attempt.configuration)));
        }
    }
}

impl Creating {
    fn names(&self, process: &ProcessId) -> bool {
        self.attempt
            .as_ref()
            .is_some_and(|attempt| attempt.configuration.index_of(process).is_some())
    }
}

impl core::fmt::Debug for Creations {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Creations")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

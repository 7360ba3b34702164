//! One handle's calls on one object, in the order made, and the session that they run under.

use alloc::collections::{BTreeMap, BTreeSet};

use overlay_proto::Instant;

use super::call::{Call, CallId, Purpose, What};
use crate::caller::HandleId;
use crate::machine::Ticket;
use crate::message::Position;
use crate::object::{MethodId, ObjectId};
use crate::session::SessionId;

/// Whose calls keep an order among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A handle.
    Handle(HandleId),
    /// The outbox of an object hosted here.
    Outbox(ObjectId),
    /// A deletion or an inspection, alone.
    Operator(Ticket),
}

/// Whose calls on which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneKey {
    pub(super) owner: Owner,
    pub(super) object: ObjectId,
}

/// The open calls of a lane and its session.
#[derive(Debug)]
pub(super) struct Lane {
    /// Open calls, in the order made.
    pub(super) calls: BTreeSet<CallId>,
    /// Every open call before this one has been sent.
    cursor: CallId,
    /// The writes among the open calls.
    writes: BTreeMap<CallId, Write>,
    pub(super) session: LaneSession,
    /// When its last call was made.
    pub(super) used: Instant,
    /// A write under its session ended, and may yet run: only under the same session is it kept
    /// from running after later ones.
    pub(super) doubtful: bool,
    /// The kind that the handle expects.
    pub(super) kind: MethodId,
    /// The handle is gone.
    pub(super) released: bool,
    /// The oldest call, if it was sent once more because it seemed lost, and the first attempt
    /// that did so.
    probed: Option<(CallId, u16)>,
}

/// The state of a lane's session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LaneSession {
    /// None is needed yet, or it was forgotten by the object.
    #[default]
    None,
    /// This call opens it.
    Opening(CallId),
    /// It is open.
    Open {
        /// The session.
        id: SessionId,
        /// The next write's number.
        next: u64,
    },
}

/// How an open write is told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// By an id derived from the call that it is made in.
    Nested,
    /// Not yet at all.
    Waiting,
    /// By a number under a session.
    Numbered(SessionId, u64),
}

/// Whether a call may be sent.
pub(super) enum Readiness {
    /// Yes, with this position.
    Send(Position),
    /// A session must be opened first.
    NeedSession,
    /// An earlier call of the lane must end first.
    Wait,
}

impl Lane {
    /// A lane without calls.
    pub(super) const fn new(now: Instant, kind: MethodId, session: LaneSession) -> Self {
        Self {
            used: now,
            doubtful: false,
            calls: BTreeSet::new(),
            cursor: CallId(0),
            writes: BTreeMap::new(),
            session,
            kind,
            released: false,
            probed: None,
        }
    }

    /// The call that opens the session, if one does.
    pub(super) const fn opening(&self) -> Option<CallId> {
        match self.session {
            LaneSession::Opening(id) => Some(id),
            LaneSession::None | LaneSession::Open { .. } => None,
        }
    }

    /// Appends a call.
    pub(super) fn push(&mut self, id: CallId, call: &Call) {
        self.calls.insert(id);
        if call.is_write() {
            let write = if call.nested().is_some() {
                Write::Nested
            } else {
                Write::Waiting
            };
            self.writes.insert(id, write);
        }
    }

    /// Takes a call out, whatever became of it.
    pub(super) fn remove(&mut self, id: CallId) {
        self.calls.remove(&id);
        self.writes.remove(&id);
    }

    /// The first call that has not been sent.
    pub(super) fn next_unsent(&self) -> Option<CallId> {
        self.calls.range(self.cursor..).next().copied()
    }

    /// The call is on its way: go on with the one after it.
    pub(super) fn pass(&mut self, id: CallId) {
        self.cursor = id.next();
    }

    /// All calls are to be looked at again, and an answer to what was sent until now shows nothing
    /// about what is sent from now on.
    pub(super) fn rewind(&mut self) {
        self.cursor = CallId(0);
        self.probed = None;
    }

    /// Calls from this one on are to be looked at again.
    pub(super) fn rewind_to(&mut self, id: CallId) {
        self.cursor = self.cursor.min(id);
    }

    /// The oldest call was sent once more with this attempt.
    pub(super) fn probed(&mut self, id: CallId, attempt: u16) {
        if self.probed.is_none_or(|(probed, _)| probed != id) {
            self.probed = Some((id, attempt));
        }
    }

    /// Whether an answer to this attempt shows that what was sent before it is lost: links keep
    /// the order, and the attempts before it were not answered.
    pub(super) fn shows_loss(&self, id: CallId, attempt: u16) -> bool {
        self.probed
            .is_some_and(|(probed, first)| probed == id && attempt >= first)
    }

    /// Whether the call is under way under a session that the lane has given up: nothing behind
    /// it may pass it.
    pub(super) fn is_on_old_session(&self, id: CallId) -> bool {
        matches!(self.writes.get(&id), Some(Write::Numbered(session, _))
            if !matches!(self.session, LaneSession::Open { id, .. } if id == *session))
    }

    /// The session that a write was last numbered under.
    pub(super) fn session_of(&self, id: CallId) -> Option<SessionId> {
        match self.writes.get(&id) {
            Some(Write::Numbered(session, _)) => Some(*session),
            _ => None,
        }
    }

    /// A write that certainly did not run gets a number under another session.
    pub(super) fn renumber(&mut self, id: CallId) {
        if let Some(write @ Write::Numbered(..)) = self.writes.get_mut(&id) {
            *write = Write::Waiting;
        }
    }

    /// Writes that wait for a session.
    pub(super) fn waiting_writes(&self) -> impl Iterator<Item = CallId> + '_ {
        self.writes
            .iter()
            .filter(|(_, write)| **write == Write::Waiting)
            .map(|(id, _)| *id)
    }

    /// Whether the call may be sent now, and with which position.
    pub(super) fn readiness(&mut self, id: CallId, call: &Call) -> Readiness {
        let What::Method(method) = &call.what else {
            return Readiness::Send(Position::Unordered);
        };
        if let Purpose::Outbox { source, number } = call.purpose {
            return Readiness::Send(Position::Outbox { source, number });
        }
        let before = self.writes.range(..id).next_back().map(|(_, write)| *write);
        match (method.nested, before) {
            (_, Some(Write::Nested)) | (Some(_), Some(_)) => Readiness::Wait,
            (Some((source, id)), None) if method.write => {
                Readiness::Send(Position::Nested { source, id })
            }
            _ if method.write => self.write_readiness(id, before),
            (_, None) => Readiness::Send(Position::Unordered),
            (_, Some(Write::Waiting)) => Readiness::Wait,
            (_, Some(Write::Numbered(session, predecessor))) => {
                let floor = self.floor(session);
                Readiness::Send(Position::After {
                    session,
                    predecessor,
                    floor,
                })
            }
        }
    }

    fn write_readiness(&mut self, id: CallId, before: Option<Write>) -> Readiness {
        let (session, number) = match (self.writes.get(&id), &mut self.session) {
            (Some(Write::Numbered(session, number)), _) => (*session, *number),
            (Some(Write::Waiting), LaneSession::Open { id, next }) => {
                let number = *next;
                *next += 1;
                (*id, number)
            }
            (Some(Write::Waiting), _) => return Readiness::NeedSession,
            (Some(Write::Nested) | None, _) => return Readiness::Wait,
        };
        self.writes.insert(id, Write::Numbered(session, number));
        let predecessor = match before {
            Some(Write::Numbered(of, predecessor)) if of == session => predecessor,
            _ => 0,
        };
        let floor = self.floor(session);
        Readiness::Send(Position::Numbered {
            session,
            number,
            predecessor,
            floor,
        })
    }

    /// The lowest number under the session that is not settled.
    fn floor(&self, session: SessionId) -> u64 {
        let mut open = self.writes.values().filter_map(|write| match write {
            Write::Numbered(of, number) if *of == session => Some(*number),
            _ => None,
        });
        open.next().unwrap_or(0)
    }
}

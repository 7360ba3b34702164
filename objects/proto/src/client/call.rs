//! One open call: its attempts, and what may be said about it when it ends.

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Instant, ProcessId};

use super::lane::LaneKey;
use crate::execution::{CallChain, Codec};
use crate::machine::Ticket;
use crate::object::{MethodId, ObjectId};
use crate::outcome::{Cause, Outcome};

/// Attempts given up whose answers are still understood.
const OLDER_ATTEMPTS_MAX: usize = 8;

/// Bits of a request's id that number the attempt; the rest is the call.
const ATTEMPT_BITS: u32 = 16;

/// Names an open call of this client; rises with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallId(pub(super) u64);

impl CallId {
    /// The id of the request that is the call's attempt with this number.
    pub(super) const fn request(self, attempt: u16) -> u64 {
        self.0 << ATTEMPT_BITS | attempt as u64
    }

    /// The call and the attempt that a request's id stands for.
    pub(super) const fn of_request(id: u64) -> (Self, u16) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits are the attempt"
        )]
        let attempt = id as u16;
        (Self(id >> ATTEMPT_BITS), attempt)
    }

    /// The id after this one.
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Who hears of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Whoever holds the ticket of a call or a deletion.
    Complete(Ticket),
    /// Whoever holds the ticket of an inspection.
    Inspect(Ticket),
    /// The object whose outbox holds the call.
    Outbox {
        /// The calling object.
        source: ObjectId,
        /// The number in its outbox.
        number: u64,
    },
    /// The handle itself, which opens a session.
    OpenSession,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Run a method.
    Method(MethodCall),
    /// Delete the object.
    Delete,
    /// Describe the object.
    Inspect,
    /// Open a session.
    OpenSession,
}

/// A method and all that its host is told of the call.
#[derive(Clone, Debug)]
pub(super) struct MethodCall {
    pub(super) method: MethodId,
    pub(super) write: bool,
    pub(super) codec: Codec,
    pub(super) arguments: Bytes,
    pub(super) chain: CallChain,
    pub(super) one_way: bool,
    /// The calling object and the derived id of a call made inside a method.
    pub(super) nested: Option<(ObjectId, u128)>,
}

/// One sending of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) number: u16,
    pub(super) to: ProcessId,
    pub(super) at: Instant,
}

/// Which attempt an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The one that the client counts on.
    Current,
    /// One that it has given up.
    Older,
}

/// One open call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) key: LaneKey,
    pub(super) purpose: Purpose,
    /// The kind that the caller expects.
    pub(super) kind: MethodId,
    pub(super) what: What,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
    /// The attempt that the client counts on; without one the call waits to be sent.
    pub(super) current: Option<Attempt>,
    older: Vec<(u16, ProcessId)>,
    /// Attempts so far.
    sent: u32,
    /// Attempts of which no answer said that they were not executed.
    unresolved: u32,
    /// Why the last attempt was refused, where that was not final.
    pub(super) refused: Option<Cause>,
}

impl Call {
    /// A call that has not been sent.
    pub(super) const fn new(
        key: LaneKey,
        purpose: Purpose,
        kind: MethodId,
        what: What,
        began: Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            key,
            purpose,
            kind,
            what,
            began,
            deadline,
            current: None,
            older: Vec::new(),
            sent: 0,
            unresolved: 0,
            refused: None,
        }
    }

    /// The ticket, if the call has one.
    pub(super) const fn ticket(&self) -> Option<Ticket> {
        match self.purpose {
            Purpose::Complete(ticket) | Purpose::Inspect(ticket) => Some(ticket),
            Purpose::Outbox { .. } | Purpose::OpenSession => None,
        }
    }

    /// Whether the call keeps its place among the writes of its handle.
    pub(super) const fn is_write(&self) -> bool {
        matches!(&self.what, What::Method(call) if call.write)
            && !matches!(self.purpose, Purpose::Outbox { .. })
    }

    /// Whether a method waits for it.
    pub(super) const fn nested(&self) -> Option<(ObjectId, u128)> {
        match &self.what {
            What::Method(call) => call.nested,
            What::Delete | What::Inspect | What::OpenSession => None,
        }
    }

    /// How often the call was sent.
    pub(super) const fn sent(&self) -> u32 {
        self.sent
    }

    /// Whether some attempt may have been executed, or may still be.
    pub(super) const fn may_have_run(&self) -> bool {
        self.unresolved > 0
    }

    /// Notes that the call is sent, and gives the attempt's number.
    pub(super) fn attempt(&mut self, now: Instant, to: ProcessId) -> u16 {
        self.give_up_attempt();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "numbers of attempts may wrap"
        )]
        let number = self.sent as u16;
        self.sent = self.sent.saturating_add(1);
        self.unresolved = self.unresolved.saturating_add(1);
        self.current = Some(Attempt {
            number,
            to,
            at: now,
        });
        number
    }

    /// Counts on the current attempt no longer: it may have been lost.
    pub(super) fn give_up_attempt(&mut self) {
        if let Some(attempt) = self.current.take() {
            if self.older.len() == OLDER_ATTEMPTS_MAX {
                self.older.remove(0);
            }
            self.older.push((attempt.number, attempt.to));
        }
    }

    /// The numbers of all attempts that were sent to the process that the client counts on.
    pub(super) fn attempts_there(&self) -> Option<(ProcessId, impl Iterator<Item = u16> + '_)> {
        let current = self.current?;
        let older = self.older.iter().filter(move |(_, to)| *to == current.to);
        let numbers = older.map(|(number, _)| *number);
        Some((current.to, numbers.chain([current.number])))
    }

    /// Which attempt an answer with this number from this process belongs to, if to any.
    pub(super) fn standing(&self, number: u16, from: ProcessId) -> Option<Standing> {
        if self
            .current
            .is_some_and(|current| current.number == number && current.to == from)
        {
            Some(Standing::Current)
        } else if self.older.contains(&(number, from)) {
            Some(Standing::Older)
        } else {
            None
        }
    }

    /// The answer to this attempt said that it was not executed.
    pub(super) fn resolve(&mut self, number: u16) {
        if self.current.is_some_and(|current| current.number == number) {
            self.current = None;
        }
        self.older.retain(|(older, _)| *older != number);
        self.unresolved = self.unresolved.saturating_sub(1);
    }

    /// The weakest outcome over all attempts, none of which is known to have run.
    pub(super) fn ended(&self, cause: Cause) -> Outcome {
        match (&self.what, cause) {
            (_, cause) if !self.may_have_run() => Outcome::NotExecuted(cause),
            (What::Delete, Cause::Deleted) => Outcome::Executed,
            (_, cause) => Outcome::Indeterminate(cause),
        }
    }
}

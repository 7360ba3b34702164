//! Lists in messages have limits: a receiver refuses what no sender within the rules sends.

use super::FrameError;
use crate::delta::DELTA_PIECES_MAX;
use crate::execution::{CHAIN_MAX, CallChain, Deferred};
use crate::message::{
    AUDIT_MAX, Ask, Change, Copy, Description, Message, OutboxOp, REPLAY_CALLS_MAX, Refusal,
    RegisterMessage, Reply, Sighting, StateChange, Status, Value,
};
use crate::object::{Configuration, FORKS_MAX, MEMBERS_MAX};
use crate::session::{NESTED_KEPT_MAX, SESSION_BYTES_MAX, SESSION_ENTRIES_MAX, Sessions};

/// Most changes of the session table, or of the outbox, in one step.
pub const STEP_CHANGES_MAX: usize = 8 * 1024;

/// Most learners, or methods, in a description.
const DESCRIBED_MAX: usize = 1024;

/// Checks all lists of a message.
pub(super) fn check(message: &Message) -> Result<(), FrameError> {
    if fits(message) {
        Ok(())
    } else {
        Err(FrameError::Limits)
    }
}

fn fits(message: &Message) -> bool {
    match message {
        Message::Request(request) => match &request.ask {
            Ask::Call(call) => chain(&call.chain),
            Ask::OpenSession | Ask::CloseSession(_) | Ask::Delete { .. } | Ask::Inspect => true,
        },
        Message::Reply { reply, .. } => match reply {
            Reply::Description(found) => description(found),
            Reply::Refused(Refusal::Elsewhere(seen)) => sighting(seen),
            Reply::Refused(_) | Reply::Done { .. } | Reply::Session(_) => true,
        },
        Message::Here { sighting: seen, .. } => sighting(seen),
        Message::Register { message, .. } => register(message),
        Message::Surveyed { copy, .. } => copy.as_ref().is_none_or(survivor),
        Message::Audit { replicas } => replicas.len() <= AUDIT_MAX,
        Message::Cancel { .. }
        | Message::Where { .. }
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::RenewLease { .. }
        | Message::LeaseRenewed { .. }
        | Message::AskSilence { .. }
        | Message::Silence { .. }
        | Message::WaitProbe(_)
        | Message::Deadlocked { .. }
        | Message::Survey { .. }
        | Message::Recover { .. } => true,
    }
}

fn register(message: &RegisterMessage) -> bool {
    match message {
        RegisterMessage::Prepare {
            configuration: set, ..
        } => configuration(set),
        RegisterMessage::Promised { accepted, .. } => accepted
            .as_ref()
            .and_then(|accepted| accepted.value.as_ref())
            .is_none_or(value),
        RegisterMessage::Accept { change, .. } => match change {
            Change::Full {
                configuration: set,
                value: full,
            } => configuration(set) && value(full),
            Change::Kept { .. } => true,
            Change::Step {
                state,
                sessions,
                outbox,
                status: new,
                ..
            } => {
                state_change(state)
                    && sessions.len() <= STEP_CHANGES_MAX
                    && outbox.len() <= STEP_CHANGES_MAX
                    && outbox.iter().all(outbox_change)
                    && new.as_ref().is_none_or(status)
            }
        },
        RegisterMessage::Gone { sighting: seen, .. }
        | RegisterMessage::Retire { sighting: seen, .. } => sighting(seen),
        RegisterMessage::Stored { .. }
        | RegisterMessage::NeedFull { .. }
        | RegisterMessage::Rejected { .. }
        | RegisterMessage::Forgotten { .. }
        | RegisterMessage::Check { .. }
        | RegisterMessage::Checked { .. }
        | RegisterMessage::Leased { .. } => true,
    }
}

fn state_change(change: &StateChange) -> bool {
    match change {
        StateChange::Kept | StateChange::Whole(_) => true,
        StateChange::Delta(delta) => delta.pieces.len() <= DELTA_PIECES_MAX,
        StateChange::Replay(calls) => (1..=REPLAY_CALLS_MAX).contains(&calls.len()),
    }
}

fn chain(chain: &CallChain) -> bool {
    chain.holds.len() <= CHAIN_MAX
}

fn configuration(configuration: &Configuration) -> bool {
    (1..=MEMBERS_MAX).contains(&configuration.members.len())
        && configuration.forks.len() <= FORKS_MAX
}

fn sighting(sighting: &Sighting) -> bool {
    match sighting {
        Sighting::Member {
            configuration: set, ..
        } => configuration(set),
        Sighting::Unknown | Sighting::Deleted => true,
    }
}

fn value(value: &Value) -> bool {
    sessions(&value.sessions)
        && value.outbox.calls.len() <= STEP_CHANGES_MAX
        && value.outbox.calls.iter().all(|(_, call)| deferred(call))
        && status(&value.status)
}

fn sessions(sessions: &Sessions) -> bool {
    sessions.open.len() <= SESSION_BYTES_MAX
        && sessions
            .open
            .iter()
            .all(|session| session.entries.len() <= SESSION_ENTRIES_MAX)
        && sessions
            .callers
            .iter()
            .all(|caller| caller.nested.len() <= NESTED_KEPT_MAX)
}

fn status(status: &Status) -> bool {
    match status {
        Status::Sealed { next, .. } => configuration(next),
        Status::Live | Status::Deleted => true,
    }
}

fn outbox_change(change: &OutboxOp) -> bool {
    match change {
        OutboxOp::Push(call) => deferred(call),
        OutboxOp::Done(_) => true,
    }
}

fn deferred(call: &Deferred) -> bool {
    call.target
        .configuration
        .as_deref()
        .is_none_or(configuration)
}

fn description(description: &Description) -> bool {
    configuration(&description.configuration)
        && description.learners.len() <= DESCRIBED_MAX
        && description.methods.len() <= DESCRIBED_MAX
}

fn survivor(copy: &Copy) -> bool {
    configuration(&copy.configuration)
}

//! How a step travels, and what one peer is sent.

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Instant, ProcessId};

use crate::digest::digest_of_call;
use crate::message::{
    Change, OutboxOp, REPLAY_CALLS_MAX, RegisterMessage, ReplayCall, StateChange,
};
use crate::object::{ObjectId, Version};
use crate::reads::Reads;
use crate::register::maker::Step;
use crate::register::primary::{Peer, Phase};
use crate::register::queue::CallWork;
use crate::register::record::Record;
use crate::register::round::{Ask, RESEND, Round};
use crate::register::{Effects, Env, Mutation, Replica, Role};
use crate::session::SessionOp;

/// Calls are shipped instead of what they made if they are smaller by this many bytes: below
/// that, running them again costs more than it saves.
const REPLAY_SAVES_MIN: usize = 4 * 1024;

/// A peer that asked for the whole value instead of running calls is sent none with as many of
/// the steps after that.
const REPLAY_PAUSE: u32 = 64;

/// A step on its way to those that hold the version before.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    base: Version,
    /// The step, its state in a form that needs nothing to be run.
    step: Change,
    /// The calls that made the state, where they are much smaller.
    replay: Option<Vec<ReplayCall>>,
}

impl Shipment {
    /// This step and the one after it, as one. Their states are shipped whole.
    pub(crate) fn joined(self, later: Self) -> Self {
        Self {
            base: self.base,
            step: joined(self.step, later.step),
            replay: None,
        }
    }

    fn change(&self, replay: bool) -> Change {
        let mut change = self.step.clone();
        if let (true, Some(calls), Change::Step { state, .. }) = (replay, &self.replay, &mut change)
        {
            *state = StateChange::Replay(calls.clone());
        }
        change
    }
}

/// Two steps that ship their states whole, as one.
fn joined(earlier: Change, later: Change) -> Change {
    match (earlier, later) {
        (
            Change::Step {
                base,
                state: old_state,
                mut sessions,
                mut outbox,
                status: old_status,
            },
            Change::Step {
                state,
                sessions: more_sessions,
                outbox: more_outbox,
                status,
                ..
            },
        ) => {
            sessions.extend(more_sessions);
            outbox.extend(more_outbox);
            let kept = state == StateChange::Kept;
            Change::Step {
                base,
                state: if kept { old_state } else { state },
                sessions,
                outbox,
                status: status.or(old_status),
            }
        }
        (_, later) => later,
    }
}

/// The calls that made a batch's state, as long as all of them are deterministic.
#[derive(Debug)]
pub(crate) struct Made(Option<Vec<MadeBy>>);

/// A call and what it made.
#[derive(Debug)]
struct MadeBy {
    call: ReplayCall,
    state: Bytes,
    result: Bytes,
}

impl Made {
    /// Nothing was made.
    pub(crate) const fn nothing() -> Self {
        Self(Some(Vec::new()))
    }

    /// Adds a call that succeeded and changed the state.
    pub(crate) fn add(&mut self, call: &CallWork, state: &Bytes, result: &Bytes) {
        match &mut self.0 {
            Some(made) if call.deterministic && made.len() < REPLAY_CALLS_MAX => {
                made.push(MadeBy {
                    call: ReplayCall {
                        method: call.request.method,
                        codec: call.request.codec,
                        arguments: call.request.arguments.clone(),
                        digest: 0,
                    },
                    state: state.clone(),
                    result: result.clone(),
                });
            }
            _ => self.0 = None,
        }
    }

    /// The calls, if shipping them saves enough of `instead`. Only then is anything hashed.
    fn instead_of(self, instead: &StateChange) -> Option<Vec<ReplayCall>> {
        let made = self.0.filter(|made| !made.is_empty())?;
        let bytes: usize = made.iter().map(|made| made.call.bytes()).sum();
        if instead.bytes() < bytes + REPLAY_SAVES_MIN {
            return None;
        }
        let digested = |made: MadeBy| ReplayCall {
            digest: digest_of_call(&made.state, &made.result),
            ..made.call
        };
        Some(made.into_iter().map(digested).collect())
    }
}

impl Replica {
    /// Puts a step on record here and sends it to the others; without a version of its own it
    /// is a check.
    pub(super) fn ship_step(&mut self, env: &mut Env<'_>, mut step: Step, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(held) = &mut self.record.accepted else {
            return;
        };
        primary.phase = Phase::Idle;
        for number in core::mem::take(&mut primary.outbox_done) {
            let mut calls = held.value.outbox.calls.iter();
            if calls.any(|(held, _)| *held == number) {
                step.outbox.push(OutboxOp::Done(number));
            }
        }
        if step.version == held.version && !step.outbox.is_empty() {
            step.version = step.version.next();
        }
        if step.version > held.version {
            let base = held.version;
            let weak = primary.weak.is_some();
            let state = if weak || primary.peers.is_empty() {
                StateChange::whole(step.state.as_ref())
            } else {
                StateChange::between(&held.value.state, step.state.as_ref())
            };
            let replay = step.made.instead_of(&state).filter(|_| !weak);
            let reads_beside = primary.reads != Reads::Quorum && !weak;
            primary.before = reads_beside.then(|| (base, held.value.state.clone()));
            held.value.apply(
                step.state.as_ref(),
                &step.sessions,
                &step.outbox,
                step.status.as_ref(),
            );
            held.version = step.version;
            if env.mutation == Some(Mutation::CallsUnremembered) {
                step.sessions
                    .retain(|op| !matches!(op, SessionOp::Ran { .. }));
            }
            let ends = step.status.is_some();
            let change = Change::Step {
                base,
                state,
                sessions: step.sessions,
                outbox: step.outbox,
                status: step.status,
            };
            let shipment = Shipment {
                base,
                step: change,
                replay,
            };
            if weak && !ends {
                self.answer_before_shipping(env, shipment, &step.answers, fx);
                return;
            }
            let ask = Ask::Accept(step.version);
            self.start_round(env, ask, Some(shipment), step.answers, fx);
            if ends && env.mutation == Some(Mutation::SealUnchosen) {
                self.begin_finish(env, fx);
            }
            self.launch_snapshots(env, fx);
        } else if !step.answers.is_empty() {
            self.answer_or_check(env, step.answers, fx);
        }
    }
}

/// The peer asked for the whole value: if it was to run calls, it is left in peace for a while.
pub(crate) fn needs_full(peer: &mut Peer) {
    peer.sent = None;
    if core::mem::take(&mut peer.replays) {
        peer.replay_pause = REPLAY_PAUSE;
    }
}

/// Whether this peer's answer is missing in the round.
pub(crate) fn wants(round: &Round, peer: &Peer) -> bool {
    match (round.ask, peer.vote) {
        (_, Some(index)) => !round.acks.contains(index),
        (Ask::Accept(version), None) => peer.stored < Some(version),
        (Ask::Check, None) => false,
    }
}

/// Sends one peer what a round asks of it.
pub(crate) fn send(
    object: ObjectId,
    record: &Record,
    round: &Round,
    peer: &mut Peer,
    process: ProcessId,
    now: Instant,
    fx: &mut Effects,
) {
    match round.ask {
        Ask::Accept(_) => ship(object, record, round.step.as_ref(), peer, process, now, fx),
        Ask::Check if peer.vote.is_some() => {
            let check = RegisterMessage::Check {
                epoch: record.epoch(),
                ballot: record.promised,
                round: round.number,
                lease: round.lease,
            };
            peer.due = now + RESEND;
            fx.register(process, object, check);
        }
        Ask::Check => {}
    }
}

/// Sends one peer the value on record: as a step if that is known to fit, else whole, unless it
/// promised with that very value. Only the first send of a step leaves the peer to run its calls,
/// and only the first send leaves it what it has; nothing waits for that twice.
pub(crate) fn ship(
    object: ObjectId,
    record: &Record,
    step: Option<&Shipment>,
    peer: &mut Peer,
    process: ProcessId,
    now: Instant,
    fx: &mut Effects,
) {
    let Some(held) = &record.accepted else {
        return;
    };
    let step = step.filter(|step| peer.sent == Some(step.base));
    peer.replays = peer.unanswered == 0
        && peer.replay_pause == 0
        && step.is_some_and(|step| step.replay.is_some());
    peer.replay_pause = peer.replay_pause.saturating_sub(1);
    let keeps = peer.keeps.take();
    let change = match (step, keeps) {
        (Some(step), _) => step.change(peer.replays),
        (None, Some(from)) => Change::Kept { from },
        (None, None) => Change::Full {
            configuration: (*record.configuration).clone(),
            value: held.value.clone(),
        },
    };
    let accept = RegisterMessage::Accept {
        epoch: record.epoch(),
        ballot: record.promised,
        version: held.version,
        change,
    };
    peer.sent = Some(held.version);
    peer.due = now + RESEND;
    fx.register(process, object, accept);
}

//! Steps that arrive as calls: a backup runs them for itself and compares before it answers.
//!
//! An answer is a vote, so it must stand for the very value that the primary has. A backup that
//! comes to another one, that cannot run the calls, or that has too much waiting asks for the
//! whole value; and a primary that waits for too long sends what was made instead of the calls.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, ProcessId};

use crate::digest::digest_of_call;
use crate::execution::{CallChain, ExecutionCall, ExecutionKey, ExecutionMode, Ran};
use crate::message::{Change, RegisterMessage, ReplayCall, StateChange};
use crate::object::{Ballot, MethodId, Version};
use crate::register::record::AcceptAnswer;
use crate::register::{Effects, Env, Mutation, Note, Replica};

/// Most steps that wait behind one whose calls are being run.
pub(crate) const WAITING_MAX: usize = 8;

/// The budget of a call that is run again. It is synchronous, so that nothing can stop it: the
/// budget is only there because every call has one.
const BUDGET: Duration = Duration::from_secs(10);

/// A step whose calls are being run here.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    key: ExecutionKey,
    /// Who is to be answered.
    from: ProcessId,
    version: Version,
    /// The step, its state still as calls.
    change: Change,
    /// What came after it.
    waiting: VecDeque<(ProcessId, Version, Change)>,
}

impl Replay {
    /// How many changes wait for its end.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// What a replay came to.
enum Verdict {
    /// The same as at the primary.
    Same(Bytes),
    /// Something else, from this call on.
    Differs(MethodId),
    /// It was not run.
    NotRun,
}

impl Replica {
    /// Puts a change of this epoch on record and answers: at once, or once its calls were run.
    pub(super) fn store(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        (ballot, version): (Ballot, Version),
        change: Change,
        fx: &mut Effects,
    ) {
        let Some(change) = self.defer(env, from, (ballot, version), change, fx) else {
            return;
        };
        let epoch = self.record.epoch();
        let higher = ballot > self.record.promised;
        let by_delta = is_delta(&change);
        match self.record.accept(ballot, version, change, env.mutation) {
            AcceptAnswer::Stored(_) => {
                if by_delta {
                    fx.notes.push(Note::DeltaStored);
                }
                self.stored(env, from, higher, fx);
                self.leave_overtaken_replay(env, fx);
            }
            AcceptAnswer::NeedFull => self.need_full(from, ballot, fx),
            AcceptAnswer::Rejected(promised) => {
                let rejected = RegisterMessage::Rejected { epoch, promised };
                fx.register(from, self.object, rejected);
            }
        }
    }

    fn stored(&mut self, env: &mut Env<'_>, from: ProcessId, higher: bool, fx: &mut Effects) {
        if higher {
            self.heard_primary = false;
        }
        self.end_grant(env, higher);
        self.hear_primary(from, higher, fx);
        self.note_status(env);
        self.say_stored(from, fx);
    }

    fn need_full(&self, to: ProcessId, ballot: Ballot, fx: &mut Effects) {
        let epoch = self.record.epoch();
        fx.register(to, self.object, RegisterMessage::NeedFull { epoch, ballot });
    }

    /// Runs the calls of a step that has some, and lets what comes after it wait; gives back
    /// what can be judged at once.
    fn defer(
        &mut self,
        env: &Env<'_>,
        from: ProcessId,
        (ballot, version): (Ballot, Version),
        change: Change,
        fx: &mut Effects,
    ) -> Option<Change> {
        let Change::Step { base, state, .. } = &change else {
            return Some(change);
        };
        let (base, calls) = match state {
            StateChange::Replay(calls) => (*base, Some(calls)),
            _ => (*base, None),
        };
        let current = self.is_replay_current();
        if let Some(replay) = self.replay.as_mut().filter(|_| current)
            && replay.key.ballot == ballot
        {
            if base >= replay.version && replay.waiting.len() < WAITING_MAX {
                replay.waiting.push_back((from, version, change));
                return None;
            }
            if version <= replay.version && calls.is_some() {
                return None;
            }
        }
        let fits = self.record.promised == ballot && self.record.newest() == (ballot, base);
        let Some(calls) = calls.filter(|_| fits && version > base) else {
            return Some(change);
        };
        let Some(calls) = self.runnable(env, from, calls) else {
            return Some(change);
        };
        let (key, execution) = self.execution(calls, ExecutionMode::Replay)?;
        self.replay = Some(
            Replay {
                key,
                from,
                version,
                change,
                waiting: VecDeque::new(),
            }
            .into(),
        );
        fx.executions.push(execution);
        if env.mutation == Some(Mutation::ReplayAnswersFirst) {
            let stored = RegisterMessage::Stored {
                epoch: key.epoch,
                ballot,
                version,
                stamp: self.record.stamp,
            };
            fx.register(from, self.object, stored);
        }
        None
    }

    /// The calls as the executor gets them, if the kind in this version is hosted here and every
    /// method is deterministic here too.
    fn runnable(
        &self,
        env: &Env<'_>,
        from: ProcessId,
        calls: &[ReplayCall],
    ) -> Option<Vec<ExecutionCall>> {
        let value = &self.record.accepted.as_ref()?.value;
        let runs = |call: &ReplayCall| {
            env.methods
                .method(&value.kind, value.kind_version, call.method)
                .is_some_and(|method| method.deterministic)
        };
        let all = env.methods.hosts(&value.kind, value.kind_version) && calls.iter().all(runs);
        let execution_call = |call: &ReplayCall| ExecutionCall {
            method: call.method,
            codec: call.codec,
            arguments: call.arguments.clone(),
            budget: BUDGET,
            caller: from,
            chain: CallChain::default(),
        };
        all.then(|| calls.iter().map(execution_call).collect())
    }

    /// Whether what a replay starts from is what is on record.
    fn is_replay_current(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| {
            let key = &replay.key;
            self.record.epoch() == key.epoch
                && self.record.promised == key.ballot
                && self.record.newest() == (key.ballot, key.base)
        })
    }

    /// Whether this is the answer to a replay; then it is taken.
    pub(super) fn on_replayed(
        &mut self,
        env: &mut Env<'_>,
        key: &ExecutionKey,
        ran: &[Ran],
        fx: &mut Effects,
    ) -> bool {
        let current = self.is_replay_current();
        let Some(replay) = self.replay.take_if(|replay| replay.key == *key) else {
            return false;
        };
        if current {
            self.compare(env, *replay, ran, fx);
        }
        true
    }

    fn compare(&mut self, env: &mut Env<'_>, replay: Replay, ran: &[Ran], fx: &mut Effects) {
        let (from, ballot) = (replay.from, replay.key.ballot);
        match verdict(&replay.change, ran, env.mutation) {
            Verdict::Same(state) => {
                let change = with_state(replay.change, state);
                fx.notes.push(Note::Replayed);
                self.store(env, from, (ballot, replay.version), change, fx);
                for (from, version, change) in replay.waiting {
                    self.store(env, from, (ballot, version), change, fx);
                }
            }
            Verdict::Differs(method) => {
                fx.notes.push(Note::ReplayDiffered(method));
                self.need_full(from, ballot, fx);
            }
            Verdict::NotRun => self.need_full(from, ballot, fx),
        }
    }

    /// What a replay would have made has come from the primary: go on behind it.
    fn leave_overtaken_replay(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        if self.is_replay_current() {
            return;
        }
        let Some(replay) = self.replay.take() else {
            return;
        };
        let Replay { key, waiting, .. } = *replay;
        if key.epoch != self.record.epoch() || key.ballot != self.record.promised {
            return;
        }
        for (from, version, change) in waiting {
            self.store(env, from, (key.ballot, version), change, fx);
        }
    }
}

fn is_delta(change: &Change) -> bool {
    matches!(
        change,
        Change::Step {
            state: StateChange::Delta(_),
            ..
        }
    )
}

/// The step with what its calls made.
fn with_state(mut change: Change, made: Bytes) -> Change {
    if let Change::Step { state, .. } = &mut change {
        *state = StateChange::Whole(made);
    }
    change
}

/// Whether every call came to what it came to at the primary.
fn verdict(change: &Change, ran: &[Ran], mutation: Option<Mutation>) -> Verdict {
    let Change::Step {
        state: StateChange::Replay(calls),
        ..
    } = change
    else {
        return Verdict::NotRun;
    };
    let mut made = None;
    for (call, ran) in calls.iter().zip(ran) {
        match ran {
            Ran::Returned {
                result,
                state: Some(state),
                after_commit,
            } if mutation == Some(Mutation::ReplayAnswersFirst)
                || after_commit.is_empty() && digest_of_call(state, result) == call.digest =>
            {
                made = Some(state.clone());
            }
            Ran::Returned { .. } | Ran::Failed(_) => return Verdict::Differs(call.method),
            Ran::Refused(_) => return Verdict::NotRun,
        }
    }
    match made.filter(|_| ran.len() == calls.len()) {
        Some(state) => Verdict::Same(state),
        None => Verdict::NotRun,
    }
}

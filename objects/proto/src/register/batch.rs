//! Batches: which queued calls run together, and what their results make of the value.

use alloc::boxed::Box;
use alloc::vec::Vec;

use overlay_proto::Instant;

use crate::execution::{Executed, Execution, ExecutionCall, ExecutionKey, ExecutionMode, Ran};
use crate::message::{Reply, Status};
use crate::object::{Configuration, Seal};
use crate::outcome::Witness;
use crate::register::maker::{Maker, Step, answer_now};
use crate::register::plan::{Forming, Next, Plan};
use crate::register::primary::{Phase, Running};
use crate::register::proposal::Proposed;
use crate::register::queue::Item;
use crate::register::{Effects, Env, Mutation, Note, Replica, Role, expiry};

/// One request of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) item: Item,
    pub(crate) plan: Plan,
}

impl Replica {
    /// Begins what is to be done next. Whether there was anything.
    pub(super) fn begin(&mut self, env: &mut Env<'_>, fx: &mut Effects) -> bool {
        let Role::Primary(primary) = &mut self.role else {
            return false;
        };
        let Some(held) = &self.record.accepted else {
            return false;
        };
        if held.value.status != Status::Live {
            if !primary.confirmed {
                self.confirm(env, fx);
                return true;
            }
            return false;
        }
        match primary.next_proposal(env) {
            Proposed::Nothing => {}
            Proposed::Waits => return false,
            Proposed::Ready(proposal) => {
                let mut step = Step::at(held.version);
                step.version = step.version.next();
                let seal = Seal {
                    ballot: primary.ballot,
                    version: step.version,
                };
                let named = env.mutation != Some(Mutation::SealUnnamed);
                step.status = Some(Status::Sealed {
                    next: Box::new(Configuration {
                        seal: named.then_some(seal),
                        ..proposal.next
                    }),
                    first_primary: proposal.first_primary,
                });
                self.ship_step(env, step, fx);
                return true;
            }
        }
        let batch = self.form(env, fx);
        if !batch.is_empty() {
            self.run(env, batch, fx);
            return true;
        }
        let Role::Primary(primary) = &mut self.role else {
            return false;
        };
        if !primary.answers.is_empty() {
            let answers = core::mem::take(&mut primary.answers);
            self.answer_or_check(env, answers, fx);
            return true;
        }
        if !primary.outbox_done.is_empty() {
            let step = Step::at(self.record.newest().1);
            self.ship_step(env, step, fx);
            return true;
        }
        false
    }

    /// Takes from the queue what goes together.
    fn form(&mut self, env: &mut Env<'_>, fx: &mut Effects) -> Vec<Planned> {
        let mut forming = Forming::default();
        loop {
            let Role::Primary(primary) = &mut self.role else {
                return forming.batch;
            };
            let (Some(held), Some(item)) = (&self.record.accepted, primary.queue.front()) else {
                return forming.batch;
            };
            let witness = Witness {
                epoch: self.record.configuration.epoch,
                version: held.version,
            };
            match forming.next(env, primary, &held.value, witness, item) {
                Next::Wait => return forming.batch,
                Next::Snapshot if primary.snapshot_room() == 0 => return forming.batch,
                Next::Snapshot => {
                    if let Some(item) = primary.queue.pop() {
                        self.launch_snapshot(env, item, fx);
                    }
                }
                Next::Now(reply) => {
                    if let Some(item) = primary.queue.pop() {
                        primary.queue.release(&item);
                        // One that was begun and given up is not said not to have run.
                        if !(item.started && matches!(reply, Reply::Refused(_))) {
                            answer_now(&item, &reply, fx);
                        }
                    }
                }
                Next::Take(plan) => {
                    if let Some(item) = primary.queue.pop()
                        && forming.take(item, plan, primary.queue.len())
                    {
                        return forming.batch;
                    }
                }
            }
        }
    }

    /// Executes a batch, or ships it at once if there is nothing to execute.
    fn run(&mut self, env: &mut Env<'_>, batch: Vec<Planned>, fx: &mut Effects) {
        let calls: Vec<ExecutionCall> = batch
            .iter()
            .filter(|planned| matches!(planned.plan, Plan::Execute { .. }))
            .filter_map(|planned| execution_call(&planned.item, env.now))
            .collect();
        if calls.is_empty() {
            self.finish_batch(env, batch, Vec::new(), fx);
            return;
        }
        let Some((key, execution)) = self.execution(calls, ExecutionMode::Batch) else {
            return;
        };
        let alone = batch
            .iter()
            .any(|planned| matches!(planned.plan, Plan::Execute { alone: true }));
        if let Role::Primary(primary) = &mut self.role {
            primary.phase = Phase::Executing(Box::new(Running {
                key,
                batch,
                since: env.now,
                alone,
            }));
        }
        fx.executions.push(execution);
        if alone {
            self.launch_snapshots(env, fx);
        }
    }

    /// An execution of these calls on the value on record.
    pub(super) fn execution(
        &mut self,
        calls: Vec<ExecutionCall>,
        mode: ExecutionMode,
    ) -> Option<(ExecutionKey, Execution)> {
        let held = self.record.accepted.as_ref()?;
        self.attempts += 1;
        let key = ExecutionKey {
            epoch: self.record.configuration.epoch,
            ballot: self.record.promised,
            base: held.version,
            attempt: self.attempts,
        };
        let execution = Execution {
            object: self.object,
            kind: held.value.kind.clone(),
            key,
            state: held.value.state.clone(),
            mode,
            calls,
        };
        Some((key, execution))
    }

    /// Takes the executor's answer.
    pub fn on_executed(&mut self, env: &mut Env<'_>, executed: Executed, fx: &mut Effects) {
        if self.on_replayed(env, &executed.key, &executed.ran, fx) {
            return;
        }
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let place = primary
            .snapshots
            .iter()
            .position(|snapshot| snapshot.key == executed.key);
        if let Some(place) = place {
            let snapshot = primary.snapshots.remove(place);
            self.snapshot_ended(env, &snapshot, executed.ran, fx);
            self.launch_snapshots(env, fx);
        } else if let Phase::Executing(running) = &primary.phase
            && (running.key == executed.key || env.mutation == Some(Mutation::OldResultsTaken))
            && let Phase::Executing(running) = core::mem::replace(&mut primary.phase, Phase::Idle)
        {
            self.finish_batch(env, running.batch, executed.ran, fx);
        }
        self.drive(env, fx);
    }

    /// Makes versions of what a batch came to and ships them; answers wait for the round.
    fn finish_batch(
        &mut self,
        env: &mut Env<'_>,
        batch: Vec<Planned>,
        ran: Vec<Ran>,
        fx: &mut Effects,
    ) {
        let mut plans = batch.iter().map(|planned| &planned.plan);
        let inspected = plans.any(|plan| matches!(plan, Plan::Inspect));
        let description = inspected.then(|| self.describe()).flatten();
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(held) = &mut self.record.accepted else {
            return;
        };
        for session in batch.iter().filter_map(|planned| planned.item.session()) {
            if held.value.sessions.session(session).is_some() {
                primary.used.insert(session, env.now);
            }
        }
        let mut step = Step::at(held.version);
        step.answers.reserve_exact(batch.len());
        step.sessions = expiry::with_next_version(env, primary, &held.value.sessions, held.version);
        let expired = step.sessions.len();
        let mut table = held.value.sessions.bytes();
        if expired > 0 {
            let mut left = held.value.sessions.clone();
            step.sessions.iter().for_each(|op| left.apply(op));
            table = left.bytes();
            if env.mutation == Some(Mutation::ExpiryUnshipped) {
                step.sessions.clear();
                held.value.sessions = left;
            }
        }
        step.sessions.reserve_exact(batch.len());
        let mut maker = Maker {
            value: &held.value,
            configuration: &self.record.configuration,
            table,
            ran: ran.into_iter(),
            broken: false,
            step,
            mutation: env.mutation,
        };
        let mut back = Vec::new();
        for planned in batch {
            if let Plan::Inspect = planned.plan {
                let reply = description.clone().map(Reply::Description);
                maker.answer(planned.item, reply, false);
            } else if let Some(item) = maker.add(primary, planned, fx) {
                back.push(item);
            }
        }
        let step = maker.step;
        if expired > 0 && step.version > held.version {
            fx.notes.push(Note::Expired(expired as u64));
        }
        for item in back.into_iter().rev() {
            primary.queue.put_back(item);
        }
        self.ship_step(env, step, fx);
    }
}

/// A queued call as the executor gets it.
pub(crate) fn execution_call(item: &Item, now: Instant) -> Option<ExecutionCall> {
    let call = item.call()?;
    Some(ExecutionCall {
        method: call.request.method,
        codec: call.request.codec,
        arguments: call.request.arguments.clone(),
        budget: item.rest(now),
        caller: item.caller,
        chain: call.request.chain.clone(),
    })
}

//! What a batch came to, as versions: states, session entries, outbox calls, answers.

use alloc::string::String;
use alloc::vec::{self, Vec};

use bytes::Bytes;

use crate::execution::{Deferred, Ran};
use crate::message::{OutboxOp, Refusal, Reply, Status, Value};
use crate::object::{Configuration, Version};
use crate::outcome::{Cause, Outcome, Witness};
use crate::register::batch::Planned;
use crate::register::plan::Plan;
use crate::register::primary::{Answer, Primary};
use crate::register::queue::Item;
use crate::register::ship::Made;
use crate::register::{Effects, Mutation};
use crate::session::{Origin, SessionId, SessionOp, Sessions};
use crate::value::STATE_BYTES_MAX;

/// What a batch makes of the value.
pub(crate) struct Step {
    pub(crate) version: Version,
    pub(crate) state: Option<Bytes>,
    /// By which calls.
    pub(crate) made: Made,
    pub(crate) sessions: Vec<SessionOp>,
    pub(crate) outbox: Vec<OutboxOp>,
    pub(crate) status: Option<Status>,
    pub(crate) answers: Vec<Answer>,
}

impl Step {
    pub(crate) const fn at(version: Version) -> Self {
        Self {
            version,
            state: None,
            made: Made::nothing(),
            sessions: Vec::new(),
            outbox: Vec::new(),
            status: None,
            answers: Vec::new(),
        }
    }
}

/// Turns results into versions, one by one.
pub(crate) struct Maker<'a> {
    pub(crate) value: &'a Value,
    pub(crate) configuration: &'a Configuration,
    /// What the session table weighs, bytes.
    pub(crate) table: usize,
    pub(crate) ran: vec::IntoIter<Ran>,
    /// A result could not be kept: those after it started from a state that is not.
    pub(crate) broken: bool,
    pub(crate) step: Step,
    pub(crate) mutation: Option<Mutation>,
}

impl Maker<'_> {
    /// Adds one request; gives it back if it must be run again.
    pub(crate) fn add(
        &mut self,
        primary: &mut Primary,
        planned: Planned,
        fx: &mut Effects,
    ) -> Option<Item> {
        let Planned { item, plan } = planned;
        if !matches!(plan, Plan::Execute { .. }) {
            primary.queue.release(&item);
        }
        match plan {
            Plan::Execute { .. } => return self.add_run(primary, item, fx),
            Plan::Open => {
                let version = self.version();
                let id = SessionId {
                    lineage: self.configuration.epoch.lineage,
                    version,
                };
                let owner = item.caller;
                self.step.sessions.push(SessionOp::Open { id, owner });
                self.answer(item, Some(Reply::Session(id)), true);
            }
            Plan::Close(id) => {
                self.version();
                primary.used.remove(&id);
                self.step.sessions.push(SessionOp::Close(id));
                let done = self.done(Outcome::Returned(Bytes::new()));
                self.answer(item, Some(done), true);
            }
            Plan::Delete(origin) => {
                self.step.status = Some(Status::Deleted);
                self.record(item, origin, Outcome::Returned(Bytes::new()), fx);
            }
            Plan::Verdict(origin, failure) => {
                self.record(item, origin, Outcome::Failed(failure), fx);
            }
            Plan::Known(reply) => self.answer(item, Some(reply), false),
            Plan::Inspect => {}
        }
        None
    }

    /// Adds a call that was executed.
    fn add_run(&mut self, primary: &mut Primary, item: Item, fx: &mut Effects) -> Option<Item> {
        let ran = self.ran.next().filter(|_| !self.broken);
        let write = item.call().is_some_and(|call| call.write);
        let Some(ran) = ran else {
            self.broken = true;
            return Some(item);
        };
        primary.queue.release(&item);
        match ran {
            Ran::Refused(cause) => refuse(&item, cause, fx),
            Ran::Failed(failure) if write => {
                if self.mutation == Some(Mutation::RollbackToCommitted) {
                    self.step.state = None;
                }
                self.record_call(item, Outcome::Failed(failure), fx);
            }
            Ran::Failed(failure) => {
                let done = self.done(Outcome::Failed(failure));
                self.answer(item, Some(done), false);
            }
            Ran::Returned { result, .. } if !write => {
                let done = self.done(Outcome::Returned(result));
                self.answer(item, Some(done), false);
            }
            Ran::Returned {
                result,
                state,
                after_commit,
            } => {
                if let Some(cause) = self.too_large(state.as_ref(), &after_commit) {
                    self.broken = true;
                    refuse(&item, cause, fx);
                    return None;
                }
                if let (Some(state), Some(call)) = (state, item.call()) {
                    self.step.made.add(call, &state, &result);
                    self.step.state = Some(state);
                }
                let pushes = after_commit.into_iter().map(OutboxOp::Push);
                self.step.outbox.extend(pushes);
                self.record_call(item, Outcome::Returned(result), fx);
            }
        }
        None
    }

    fn record_call(&mut self, item: Item, outcome: Outcome, fx: &mut Effects) {
        let origin = item
            .call()
            .and_then(|call| Origin::of(&call.request.position));
        self.record(item, origin, outcome, fx);
    }

    /// One version: the call ran and came to this.
    fn record(&mut self, item: Item, origin: Option<Origin>, outcome: Outcome, fx: &mut Effects) {
        let unshipped = self.mutation == Some(Mutation::FailuresUnshipped);
        if unshipped && matches!(outcome, Outcome::Failed(_)) {
            let done = self.done(outcome);
            answer_now(&item, &done, fx);
            return;
        }
        let version = self.version();
        let hash = item.hash;
        if let Some(origin) = origin {
            let kept = Sessions::kept(&origin, &outcome, self.table);
            self.table += Sessions::entry_bytes(&kept);
            self.step.sessions.push(SessionOp::Ran {
                origin,
                version,
                hash,
                outcome: kept,
            });
        }
        let done = self.done(outcome);
        self.answer(item, Some(done), true);
    }

    fn too_large(&self, state: Option<&Bytes>, after_commit: &[Deferred]) -> Option<Cause> {
        let bytes = state.map_or(0, Bytes::len);
        if bytes > STATE_BYTES_MAX {
            return Some(Cause::TooLarge {
                what: String::from("the state"),
                bytes: bytes as u64,
                limit: STATE_BYTES_MAX as u64,
            });
        }
        let pushed = self.step.outbox.iter().filter_map(|op| match op {
            OutboxOp::Push(call) => Some(call.clone()),
            OutboxOp::Done(_) => None,
        });
        let calls: Vec<Deferred> = pushed.chain(after_commit.iter().cloned()).collect();
        let room = after_commit.is_empty() || self.value.outbox.has_room(&calls);
        (!room).then(|| Cause::Overloaded(String::from("the object's outbox")))
    }

    fn version(&mut self) -> Version {
        self.step.version = self.step.version.next();
        self.step.version
    }

    fn done(&self, outcome: Outcome) -> Reply {
        Reply::Done {
            outcome,
            witness: Some(Witness {
                epoch: self.configuration.epoch,
                version: self.step.version,
            }),
        }
    }

    pub(crate) fn answer(&mut self, item: Item, reply: Option<Reply>, write: bool) {
        if let Some(reply) = reply {
            self.step.answers.push(Answer {
                key: item.key,
                hash: item.hash,
                to: item.to,
                reply,
                write,
            });
        }
    }
}

/// Ends a call that was not executed.
pub(crate) fn refuse(item: &Item, cause: Cause, fx: &mut Effects) {
    answer_now(item, &Reply::Refused(Refusal::Final(cause)), fx);
}

/// Answers without a round: what this reveals needs none.
pub(crate) fn answer_now(item: &Item, reply: &Reply, fx: &mut Effects) {
    for (process, id) in item.to.iter() {
        fx.reply(process, id, reply.clone());
    }
}

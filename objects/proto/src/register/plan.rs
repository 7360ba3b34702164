//! What is to be done with the call at the head of the queue.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::flat_map::FlatMap;
use crate::message::{Position, Refusal, Reply, Value};
use crate::outcome::{Cause, Failure, Outcome, Witness};
use crate::register::batch::Planned;
use crate::register::expiry;
use crate::register::primary::Primary;
use crate::register::queue::{CallWork, Item, Work};
use crate::register::{Env, Mutation};
use crate::session::{Decision, Origin, SessionId};

/// Most requests of one batch.
pub(crate) const BATCH_MAX: usize = 64;

/// States up to this size are encoded after every call, so that several run in one batch, bytes.
const BATCH_STATE_MAX: usize = 16 * 1024;

/// What happens to a request of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// The executor runs it; `alone` if it is an asynchronous write.
    Execute { alone: bool },
    /// A session is opened.
    Open,
    /// A session is closed.
    Close(SessionId),
    /// The object is deleted.
    Delete(Option<Origin>),
    /// It was ended while it waited, and that is recorded.
    Verdict(Option<Origin>, Failure),
    /// The object is described.
    Inspect,
    /// The answer is known, but only once a round has shown that nothing newer is.
    Known(Reply),
}

/// What is to be done with the head of the queue.
pub(crate) enum Next {
    /// It belongs to the batch.
    Take(Plan),
    /// It is answered at once and leaves the queue.
    Now(Reply),
    /// It is a read that runs beside the batches.
    Snapshot,
    /// It waits for the next batch.
    Wait,
}

/// A batch in the making.
#[derive(Default)]
pub(crate) struct Forming {
    pub(crate) batch: Vec<Planned>,
    executing: usize,
    ahead: FlatMap<SessionId, u64>,
}

impl Forming {
    /// Adds the head of the queue, behind which there are `more`. Whether the batch is complete
    /// then.
    pub(crate) fn take(&mut self, item: Item, plan: Plan, more: usize) -> bool {
        if let Some((session, number)) = item.numbered() {
            self.ahead.insert(session, number);
        }
        self.executing += usize::from(matches!(plan, Plan::Execute { .. }));
        let last = matches!(plan, Plan::Execute { alone: true } | Plan::Delete(_));
        if self.batch.capacity() == 0 {
            self.batch.reserve_exact(1 + more.min(BATCH_MAX));
        }
        self.batch.push(Planned { item, plan });
        last || self.batch.len() >= BATCH_MAX
    }

    /// What is to be done with the head of the queue.
    pub(crate) fn next(
        &self,
        env: &Env<'_>,
        primary: &Primary,
        value: &Value,
        witness: Witness,
        item: &Item,
    ) -> Next {
        match &item.work {
            Work::Call(CallWork {
                verdict: Some(_), ..
            }) => {}
            _ if item.is_late(env.now) => {
                return Next::Now(Reply::Refused(Refusal::Final(Cause::Deadline)));
            }
            _ => {}
        }
        match &item.work {
            Work::Open => open(env, primary, value),
            Work::Close(id) if value.sessions.session(*id).is_some() => {
                Next::Take(Plan::Close(*id))
            }
            Work::Close(_) => Next::Now(Reply::Done {
                outcome: Outcome::Returned(Bytes::new()),
                witness: None,
            }),
            Work::Inspect => Next::Take(Plan::Inspect),
            Work::Delete(position) => {
                match self.decide(env, primary, value, witness, (position, item)) {
                    None => Next::Take(Plan::Delete(Origin::of(position))),
                    Some(next) => next,
                }
            }
            Work::Call(call) => {
                let position = &call.request.position;
                match self.decide(env, primary, value, witness, (position, item)) {
                    None => self.place(env, primary, value, call),
                    Some(next) => next,
                }
            }
        }
    }

    /// Where in this batch, or beside it, a call runs that may run.
    fn place(&self, env: &Env<'_>, primary: &Primary, value: &Value, call: &CallWork) -> Next {
        let origin = Origin::of(&call.request.position);
        if let Some(failure) = &call.verdict {
            return Next::Take(Plan::Verdict(origin, failure.clone()));
        }
        let fits = origin.is_none_or(|origin| {
            let room = || expiry::room(env, primary, &value.sessions);
            value.sessions.may_run(&origin) || room().is_some_and(|(_, left)| left.may_run(&origin))
        });
        if !fits {
            return Next::Now(table_is_full());
        }
        let together = if value.state.len() > BATCH_STATE_MAX {
            1
        } else {
            BATCH_MAX
        };
        match (call.asynchronous, call.write) {
            (true, _) if !self.batch.is_empty() => Next::Wait,
            (true, false) => Next::Snapshot,
            (true, true) => Next::Take(Plan::Execute { alone: true }),
            (false, _) if self.executing >= together => Next::Wait,
            (false, _) => Next::Take(Plan::Execute { alone: false }),
        }
    }

    /// What happens to a call that does not run, as the session table has it.
    fn decide(
        &self,
        env: &Env<'_>,
        primary: &Primary,
        value: &Value,
        witness: Witness,
        (position, item): (&Position, &Item),
    ) -> Option<Next> {
        let ahead = item
            .session()
            .and_then(|session| self.ahead.get(&session))
            .map_or(0, |number| *number);
        let known = |refusal| Next::Take(Plan::Known(Reply::Refused(refusal)));
        match value.sessions.decide(position, item.hash, ahead) {
            Decision::Run => None,
            Decision::Repeat(_) if env.mutation == Some(Mutation::RepeatsRun) => None,
            Decision::Repeat(entry) => {
                let reply = Reply::Done {
                    outcome: entry.outcome,
                    witness: Some(Witness {
                        version: entry.version,
                        ..witness
                    }),
                };
                Some(if primary.confirmed {
                    Next::Now(reply)
                } else {
                    Next::Take(Plan::Known(reply))
                })
            }
            Decision::Gap => Some(Next::Now(Reply::Refused(Refusal::Gap))),
            Decision::Closed => Some(known(Refusal::Final(Cause::OutOfOrder))),
            Decision::UnknownSession if env.mutation == Some(Mutation::UnknownSessionsRun) => None,
            Decision::UnknownSession => Some(known(Refusal::UnknownSession)),
            Decision::IdReused => Some(known(Refusal::Final(Cause::IdReused))),
        }
    }
}

/// Whether a read may run on this value, for all that its session says.
pub(crate) fn read_may_run(value: &Value, item: &Item) -> bool {
    item.call().is_some_and(|call| {
        value.sessions.decide(&call.request.position, item.hash, 0) == Decision::Run
    })
}

/// A session is opened if the table has room, or if what is forgotten can make room.
fn open(env: &Env<'_>, primary: &Primary, value: &Value) -> Next {
    if value.sessions.may_open() || expiry::room(env, primary, &value.sessions).is_some() {
        return Next::Take(Plan::Open);
    }
    Next::Now(table_is_full())
}

fn table_is_full() -> Reply {
    let full = Cause::Overloaded(String::from("the object's session table"));
    Reply::Refused(Refusal::Final(full))
}

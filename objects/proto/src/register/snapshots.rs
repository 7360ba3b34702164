//! Reads that run beside everything else, on a value that is not touched meanwhile.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::execution::{ExecutionMode, Ran};
use crate::message::Reply;
use crate::object::Version;
use crate::outcome::{Cause, Outcome, Witness};
use crate::register::batch::execution_call;
use crate::register::maker::{answer_now, refuse};
use crate::register::plan::read_may_run;
use crate::register::primary::{Answer, Phase, Primary, Snapshot};
use crate::register::queue::{CallKey, Item};
use crate::register::{Effects, Env, Replica, Role};
use crate::session::SessionId;

/// Most snapshot reads of one object at a time.
pub(crate) const SNAPSHOTS_MAX: usize = 64;

/// Answers of such reads that wait for a round; further reads wait in the queue.
pub(crate) const ANSWERS_MAX: usize = 256;

/// What reads may run on while something else is under way.
struct Beside {
    /// The newest chosen version and its state, if that is not what is on record.
    chosen: Option<(Version, Bytes)>,
    /// Handles whose write is under way: their later reads wait for it.
    writing: BTreeSet<SessionId>,
}

impl Primary {
    /// How many snapshot reads may begin. Their answers may all have to wait for a round, which
    /// does not begin while a method runs for long.
    pub(super) fn snapshot_room(&self) -> usize {
        let running = self.snapshots.len();
        let answers = ANSWERS_MAX.saturating_sub(self.answers.len() + running);
        SNAPSHOTS_MAX.saturating_sub(running).min(answers)
    }
}

impl Replica {
    /// Runs a read beside everything else, on the newest value.
    pub(super) fn launch_snapshot(&mut self, env: &Env<'_>, item: Item, fx: &mut Effects) {
        self.launch(env, item, None, fx);
    }

    fn launch(
        &mut self,
        env: &Env<'_>,
        item: Item,
        chosen: Option<&(Version, Bytes)>,
        fx: &mut Effects,
    ) {
        let Some(call) = execution_call(&item, env.now) else {
            return;
        };
        let Some((mut key, mut execution)) =
            self.execution(Vec::from([call]), ExecutionMode::Snapshot)
        else {
            return;
        };
        if let Some((version, state)) = chosen {
            key.base = *version;
            execution.key = key;
            execution.state = state.clone();
        }
        if let Role::Primary(primary) = &mut self.role {
            primary.snapshots.push(Snapshot { key, item });
            fx.executions.push(execution);
        }
    }

    /// While an asynchronous write runs, or while a version is on its way and reads need no
    /// round: starts queued reads that no write of their handle comes before.
    pub(super) fn launch_snapshots(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Some(beside) = self.beside(env) else {
            return;
        };
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(held) = &self.record.accepted else {
            return;
        };
        let room = primary.snapshot_room();
        let mut writing = beside.writing;
        let mut taken = 0;
        let now = env.now;
        let items = primary.queue.extract(|item| {
            let read = item.call().is_some_and(|call| !call.write);
            let behind = item.session().is_some_and(|id| writing.contains(&id));
            if !read {
                writing.extend(item.session());
            }
            let runs = read && !behind && taken < room && !item.is_late(now);
            let runs = runs && read_may_run(&held.value, item);
            taken += usize::from(runs);
            runs
        });
        for item in items {
            self.launch(env, item, beside.chosen.as_ref(), fx);
        }
    }

    /// What queued reads may run on now; `None` if they wait, or if there are none.
    fn beside(&self, env: &mut Env<'_>) -> Option<Beside> {
        let Role::Primary(primary) = &self.role else {
            return None;
        };
        if primary.queue.is_empty() {
            return None;
        }
        match &primary.phase {
            Phase::Executing(running) if running.alone => Some(Beside {
                chosen: None,
                writing: running
                    .batch
                    .iter()
                    .filter_map(|planned| planned.item.session())
                    .collect(),
            }),
            Phase::Round(round) => {
                let chosen = primary.before.clone()?;
                let writes = round.answers.iter().filter(|answer| answer.write);
                let writing = writes.filter_map(|answer| session_of(&answer.key));
                let writing = writing.collect();
                self.reads_freely(env).then_some(Beside {
                    chosen: Some(chosen),
                    writing,
                })
            }
            Phase::Idle | Phase::Executing(_) => None,
        }
    }

    /// A snapshot read has ended: its answer waits for a round that begins now or later, if it
    /// needs one.
    pub(super) fn snapshot_ended(
        &mut self,
        env: &mut Env<'_>,
        snapshot: &Snapshot,
        ran: Vec<Ran>,
        fx: &mut Effects,
    ) {
        let item = &snapshot.item;
        let outcome = match ran.into_iter().next() {
            Some(Ran::Returned { result, .. }) => Outcome::Returned(result),
            Some(Ran::Failed(failure)) => Outcome::Failed(failure),
            Some(Ran::Refused(cause)) => return refuse(item, cause, fx),
            None => return refuse(item, Cause::Deadline, fx),
        };
        let reply = Reply::Done {
            outcome,
            witness: Some(Witness {
                epoch: snapshot.key.epoch,
                version: snapshot.key.base,
            }),
        };
        if self.answers_freely(env, 1) {
            answer_now(item, &reply, fx);
        } else if let Role::Primary(primary) = &mut self.role {
            wait_for_round(primary, item, reply);
        }
    }
}

fn wait_for_round(primary: &mut Primary, item: &Item, reply: Reply) {
    primary.answers.push(Answer {
        key: item.key,
        hash: item.hash,
        to: item.to.clone(),
        reply,
        write: false,
    });
}

const fn session_of(key: &CallKey) -> Option<SessionId> {
    match *key {
        CallKey::Session(session, _) => Some(session),
        _ => None,
    }
}

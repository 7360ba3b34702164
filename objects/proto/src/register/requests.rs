//! What callers ask: admitted to the queue, answered from the table, or sent elsewhere.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::execution::CHAIN_MAX;
use crate::message::{Ask, CallRequest, Position, Refusal, Reply, Request, Value};
use crate::object::MethodId;
use crate::outcome::{Cause, Failure, Outcome, Witness};
use crate::register::candidate::Waiting;
use crate::register::maker::{answer_now, refuse};
use crate::register::primary::{NO_QUORUM_AFTER, Phase, Primary};
use crate::register::queue::{Addresses, CallKey, CallWork, Item, Work, session_of};
use crate::register::replica::WaitingCall;
use crate::register::{Effects, Env, Mutation, Replica, Role};
use crate::session::{Decision, Origin};
use crate::value::call_hash;

impl Replica {
    /// Takes a caller's request: answers, queues or redirects.
    pub fn on_request(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        request: Request,
        fx: &mut Effects,
    ) {
        if self.gave_up() {
            self.stand(env, fx);
        }
        match &mut self.role {
            Role::Backup(_) | Role::Resting(_) => {
                let elsewhere = Refusal::Elsewhere(self.sighting());
                fx.reply(from, request.id, Reply::Refused(elsewhere));
            }
            Role::Candidate(candidate) if !candidate.has_room(&request) => {
                let full = Cause::Overloaded(String::from("the object's queue"));
                fx.reply(from, request.id, Reply::Refused(Refusal::Final(full)));
            }
            Role::Candidate(candidate) => candidate.waiting.push(Waiting {
                from,
                request,
                arrived: env.now,
            }),
            Role::Primary(_) => {
                let id = request.id;
                if let Some(refusal) = self.refuses_alone(env, &request.ask, fx) {
                    fx.reply(from, id, refusal);
                    return;
                }
                match self.admit(env, from, request, fx) {
                    None => self.drive(env, fx),
                    Some(reply) => fx.reply(from, id, reply),
                }
            }
        }
    }

    /// Puts a request into the queue, unless its answer is known: then gives that.
    fn admit(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        request: Request,
        fx: &mut Effects,
    ) -> Option<Reply> {
        let object = self.object;
        let epoch = self.record.epoch();
        let (Role::Primary(primary), Some(held)) = (&mut self.role, &self.record.accepted) else {
            return None;
        };
        let repeated = request.attempt > 0;
        let mut item = match item_of(env, &held.value, from, request) {
            Ok(item) => item,
            Err(cause) => return Some(final_reply(cause)),
        };
        let looped = item
            .call()
            .is_some_and(|call| call.request.chain.holds.contains(&object));
        if looped {
            item = condemn(item, Failure::Deadlock, fx);
        }
        let shared = match attach(primary, &item, repeated, fx) {
            Ok(shared) => shared,
            Err(cause) => return Some(final_reply(cause)),
        };
        if shared || (looped && !is_write(&item)) {
            return None;
        }
        let position = match &item.work {
            Work::Call(call) => call.request.position,
            Work::Delete(position) => *position,
            _ => Position::Unordered,
        };
        let session = session_of(&position).filter(|id| held.value.sessions.session(*id).is_some());
        if let Some(session) = session {
            primary.used.insert(session, env.now);
        }
        let ahead = session.map_or(0, |session| primary.queue.ahead(session));
        let chosen = primary.confirmed && held.version == primary.chosen;
        match held.value.sessions.decide(&position, item.hash, ahead) {
            Decision::Gap => return Some(Reply::Refused(Refusal::Gap)),
            Decision::Repeat(entry) if chosen && !runs_again(env) => {
                let witness = Witness {
                    epoch,
                    version: entry.version,
                };
                return Some(Reply::Done {
                    outcome: entry.outcome,
                    witness: Some(witness),
                });
            }
            _ => {}
        }
        let bytes = item.call().map_or(0, |call| call.request.arguments.len());
        if !primary.queue.has_room(bytes) {
            return Some(final_reply(Cause::Overloaded(String::from(
                "the object's queue",
            ))));
        }
        let beside = !is_write(&item) && primary.reads_beside();
        primary.queue.push(item);
        if beside {
            self.launch_snapshots(env, fx);
        }
        None
    }

    /// A caller no longer waits: a call that has not started is withdrawn.
    pub fn on_cancel(&mut self, from: ProcessId, id: u64) {
        match &mut self.role {
            Role::Backup(_) | Role::Resting(_) => {}
            Role::Candidate(candidate) => {
                candidate
                    .waiting
                    .retain(|waiting| (waiting.from, waiting.request.id) != (from, id));
            }
            Role::Primary(primary) => {
                let mut withdrawn = false;
                for item in primary.queue.iter_mut() {
                    withdrawn |= item.to.remove(from, id) && item.to.is_empty();
                }
                if withdrawn {
                    primary
                        .queue
                        .extract(|item| item.to.is_empty() && !is_condemned(item));
                }
            }
        }
    }

    /// Ends a queued call. Whether it was there.
    pub fn fail_queued(
        &mut self,
        env: &mut Env<'_>,
        call: u128,
        why: Failure,
        fx: &mut Effects,
    ) -> bool {
        let Role::Primary(primary) = &mut self.role else {
            return false;
        };
        let matches = |item: &Item| {
            !is_condemned(item)
                && item
                    .call()
                    .is_some_and(|work| work.request.chain.call == call)
        };
        let Some(item) = primary.queue.iter_mut().find(|item| matches(item)) else {
            return false;
        };
        *item = condemn(item.clone(), why, fx);
        primary
            .queue
            .extract(|item| item.to.is_empty() && !is_write(item));
        self.drive(env, fx);
        true
    }

    /// Nested calls that have waited in the queue for at least `age`.
    #[must_use]
    pub fn waiting_calls(&self, now: Instant, age: Duration) -> Vec<WaitingCall> {
        let Role::Primary(primary) = &self.role else {
            return Vec::new();
        };
        primary
            .queue
            .iter()
            .filter(|item| now.since(item.arrived) >= age && !is_condemned(item))
            .filter_map(|item| {
                let chain = &item.call()?.request.chain;
                (!chain.holds.is_empty()).then(|| WaitingCall {
                    chain: chain.clone(),
                    from: item.caller,
                    since: item.arrived,
                })
            })
            .collect()
    }

    /// Ends what has waited for too long.
    pub(super) fn expire(&mut self, now: Instant, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let no_quorum = match &primary.phase {
            Phase::Round(round) => now.since(round.started) >= NO_QUORUM_AFTER,
            _ => false,
        };
        let over = primary.queue.extract(|item| {
            let half = no_quorum && item.is_half_over(now);
            !is_condemned(item) && (half || item.is_late(now))
        });
        for item in over.iter().filter(|item| !item.started) {
            let cause = if no_quorum {
                Cause::NoQuorum
            } else {
                Cause::Deadline
            };
            refuse(item, cause, fx);
        }
    }
}

/// A queue entry for a request, if it can be one.
fn item_of(env: &Env<'_>, value: &Value, from: ProcessId, request: Request) -> Result<Item, Cause> {
    let address = (from, request.id);
    let named = !matches!(request.ask, Ask::Inspect | Ask::CloseSession(_));
    if named && request.kind != MethodId::of(&value.kind) {
        return Err(Cause::WrongKind {
            expected: format!("{:08x}", request.kind.0),
            found: String::from(&*value.kind),
        });
    }
    let other = CallKey::Request(from, request.id);
    let (key, hash, work) = match request.ask {
        Ask::OpenSession => (other, 0, Work::Open),
        Ask::CloseSession(id) => (other, 0, Work::Close(id)),
        Ask::Inspect => (other, 0, Work::Inspect),
        Ask::Delete { position } => {
            let key = CallKey::of(&position, from, request.id);
            (key, 0, Work::Delete(position))
        }
        Ask::Call(call) => {
            let key = CallKey::of(&call.position, from, request.id);
            let hash = call_hash(call.method, call.codec, &call.arguments);
            (key, hash, Work::Call(call_work(env, value, call)?))
        }
    };
    Ok(Item::new(address, key, hash, env.now, request.budget, work))
}

/// A method call as the host's own table sees it.
fn call_work(env: &Env<'_>, value: &Value, call: CallRequest) -> Result<CallWork, Cause> {
    let kind = || String::from(&*value.kind);
    if !env.methods.hosts(&value.kind, value.kind_version) {
        return Err(Cause::UnknownKind(kind()));
    }
    let method = env
        .methods
        .method(&value.kind, value.kind_version, call.method)
        .ok_or_else(|| Cause::UnknownMethod {
            kind: kind(),
            method: format!("{:08x}", call.method.0),
        })?;
    let identified = Origin::of(&call.position).is_some();
    if method.write && !identified {
        return Err(Cause::Arguments(String::from(
            "the method writes, but the call came as a read",
        )));
    }
    if call.chain.holds.len() > CHAIN_MAX {
        return Err(Cause::Overloaded(String::from("the chain of nested calls")));
    }
    Ok(CallWork {
        request: call,
        write: identified,
        asynchronous: method.asynchronous,
        deterministic: method.deterministic,
        verdict: None,
    })
}

/// Lets a repetition of a call that is on its way share its answer. Whether it is one.
fn attach(
    primary: &mut Primary,
    item: &Item,
    repeated: bool,
    fx: &mut Effects,
) -> Result<bool, Cause> {
    let possible = match item.key {
        CallKey::Session(session, number) => {
            number <= primary.queue.ahead(session) || matches!(primary.phase, Phase::Round(_))
        }
        CallKey::Request(..) => repeated,
        CallKey::Outbox(..) | CallKey::Nested(..) => true,
    };
    if !possible {
        return Ok(false);
    }
    let join = |to: &mut Addresses, hash: u64| {
        if hash != item.hash {
            return Err(Cause::IdReused);
        }
        to.join(&item.to);
        Ok(true)
    };
    match &mut primary.phase {
        Phase::Idle => {}
        Phase::Executing(running) => {
            let mut batch = running.batch.iter_mut().map(|planned| &mut planned.item);
            if let Some(held) = batch.find(|held| held.key == item.key) {
                return join(&mut held.to, held.hash);
            }
        }
        Phase::Round(round) => {
            let mut answers = round.answers.iter_mut();
            if let Some(held) = answers.find(|held| held.key == item.key) {
                return join(&mut held.to, held.hash);
            }
        }
    }
    let beside = primary
        .snapshots
        .iter()
        .any(|snapshot| snapshot.item.key == item.key)
        || primary.answers.iter().any(|answer| answer.key == item.key);
    if beside {
        return Ok(true);
    }
    let Some(held) = primary.queue.iter_mut().find(|held| held.key == item.key) else {
        return Ok(false);
    };
    if let Some(failure) = verdict(held).filter(|_| held.hash == item.hash) {
        answer_now(item, &failed(failure), fx);
        return Ok(true);
    }
    join(&mut held.to, held.hash)
}

/// Ends a call before it ran: answered at once, recorded in its turn.
fn condemn(mut item: Item, why: Failure, fx: &mut Effects) -> Item {
    answer_now(&item, &failed(&why), fx);
    item.to = Addresses::default();
    if let Work::Call(call) = &mut item.work {
        call.verdict = Some(why);
    }
    item
}

fn runs_again(env: &Env<'_>) -> bool {
    env.mutation == Some(Mutation::RepeatsRun)
}

fn verdict(item: &Item) -> Option<&Failure> {
    item.call().and_then(|call| call.verdict.as_ref())
}

fn is_condemned(item: &Item) -> bool {
    verdict(item).is_some()
}

fn is_write(item: &Item) -> bool {
    item.call().is_some_and(|call| call.write)
}

fn failed(failure: &Failure) -> Reply {
    Reply::Done {
        outcome: Outcome::Failed(failure.clone()),
        witness: None,
    }
}

fn final_reply(cause: Cause) -> Reply {
    Reply::Refused(Refusal::Final(cause))
}

//! Standing for primary: a majority's promises, the newest value among them, then a round.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};
use rand_chacha::rand_core::Rng;

use crate::flat_map::FlatMap;
use crate::message::{Accepted, Ask, Message, Refusal, RegisterMessage, Reply, Request, Status};
use crate::object::{Ballot, Epoch, Version};
use crate::outcome::Cause;
use crate::register::carried::Carried;
use crate::register::member_set::MemberSet;
use crate::register::primary::NO_QUORUM_AFTER;
use crate::register::queue::{QUEUE_BYTES_MAX, QUEUE_CALLS_MAX};
use crate::register::quorum::quorum;
use crate::register::record::Held;
use crate::register::round::RESEND;
use crate::register::{Activation, Effects, Env, Mutation, Note, Replica, Role};

/// Processes that a candidate tells when it has become primary; more ask again.
const ASKERS_MAX: usize = 64;

/// How long a candidate that nobody waits for goes on without a majority.
const STAND_MAX: Duration = Duration::from_secs(5);

/// Longest pause between two prepares.
const PREPARE_MAX: Duration = Duration::from_secs(1);

/// How often a member stands by itself, without a success or a reason from outside.
const TRIES: u8 = 6;

/// How long a candidate that met a higher ballot waits for that one's primary; up to 400 ms more.
const BACKOFF: Duration = Duration::from_millis(200);

/// How long a member waits to hear of a primary that it promised itself to, or that it was
/// installed under; up to 400 ms more.
pub(crate) const EXPECT: Duration = Duration::from_secs(1);

/// How long a backup holds a sealed or deleted value before it finishes the change itself.
const SEALED_FOR: Duration = Duration::from_secs(5);

/// So much later for each member before it.
const SEALED_RANK: Duration = Duration::from_millis(500);

/// A candidacy.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) ballot: Ballot,
    /// Whom it stands against.
    from: Option<ProcessId>,
    promises: MemberSet,
    /// Which value members promised with.
    accepted: FlatMap<u8, (Ballot, Version)>,
    /// The newest value among the promises, if newer than the one on record here.
    best: Option<Held>,
    since: Instant,
    due: Instant,
    sends: u32,
    /// Members cannot promise before this: another one holds leases from them.
    leased: Option<Instant>,
    /// In weak mode: few have answered.
    doubts: bool,
    /// Requests that came meanwhile, in order.
    pub(crate) waiting: Vec<Waiting>,
    /// Processes that asked meanwhile where the primary is.
    askers: BTreeSet<ProcessId>,
}

impl Candidate {
    /// How many members have promised, this one included.
    pub(crate) fn answered(&self) -> usize {
        self.promises.len()
    }

    /// Members that promised with this value. It need not be sent to them.
    fn keepers(&self, head: (Ballot, Version), mutation: Option<Mutation>) -> MemberSet {
        let any = mutation == Some(Mutation::KeptByVersion);
        let same = |named: &(Ballot, Version)| *named == head || any && named.1 == head.1;
        let mut keepers = MemberSet::EMPTY;
        for (index, _) in self.accepted.iter().filter(|(_, named)| same(named)) {
            keepers.insert(*index);
        }
        keepers
    }

    /// How long it has stood.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.since(self.since)
    }

    /// It may have been left behind by the object. Whether that is a new thought.
    pub(crate) const fn begins_to_doubt(&mut self) -> bool {
        !core::mem::replace(&mut self.doubts, true)
    }

    /// A member promises nothing before `until`.
    pub(crate) fn put_off(&mut self, until: Instant) {
        self.leased = self.leased.max(Some(until));
        self.due = self.due.min(until);
    }

    /// Whether one more request may wait.
    pub(crate) fn has_room(&self, request: &Request) -> bool {
        let held: usize = self.waiting.iter().map(|held| weight(&held.request)).sum();
        self.waiting.len() < QUEUE_CALLS_MAX && held + weight(request) <= QUEUE_BYTES_MAX
    }
}

/// What a request weighs in a queue, bytes.
fn weight(request: &Request) -> usize {
    match &request.ask {
        Ask::Call(call) => call.arguments.len(),
        _ => 0,
    }
}

/// A request that waits for the end of a candidacy.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) from: ProcessId,
    pub(crate) request: Request,
    pub(crate) arrived: Instant,
}

/// A candidacy to come, unless somebody else makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: Instant,
}

impl Replica {
    /// Stands for primary, if this is an installed backup and the kind is hosted here.
    pub fn stand(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        self.tries = 0;
        self.try_standing(env, fx);
    }

    fn try_standing(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        if !matches!(self.role, Role::Backup(_)) {
            return;
        }
        self.role = Role::Backup(None);
        let (Some(index), Some(held)) = (self.record.index, &self.record.accepted) else {
            return;
        };
        let value = &held.value;
        let able =
            value.status != Status::Live || env.methods.hosts(&value.kind, value.kind_version);
        let Some(round) = self.record.promised.round.checked_add(1) else {
            return;
        };
        if self.ended || self.finish.is_some() || !able {
            return;
        }
        if let Some(at) = self.leased_until(env, &env.me) {
            self.role = Role::Backup(Some(Retry { at }));
            return;
        }
        let from = self.believed_primary();
        let ballot = Ballot {
            round,
            member: index,
        };
        self.record.promised = ballot;
        self.role = Role::Candidate(Box::new(Candidate {
            ballot,
            from,
            promises: MemberSet::of(index),
            accepted: FlatMap::default(),
            best: None,
            since: env.now,
            due: env.now,
            sends: 0,
            leased: None,
            doubts: false,
            waiting: Vec::new(),
            askers: BTreeSet::new(),
        }));
        self.send_prepares(env, fx);
        self.try_win(env, fx);
    }

    /// Somebody looks for the primary: it is told once this candidate is one.
    pub fn note_asker(&mut self, process: ProcessId) {
        if let Role::Candidate(candidate) = &mut self.role
            && candidate.askers.len() < ASKERS_MAX
        {
            candidate.askers.insert(process);
        }
    }

    /// Asks those that have not promised.
    fn send_prepares(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        if candidate.due > env.now {
            return;
        }
        candidate.sends += 1;
        candidate.due = env.now + (RESEND * candidate.sends).min(PREPARE_MAX);
        for (place, process) in self.record.configuration.processes().enumerate() {
            let promised =
                u8::try_from(place).is_ok_and(|index| candidate.promises.contains(index));
            if process == env.me || promised {
                continue;
            }
            let prepare = RegisterMessage::Prepare {
                configuration: (*self.record.configuration).clone(),
                ballot: candidate.ballot,
                accepted: self.record.newest(),
            };
            fx.register(process, self.object, prepare);
        }
    }

    /// A member has put its promise on record.
    pub(super) fn on_promised(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        (epoch, ballot): (Epoch, Ballot),
        accepted: Option<Accepted>,
        fx: &mut Effects,
    ) {
        if epoch != self.record.epoch() {
            return;
        }
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        let Some(index) = self.record.configuration.index_of(&from) else {
            return;
        };
        if ballot != candidate.ballot {
            return;
        }
        if let Some(accepted) = accepted {
            let named = (accepted.ballot, accepted.version);
            candidate.accepted.insert(index, named);
            let known = candidate
                .best
                .as_ref()
                .map_or_else(|| self.record.newest(), |best| (best.ballot, best.version));
            if named > known {
                // Newer than what the prepare named: without its value it cannot be counted.
                let Some(value) = accepted.value else {
                    return;
                };
                candidate.best = Some(Held {
                    ballot: accepted.ballot,
                    version: accepted.version,
                    value,
                });
            }
        }
        candidate.promises.insert(index);
        self.try_win(env, fx);
    }

    /// With a majority's promises, goes on from the newest value among them.
    fn try_win(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let weak = self.is_weak();
        let collected = weak && self.has_collected(env, fx);
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        let needed = quorum(&self.record.configuration, env.mutation);
        if !collected && (weak || candidate.promises.len() < needed) {
            return;
        }
        let answered = candidate.answered();
        let ballot = candidate.ballot;
        let how = Activation::TookOver(candidate.from);
        let keeps = env.mutation == Some(Mutation::OwnValueKept) && self.record.accepted.is_some();
        if let Some(best) = candidate.best.take().filter(|_| !keeps) {
            self.record.accepted = Some(best);
        }
        let head = self.record.newest();
        if let Some(held) = &mut self.record.accepted {
            held.ballot = ballot;
        }
        let carried = Carried::by(candidate.keepers(head, env.mutation), head.0);
        let waiting = core::mem::take(&mut candidate.waiting);
        let askers = core::mem::take(&mut candidate.askers);
        if weak {
            self.begin_line(env, (ballot.member, answered), how, fx);
        } else {
            self.become_primary(env, how, Some(carried), fx);
        }
        for asker in askers {
            let (object, sighting) = (self.object, self.sighting());
            fx.sends.push((asker, Message::Here { object, sighting }));
        }
        for mut waiting in waiting {
            let waited = env.now.since(waiting.arrived);
            waiting.request.budget = waiting.request.budget.saturating_sub(waited);
            self.on_request(env, waiting.from, waiting.request, fx);
        }
    }

    /// A higher ballot is promised somewhere.
    pub(super) fn on_rejected(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        epoch: Epoch,
        promised: Ballot,
        fx: &mut Effects,
    ) {
        // Whoever refuses the next set's first value for a later ballot keeps that value.
        let finishing = self.finish.as_ref().map(|finish| finish.next.epoch);
        if finishing == Some(epoch) {
            self.finish_stored(env, Some(from), fx);
        }
        if epoch != self.record.epoch() || promised <= self.record.promised {
            return;
        }
        self.record.promised = promised;
        self.heard_primary = false;
        if !matches!(self.role, Role::Backup(_)) {
            self.step_down(&self.sighting(), fx);
            self.expect_primary(env, BACKOFF);
        }
    }

    /// Stands again after a while, unless the primary that is promised is heard before.
    pub(super) fn expect_primary(&mut self, env: &mut Env<'_>, after: Duration) {
        let able = matches!(self.role, Role::Backup(_)) && self.is_installed_member();
        if able && self.tries < TRIES {
            let spread = Duration::from_millis(u64::from(env.rng.next_u32() % 400));
            let at = env.now + after + spread;
            self.role = Role::Backup(Some(Retry { at }));
        }
    }

    /// Sends again, gives up, tells those that wait.
    pub(super) fn tick_candidate(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        self.send_prepares(env, fx);
        if self.is_weak() {
            self.try_win(env, fx);
        }
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        let age = env.now.since(candidate.since);
        let put_off = candidate.leased.is_some_and(|until| env.now < until);
        candidate.waiting.retain(|waiting| {
            let waited = env.now.since(waiting.arrived);
            let cause = if waited >= waiting.request.budget {
                Cause::Deadline
            } else if !put_off && age >= NO_QUORUM_AFTER && waited * 2 >= waiting.request.budget {
                Cause::NoQuorum
            } else {
                return true;
            };
            let refusal = Reply::Refused(Refusal::Final(cause));
            fx.reply(waiting.from, waiting.request.id, refusal);
            false
        });
        if age >= STAND_MAX && candidate.waiting.is_empty() {
            self.role = Role::Backup(None);
            fx.notes.push(Note::SteppedDown);
        }
    }

    /// Stands again when it is time, also to finish a change that nobody finished.
    pub(super) fn tick_backup(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Role::Backup(retry) = &self.role else {
            return;
        };
        if retry.is_some_and(|retry| retry.at <= env.now) {
            self.tries += 1;
            self.try_standing(env, fx);
            return;
        }
        let (Some(since), Some(index)) = (self.sealed_since.as_deref(), self.record.index) else {
            return;
        };
        if env.now.since(*since) >= SEALED_FOR + SEALED_RANK * u32::from(index) {
            self.sealed_since = Some(Box::new(env.now));
            self.stand(env, fx);
        }
    }
}

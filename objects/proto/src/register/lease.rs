//! Reads under leases: when nobody has to be asked, and when a promise has to wait.

use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::lease::{Leases, TERM_MAX, usable};
use crate::message::{RegisterMessage, Status};
use crate::object::{Ballot, Epoch};
use crate::reads::Reads;
use crate::register::primary::{Answer, Primary};
use crate::register::quorum::quorum;
use crate::register::round::Ask;
use crate::register::{Effects, Env, Mutation, Replica, Role};

impl Replica {
    /// Whether answers that make no version may leave without a round.
    ///
    /// The value on which they rest must have been read before: the clock is looked at last.
    pub(super) fn reads_freely(&self, env: &mut Env<'_>) -> bool {
        let Role::Primary(primary) = &self.role else {
            return false;
        };
        if !primary.confirmed || !self.goes_on(env.mutation) {
            return false;
        }
        if primary.weak.is_some() {
            return true;
        }
        match primary.reads {
            Reads::Quorum => false,
            Reads::Stale => true,
            Reads::Lease => {
                let holds = self.is_leased(primary, env.now, env.leases, env.mutation);
                if holds {
                    for process in primary.peers.keys() {
                        env.leases.held.touch(env.now, process);
                    }
                }
                holds
            }
        }
    }

    /// Whether these many answers may leave now.
    pub(super) fn answers_freely(&self, env: &mut Env<'_>, count: usize) -> bool {
        let freely = self.reads_freely(env);
        if freely && !self.is_weak() {
            env.leases.answered += count as u64;
        }
        freely || env.mutation == Some(Mutation::ReadsUnchecked)
    }

    /// Sends answers that make no version, or begins a round for them.
    pub(super) fn answer_or_check(
        &mut self,
        env: &mut Env<'_>,
        answers: Vec<Answer>,
        fx: &mut Effects,
    ) {
        if self.answers_freely(env, answers.len()) {
            for answer in &answers {
                answer.send(fx);
            }
        } else {
            self.start_round(env, Ask::Check, None, answers, fx);
        }
    }

    /// Whether this primary may answer reads at `now` without asking anybody, and be current.
    #[must_use]
    pub fn holds_lease(&self, now: Instant, leases: &Leases, mutation: Option<Mutation>) -> bool {
        let Role::Primary(primary) = &self.role else {
            return false;
        };
        primary.confirmed
            && primary.reads == Reads::Lease
            && self.goes_on(mutation)
            && self.is_leased(primary, now, leases, mutation)
    }

    /// Nothing on record here says that another set, or nobody, goes on with the object.
    fn goes_on(&self, mutation: Option<Mutation>) -> bool {
        self.record.status() == Some(&Status::Live) || mutation == Some(Mutation::LeaseOutlivesSeal)
    }

    /// Whether a majority has promised nobody else anything.
    fn is_leased(
        &self,
        primary: &Primary,
        now: Instant,
        leases: &Leases,
        mutation: Option<Mutation>,
    ) -> bool {
        let grants = primary.peers.iter().filter(|(process, peer)| {
            let Some(generation) = leases.held.generation(now, process) else {
                return false;
            };
            let current = peer.generation == generation
                || mutation == Some(Mutation::GenerationIgnored) && peer.generation > 0;
            peer.vote.is_some() && current
        });
        1 + grants.count() >= quorum(&self.record.configuration, mutation)
    }

    /// The term that a check asks for: of a lease that the reads of this kind would use.
    pub(super) fn lease_wanted(&self, env: &Env<'_>) -> Duration {
        match &self.role {
            Role::Primary(primary)
                if primary.reads == Reads::Lease && self.record.status() == Some(&Status::Live) =>
            {
                env.leases.term
            }
            _ => Duration::ZERO,
        }
    }

    /// A primary asks whether it still is.
    pub(super) fn on_check(
        &self,
        env: &mut Env<'_>,
        from: ProcessId,
        (epoch, ballot, round): (Epoch, Ballot, u64),
        lease: Duration,
        fx: &mut Effects,
    ) {
        let mine = self.record.epoch();
        if epoch < mine {
            self.say_gone(from, epoch, fx);
            return;
        }
        let promised = self.record.promised;
        let member = epoch == mine && self.record.index.is_some();
        let answer = if member && ballot < promised {
            RegisterMessage::Rejected { epoch, promised }
        } else if member && ballot == promised && self.record.newest().0 == ballot {
            RegisterMessage::Checked {
                epoch,
                ballot,
                round,
                generation: self.grant(env, from, lease),
            }
        } else {
            RegisterMessage::NeedFull { epoch, ballot }
        };
        fx.register(from, self.object, answer);
    }

    /// Covers the object by a grant to its primary, whose ballot is promised and accepted here.
    /// Returns the grant's generation; 0 if there is none.
    fn grant(&self, env: &mut Env<'_>, from: ProcessId, term: Duration) -> u64 {
        let primary = self.record.promised.member;
        let is_primary = self.record.configuration.process(primary) == Some(from);
        if term.is_zero() || !is_primary || self.record.status() != Some(&Status::Live) {
            return 0;
        }
        env.leases.given.confirm(env.now, from, self.object, term)
    }

    /// The object is no longer its former primary's: that one was replaced, or has sealed or
    /// deleted the object and reads no more.
    pub(super) fn end_grant(&self, env: &mut Env<'_>, replaced: bool) {
        if replaced || self.record.status() != Some(&Status::Live) {
            env.leases.given.release(&self.object);
        }
    }

    /// Until when `candidate` can be promised nothing, because somebody else holds a lease.
    pub(super) fn leased_until(&self, env: &Env<'_>, candidate: &ProcessId) -> Option<Instant> {
        if env.mutation == Some(Mutation::GrantNotHonoured) {
            return None;
        }
        env.leases
            .given
            .covered_until(env.now, &self.object, candidate)
    }

    /// Puts a candidate off until a grant has ended.
    pub(super) fn say_leased(
        &self,
        env: &mut Env<'_>,
        to: ProcessId,
        (ballot, until): (Ballot, Instant),
        fx: &mut Effects,
    ) {
        env.leases.delayed += 1;
        let leased = RegisterMessage::Leased {
            epoch: self.record.epoch(),
            ballot,
            rest: until.since(env.now),
        };
        fx.register(to, self.object, leased);
    }

    /// A member promises nothing before a lease on its word has run out.
    pub(super) fn on_leased(
        &mut self,
        env: &Env<'_>,
        from: ProcessId,
        (epoch, ballot): (Epoch, Ballot),
        rest: Duration,
    ) {
        let known = self.record.configuration.index_of(&from).is_some();
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        if known && epoch == self.record.configuration.epoch && ballot == candidate.ballot {
            candidate.put_off(env.now + rest.min(TERM_MAX));
        }
    }
}

impl Env<'_> {
    /// A grant came in answer to what was asked for at `asked`.
    pub(crate) fn lease_granted(&mut self, granter: ProcessId, generation: u64, asked: Instant) {
        let term = self.leases.term;
        let until = if self.mutation == Some(Mutation::LeaseFromReceipt) {
            self.now + term
        } else {
            asked + usable(term)
        };
        self.leases
            .held
            .extend(self.now, granter, generation, until);
    }
}

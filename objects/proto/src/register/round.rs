//! Rounds: nothing is answered before a majority holds what the answer reveals.

use alloc::boxed::Box;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::message::Status;
use crate::object::{Ballot, Epoch, Version};
use crate::register::laggards::{LAGGARD_SENDS, given_up};
use crate::register::member_set::{MemberSet, NO_MEMBER};
use crate::register::primary::{Answer, Phase, Primary};
use crate::register::quorum::quorum_of_round;
use crate::register::record::Record;
use crate::register::ship::{Shipment, needs_full, send, ship, wants};
use crate::register::{Effects, Env, Mutation, Note, Replica, Role};

/// How long a member is given to answer before a round is sent to it again.
pub(crate) const RESEND: Duration = Duration::from_millis(200);

/// Longest pause between two such sends.
const RESEND_MAX: Duration = Duration::from_secs(1);

/// How long an answer waits for the learner of the only member.
const AWAIT_LEARNER: Duration = Duration::from_millis(500);

/// What a round asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To store this version.
    Accept(Version),
    /// Whether this is still the primary. Only answers to this very round count.
    Check,
}

/// A round under way.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) ask: Ask,
    pub(crate) started: Instant,
    /// Members that gave what was asked for.
    pub(crate) acks: MemberSet,
    /// How to get to the version from the one before.
    pub(crate) step: Option<Shipment>,
    pub(crate) answers: Vec<Answer>,
    /// The term of the lease that its first messages ask for. Those sent again ask for none, so
    /// that a primary which hears no answers does not prolong grants for ever.
    pub(crate) lease: Duration,
    /// The answers reveal no version that this round makes: they need a check besides.
    then_check: bool,
}

impl Replica {
    /// Ships the whole value, so that a majority holds it under this primary's ballot.
    pub(super) fn confirm(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let version = self.record.newest().1;
        self.start_round(env, Ask::Accept(version), None, Vec::new(), fx);
    }

    /// Begins a round for `answers` and for those of snapshot reads that have ended.
    pub(super) fn start_round(
        &mut self,
        env: &mut Env<'_>,
        ask: Ask,
        step: Option<Shipment>,
        mut answers: Vec<Answer>,
        fx: &mut Effects,
    ) {
        let lease = self.lease_wanted(env);
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        answers.append(&mut primary.answers);
        primary.rounds += 1;
        if let Some(weak) = &mut primary.weak {
            weak.ships_whole();
        }
        // A member may have stored the value that an unconfirmed primary was installed with
        // before the reads came: only a check behind the confirmation is proof for them.
        let (ask, then_check) = match ask {
            Ask::Check if !primary.confirmed => (Ask::Accept(self.record.newest().1), true),
            Ask::Accept(_) if step.is_none() => (ask, !answers.is_empty()),
            ask => (ask, false),
        };
        if ask == Ask::Check {
            primary.checked = Some((primary.rounds, env.now));
        }
        let mut round = Round {
            number: primary.rounds,
            ask,
            started: env.now,
            acks: self.record.index.map_or(MemberSet::EMPTY, MemberSet::of),
            step,
            answers,
            lease,
            then_check,
        };
        for (process, peer) in primary.peers.iter_mut() {
            peer.unanswered = given_up(env, process);
            send(
                self.object,
                &self.record,
                &round,
                peer,
                *process,
                env.now,
                fx,
            );
        }
        round.lease = Duration::ZERO;
        primary.phase = Phase::Round(Box::new(round));
    }

    /// Ends the round if it has what it needs. Whether it did.
    pub(super) fn try_end_round(&mut self, env: &mut Env<'_>, fx: &mut Effects) -> bool {
        let Role::Primary(primary) = &mut self.role else {
            return false;
        };
        let Phase::Round(round) = &primary.phase else {
            return false;
        };
        let needed = quorum_of_round(primary, &self.record.configuration, env);
        let asks = primary.weak.is_none();
        let lacks = round.acks.len() < needed;
        if asks && (lacks || awaits_learner(primary, &self.record, round, env.now)) {
            return false;
        }
        let Phase::Round(round) = core::mem::replace(&mut primary.phase, Phase::Idle) else {
            return false;
        };
        primary.before = None;
        let first = !primary.confirmed;
        if let Ask::Accept(version) = round.ask {
            primary.confirmed = true;
            primary.chosen = version;
            self.note_chosen(first, fx);
        }
        if round.then_check {
            self.start_round(env, Ask::Check, None, round.answers, fx);
        } else {
            for answer in &round.answers {
                answer.send(fx);
            }
        }
        if first && self.finish.is_some() {
            self.complete_finish(env, fx);
        }
        match self.record.status() {
            Some(Status::Sealed { .. }) => self.begin_finish(env, fx),
            Some(Status::Deleted) => self.finish_deletion(env, fx),
            _ => {}
        }
        true
    }

    /// Says what became known with a chosen version.
    pub(super) fn note_chosen(&mut self, first: bool, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        if first {
            fx.notes.push(Note::Active(primary.how));
        }
        fx.notes.push(Note::Chosen(primary.chosen));
        let Some(held) = &self.record.accepted else {
            return;
        };
        let last = held.value.outbox.last;
        if last > primary.outbox_chosen {
            primary.outbox_chosen = last;
            if !held.value.outbox.calls.is_empty() {
                fx.notes.push(Note::OutboxChanged);
            }
        }
    }

    /// A member or learner has this version on record.
    pub(super) fn on_stored(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        (epoch, ballot, version): (Epoch, Ballot, Version),
        stamp: u64,
        fx: &mut Effects,
    ) {
        if self
            .finish
            .as_ref()
            .is_some_and(|finish| finish.next.epoch == epoch)
        {
            self.finish_stored(env, Some(from), fx);
        }
        let head = self.record.newest().1;
        if epoch != self.record.epoch() {
            return;
        }
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(peer) = primary.peers.get_mut(&from) else {
            return;
        };
        if ballot != primary.ballot || version > head {
            return;
        }
        if peer.vote.is_none() && version == head && peer.stored < Some(version) {
            fx.notes.push(Note::LearnerSynced(from));
        }
        let learner = (env.mutation == Some(Mutation::LearnersVote)).then_some(NO_MEMBER);
        peer.stored = peer.stored.max(Some(version));
        peer.stamp = peer.stamp.max(Some(stamp));
        peer.heard = Some(env.now);
        peer.awaited = peer.vote.is_none();
        peer.unanswered = 0;
        if let Phase::Round(round) = &mut primary.phase
            && let (Ask::Accept(asked), Some(index)) = (round.ask, peer.vote.or(learner))
            && version >= asked
        {
            round.acks.insert(index);
        }
        self.drive(env, fx);
    }

    /// A member confirms that nothing higher is promised there.
    pub(super) fn on_checked(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        (epoch, ballot, number): (Epoch, Ballot, u64),
        generation: u64,
        fx: &mut Effects,
    ) {
        if epoch != self.record.epoch() {
            return;
        }
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(peer) = primary.peers.get_mut(&from) else {
            return;
        };
        peer.heard = Some(env.now);
        if generation > 0
            && ballot == primary.ballot
            && let Some((_, asked)) = primary.checked.filter(|(round, _)| *round == number)
        {
            peer.generation = peer.generation.max(generation);
            env.lease_granted(from, generation, asked);
        }
        if let Phase::Round(round) = &mut primary.phase
            && let Some(index) = peer.vote
            && round.ask == Ask::Check
            && round.number == number
            && ballot == primary.ballot
        {
            round.acks.insert(index);
        }
        self.drive(env, fx);
    }

    /// A member has another version than a step or a check starts from.
    pub(super) fn on_need_full(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        epoch: Epoch,
        ballot: Ballot,
        fx: &mut Effects,
    ) {
        if epoch != self.record.epoch() {
            return;
        }
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(peer) = primary.peers.get_mut(&from) else {
            return;
        };
        if ballot != primary.ballot {
            return;
        }
        peer.heard = Some(env.now);
        needs_full(peer);
        ship(self.object, &self.record, None, peer, from, env.now, fx);
        if let Phase::Round(round) = &primary.phase
            && round.ask == Ask::Check
        {
            send(self.object, &self.record, round, peer, from, env.now, fx);
        }
    }

    /// Ships the whole value to one peer.
    pub(super) fn ship_to(&mut self, env: &Env<'_>, process: ProcessId, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        if let Some(peer) = primary.peers.get_mut(&process) {
            ship(self.object, &self.record, None, peer, process, env.now, fx);
        }
    }

    /// Sends again what was not answered.
    pub(super) fn resend(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let head = self.record.newest().1;
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        for (process, peer) in primary.peers.iter_mut() {
            if peer.due > env.now {
                continue;
            }
            let behind = peer.stored < Some(head);
            match &primary.phase {
                Phase::Round(round) if wants(round, peer) || behind => {
                    peer.sent = peer.stored;
                    peer.unanswered += 1;
                    if behind || round.ask != Ask::Check {
                        let step = round.step.as_ref();
                        ship(self.object, &self.record, step, peer, *process, env.now, fx);
                    }
                    if round.ask == Ask::Check {
                        send(
                            self.object,
                            &self.record,
                            round,
                            peer,
                            *process,
                            env.now,
                            fx,
                        );
                    }
                }
                Phase::Round(_) => {}
                _ if behind && primary.confirmed && peer.unanswered < LAGGARD_SENDS => {
                    peer.sent = peer.stored;
                    peer.unanswered += 1;
                    ship(self.object, &self.record, None, peer, *process, env.now, fx);
                }
                _ => {}
            }
            peer.due = env.now + (RESEND * (1 + peer.unanswered)).min(RESEND_MAX);
        }
    }
}

/// Whether a learner's answer is still to be waited for: with one member it is the only copy
/// that would survive.
fn awaits_learner(primary: &Primary, record: &Record, round: &Round, now: Instant) -> bool {
    let Ask::Accept(version) = round.ask else {
        return false;
    };
    record.configuration.members.len() == 1
        && now.since(round.started) < AWAIT_LEARNER
        && primary
            .peers
            .values()
            .any(|peer| peer.awaited && peer.stored < Some(version))
}

impl Replica {
    /// Learners that let a round wait for too long are not waited for until they answer again.
    pub(super) fn give_up_learners(&mut self, now: Instant) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Phase::Round(round) = &primary.phase else {
            return;
        };
        if let Ask::Accept(version) = round.ask
            && now.since(round.started) >= AWAIT_LEARNER
        {
            for peer in primary.peers.values_mut() {
                peer.awaited &= peer.stored >= Some(version);
            }
        }
    }
}

//! Weak mode: a primary that answers first and ships afterwards, a takeover that asks whom it
//! reaches, and what it costs (design section 7, reliability research 3.5).
//!
//! A takeover begins a new *line* of replica sets, as a recovery does: its lineage is higher than
//! the one before, so that every replica that hears of it follows. The fork is part of the new
//! set, and so whoever is left behind can tell what of its own is discarded.

use alloc::string::String;

use overlay_proto::{Duration, Instant};
use rand_chacha::rand_core::Rng;

use crate::message::{Ask, Refusal, RegisterMessage, Reply, Sighting, Status};
use crate::mode::{Lost, Mode};
use crate::object::{Configuration, Epoch, Lineage};
use crate::outcome::Cause;
use crate::register::finish::first_ballot;
use crate::register::member_set::MemberSet;
use crate::register::primary::{Answer, Primary};
use crate::register::record::{Held, Record};
use crate::register::ship::{Shipment, ship};
use crate::register::{Activation, Effects, Env, Mutation, Note, Replica, Role};

/// Most versions that are answered and not shipped.
const UNSHIPPED_MAX: u64 = 64;

/// Numbers of outbox calls that a new line leaves out: the line before may have used some.
const OUTBOX_GAP: u64 = 1 << 32;

/// What a primary in weak mode has answered and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weak {
    /// What was answered since the last shipment, as one step.
    unshipped: Option<Shipment>,
    versions: u64,
    shipped: Option<Instant>,
    /// The first shipment since another member was heard.
    unheard: Option<Instant>,
}

impl Weak {
    pub(crate) const fn waits(&self) -> bool {
        self.unshipped.is_some()
    }

    fn keep(&mut self, step: Shipment, versions: u64) {
        self.versions += versions;
        self.unshipped = Some(match self.unshipped.take() {
            Some(earlier) => earlier.joined(step),
            None => step,
        });
    }

    /// Everything is on its way, with something else.
    pub(crate) fn ships_whole(&mut self) {
        self.unshipped = None;
        self.versions = 0;
    }

    fn is_due(&self, now: Instant, every: Duration) -> bool {
        let rested = self.shipped.is_none_or(|at| now.since(at) >= every);
        self.waits() && (rested || self.versions >= UNSHIPPED_MAX)
    }
}

impl Primary {
    /// Whether nobody else was heard for so long that the object may go on elsewhere.
    fn is_isolated(&self, now: Instant, after: Duration) -> bool {
        let unheard = self.weak.as_ref().and_then(|weak| weak.unheard);
        unheard.is_some_and(|since| now.since(since) >= after && !self.heard_after(since))
    }

    fn heard_after(&self, since: Instant) -> bool {
        let mut voters = self.peers.values().filter(|peer| peer.vote.is_some());
        voters.any(|peer| peer.heard >= Some(since))
    }
}

impl Replica {
    /// Whether the object's calls do not wait for a majority.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        let held = self.record.accepted.as_ref();
        held.is_some_and(|held| held.value.mode == Mode::Weak)
    }

    /// A step is on record here: answers leave, and the others get it soon.
    pub(super) fn answer_before_shipping(
        &mut self,
        env: &mut Env<'_>,
        step: Shipment,
        answers: &[Answer],
        fx: &mut Effects,
    ) {
        let head = self.record.newest().1;
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let first = !primary.confirmed;
        primary.confirmed = true;
        let made = head.0.saturating_sub(primary.chosen.0);
        primary.chosen = head;
        let Some(weak) = &mut primary.weak else {
            return;
        };
        weak.keep(step, made);
        for answer in answers {
            answer.send(fx);
        }
        self.note_chosen(first, fx);
        self.ship_unshipped(env, fx);
    }

    /// Ships what was answered, if it is time.
    pub(super) fn ship_unshipped(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(weak) = &primary.weak else {
            return;
        };
        if !weak.is_due(env.now, env.weak.ship) {
            return;
        }
        let answered = weak.unheard.is_none_or(|since| primary.heard_after(since));
        let alone = primary.peers.values().all(|peer| peer.vote.is_none());
        let Some(weak) = &mut primary.weak else {
            return;
        };
        if answered && !alone {
            weak.unheard = Some(env.now);
        }
        weak.shipped = Some(env.now);
        weak.versions = 0;
        let step = weak.unshipped.take();
        for (process, peer) in primary.peers.iter_mut() {
            let step = step.as_ref();
            ship(self.object, &self.record, step, peer, *process, env.now, fx);
        }
    }

    /// Refuses what a primary that hears nobody must not execute, and tries to be heard.
    pub(super) fn refuses_alone(
        &mut self,
        env: &mut Env<'_>,
        ask: &Ask,
        fx: &mut Effects,
    ) -> Option<Reply> {
        let never = env.mutation == Some(Mutation::NeverIsolated);
        let Role::Primary(primary) = &mut self.role else {
            return None;
        };
        let executes = !matches!(ask, Ask::Inspect);
        if never || !executes || !primary.is_isolated(env.now, env.weak.isolated) {
            return None;
        }
        for peer in primary.peers.values_mut() {
            peer.unanswered = 0;
        }
        self.resend(env, fx);
        fx.notes.push(Note::Alone);
        Some(Reply::Refused(Refusal::Final(Cause::Isolated)))
    }

    /// A link with another member is there again: is this still the primary?
    pub(super) fn ask_whether_primary(&self, process: overlay_proto::ProcessId, fx: &mut Effects) {
        let check = RegisterMessage::Check {
            epoch: self.record.epoch(),
            ballot: self.record.promised,
            round: 0,
            lease: Duration::ZERO,
        };
        fx.register(process, self.object, check);
    }

    /// Whether a candidate of a weak object has asked for long enough.
    pub(super) fn has_collected(&mut self, env: &Env<'_>, fx: &mut Effects) -> bool {
        let members = self.record.configuration.members.len();
        let majority = self.record.configuration.majority();
        let Role::Candidate(candidate) = &mut self.role else {
            return false;
        };
        let (answered, age) = (candidate.answered(), candidate.age(env.now));
        if answered == members {
            return true;
        }
        if age < env.weak.collect {
            return false;
        }
        if answered >= majority {
            return true;
        }
        // So few may have been left behind by the object: others are asked, too.
        if candidate.begins_to_doubt() {
            fx.notes.push(Note::Alone);
        }
        age >= env.weak.collect * 2
    }

    /// Goes on from the value on record, as the primary of a new line with the same members.
    pub(super) fn begin_line(
        &mut self,
        env: &mut Env<'_>,
        (index, answered): (u8, usize),
        how: Activation,
        fx: &mut Effects,
    ) {
        let Some(mut held) = self.record.accepted.take() else {
            return;
        };
        if held.value.status == Status::Deleted {
            self.record.accepted = Some(held);
            self.finish_deletion(env, fx);
            return;
        }
        let before = &self.record.configuration;
        let configuration = Configuration {
            epoch: next_line(self.newest_epoch(), answered, env.rng.next_u32()),
            members: before.members.clone(),
            forks: before.forked_at(held.version),
            seal: None,
        };
        held.value.status = Status::Live;
        held.value.outbox.last = held.value.outbox.last.saturating_add(OUTBOX_GAP);
        let held = Held {
            ballot: first_ballot(index),
            ..held
        };
        let epoch = configuration.epoch;
        self.record = Record::holding(configuration, Some(index), self.record.stamp, held);
        self.finish = None;
        self.overtaken = None;
        self.forgotten = MemberSet::EMPTY;
        self.sealed_since = None;
        fx.notes.push(Note::Installed(epoch));
        self.become_primary(env, how, None, fx);
    }

    /// Says what of this copy the object's new line does not have: that of a takeover in weak
    /// mode, or of a recovery beside members that lived (design review 1.11).
    pub(super) fn report_lost(&self, winner: &Configuration, fx: &mut Effects) {
        let Some(held) = &self.record.accepted else {
            return;
        };
        let mine = &self.record.configuration;
        if winner.epoch.lineage <= mine.epoch.lineage {
            return;
        }
        let since = mine.shared_with(held.version, winner);
        if since < held.version {
            fx.notes.push(Note::Lost(Lost {
                kind: String::from(&*held.value.kind),
                lineage: mine.epoch.lineage,
                since,
                until: held.version,
                primary: self.was_primary(),
                state: held.value.state.clone(),
            }));
        }
    }

    /// The object went on in another line: asks its primary for the value, if this process is
    /// a member there.
    pub(super) fn follow(&self, env: &Env<'_>, sighting: &Sighting, fx: &mut Effects) {
        let Sighting::Member {
            configuration,
            primary: Some(primary),
        } = sighting
        else {
            return;
        };
        let member = configuration.index_of(&env.me).is_some();
        if let Some(process) = configuration.process(*primary).filter(|_| member) {
            let need = RegisterMessage::NeedFull {
                epoch: configuration.epoch,
                ballot: first_ballot(*primary),
            };
            fx.register(process, self.object, need);
        }
    }
}

/// The first epoch of a line that leaves `before`. Of two such lines that begin at one time the
/// one that left the later replica set is the higher, then the one that more members joined.
fn next_line(before: Epoch, answered: usize, random: u32) -> Epoch {
    let progress = u32::try_from(before.number.min(0xffff)).unwrap_or(0xffff);
    let answered = u32::try_from(answered.min(0xf)).unwrap_or(0xf);
    Epoch {
        lineage: Lineage {
            number: before.lineage.number.saturating_add(1),
            tag: progress << 16 | answered << 12 | random & 0xfff,
        },
        number: before.number.saturating_add(1),
    }
}

//! Seeing a chosen seal through: the next replica set gets the value, the old one is told.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::message::{Change, RegisterMessage, Sighting, Status, Value};
use crate::object::{Ballot, Configuration, Epoch, Version};
use crate::register::candidate::EXPECT;
use crate::register::member_set::MemberSet;
use crate::register::record::{Held, Record};
use crate::register::{Activation, Effects, Env, Note, Replica, floor, quorum};

/// How long a member of the next set is given to answer before the value is sent again.
const RESEND: Duration = Duration::from_millis(200);

/// Longest pause between two such sends.
const RESEND_MAX: Duration = Duration::from_secs(2);

/// The steps that are left once a seal is chosen. Anybody who knows that it is chosen may do
/// them: they are the same steps with the same value.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    old: Configuration,
    pub(crate) next: Configuration,
    pub(crate) first_primary: u8,
    version: Version,
    value: Value,
    stored: BTreeSet<ProcessId>,
    learners: Vec<ProcessId>,
    due: Instant,
    pause: Duration,
}

impl Finish {
    /// The epoch that is over.
    pub(crate) const fn old_epoch(&self) -> Epoch {
        self.old.epoch
    }

    /// What the object's former members and their callers are told.
    pub(crate) fn sighting(&self) -> Sighting {
        Sighting::Member {
            configuration: self.next.clone(),
            primary: Some(self.first_primary),
        }
    }
}

impl Replica {
    /// The seal on record is chosen: go on in the next set, or see to it that others do.
    pub(super) fn begin_finish(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Some(held) = &self.record.accepted else {
            return;
        };
        let Status::Sealed {
            next,
            first_primary,
        } = &held.value.status
        else {
            return;
        };
        if self.finish.is_some() {
            return;
        }
        let (next, first_primary) = (Configuration::clone(next), *first_primary);
        let mut value = held.value.clone();
        value.status = Status::Live;
        let finish = Finish {
            old: (*self.record.configuration).clone(),
            next: next.clone(),
            first_primary,
            version: held.version,
            value,
            stored: BTreeSet::new(),
            learners: self
                .learners()
                .into_iter()
                .filter(|learner| next.index_of(learner).is_none())
                .collect(),
            due: env.now,
            pause: RESEND,
        };
        let mine = next
            .index_of(&env.me)
            .filter(|_| self.may_enter(env, &next));
        let carried = self.leave_primary_role(mine == Some(first_primary), &finish.sighting(), fx);
        if let Some(index) = mine {
            self.enter(env, &finish, index, fx);
        }
        self.finish = Some(Box::new(finish));
        if mine == Some(first_primary) {
            self.become_primary(env, Activation::Reconfigured, carried, fx);
        } else {
            self.expect_primary(env, EXPECT);
            self.finish_stored(env, None, fx);
            self.tick_finish(env, fx);
        }
    }

    /// Replaces the record by that of the next set, with the value that everybody installs.
    fn enter(&mut self, env: &mut Env<'_>, finish: &Finish, index: u8, fx: &mut Effects) {
        self.end_grant(env, true);
        let stamp = floor::stamp_of(&finish.next, env).unwrap_or(env.stamp);
        let held = Held {
            ballot: first_ballot(finish.first_primary),
            version: finish.version,
            value: finish.value.clone(),
        };
        self.record = Record::holding(finish.next.clone(), Some(index), stamp, held);
        self.sealed_since = None;
        self.heard_primary = false;
        self.tries = 0;
        self.forgotten = MemberSet::EMPTY;
        fx.notes.push(Note::Installed(finish.next.epoch));
    }

    /// A process of the next set holds the value (`None`: look whether this one does).
    pub(super) fn finish_stored(
        &mut self,
        env: &mut Env<'_>,
        from: Option<ProcessId>,
        fx: &mut Effects,
    ) {
        let Some(finish) = &mut self.finish else {
            return;
        };
        let installed = self.record.epoch() == finish.next.epoch;
        if installed && finish.next.index_of(&env.me).is_some() {
            finish.stored.insert(env.me);
        }
        if let Some(from) = from
            && finish.next.index_of(&from).is_some()
        {
            finish.stored.insert(from);
        }
        if finish.stored.len() >= quorum(&finish.next, env.mutation) {
            self.complete_finish(env, fx);
        }
    }

    /// A majority of the next set holds the value: whoever is not in it may forget the object.
    pub(super) fn complete_finish(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Some(finish) = self.finish.take() else {
            return;
        };
        let sighting = finish.sighting();
        let epoch = finish.old.epoch;
        let leaving = finish
            .old
            .processes()
            .filter(|process| finish.next.index_of(process).is_none())
            .chain(finish.learners.iter().copied())
            .filter(|process| *process != env.me);
        for process in leaving {
            let retire = RegisterMessage::Retire {
                epoch,
                sighting: sighting.clone(),
            };
            fx.register(process, self.object, retire);
        }
        fx.notes.push(Note::Reconfigured(finish.next.clone()));
        if self.record.epoch() == epoch {
            self.retire(sighting, fx);
        }
    }

    /// Sends the value to whoever of the next set has not answered. A first primary of the next
    /// set ships it in its own rounds instead.
    pub(super) fn tick_finish(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let in_rounds = self.is_primary();
        let Some(finish) = &mut self.finish else {
            return;
        };
        if in_rounds || finish.due > env.now {
            return;
        }
        finish.due = env.now + finish.pause;
        finish.pause = (finish.pause * 2).min(RESEND_MAX);
        for process in finish.next.processes() {
            if process == env.me || finish.stored.contains(&process) {
                continue;
            }
            let accept = RegisterMessage::Accept {
                epoch: finish.next.epoch,
                ballot: first_ballot(finish.first_primary),
                version: finish.version,
                change: Change::Full {
                    configuration: finish.next.clone(),
                    value: finish.value.clone(),
                },
            };
            fx.register(process, self.object, accept);
        }
    }

    /// A prepare of the next set has come before its value. The candidate holds the value, so
    /// the seal is chosen, and this member may install itself from what it has.
    pub(super) fn enter_sealed(
        &mut self,
        env: &mut Env<'_>,
        configuration: &Configuration,
        index: u8,
        fx: &mut Effects,
    ) -> bool {
        let Some(held) = &self.record.accepted else {
            return false;
        };
        let Some((next, first_primary)) = self.record.sealed_into() else {
            return false;
        };
        if next != configuration {
            return false;
        }
        let mut value = held.value.clone();
        value.status = Status::Live;
        let finish = Finish {
            old: (*self.record.configuration).clone(),
            next: next.clone(),
            first_primary,
            version: held.version,
            value,
            stored: BTreeSet::new(),
            learners: Vec::new(),
            due: env.now,
            pause: RESEND,
        };
        self.step_down(&finish.sighting(), fx);
        self.enter(env, &finish, index, fx);
        self.finish = None;
        true
    }
}

/// The ballot that a seal gives to the next set's first primary: no prepare is needed.
pub(crate) const fn first_ballot(first_primary: u8) -> Ballot {
    Ballot {
        round: 1,
        member: first_primary,
    }
}

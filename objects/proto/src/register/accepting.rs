//! Messages of the register: who promises and stores what.

use overlay_proto::ProcessId;

use crate::message::{Change, RegisterMessage, Sighting};
use crate::object::{Ballot, Configuration, Epoch, ObjectId, Version};
use crate::register::candidate::EXPECT;
use crate::register::finish::first_ballot;
use crate::register::member_set::MemberSet;
use crate::register::record::{Held, Record, well_formed};
use crate::register::{Activation, Effects, Env, Mutation, Note, Replica, Role, Tombstone, floor};

impl Replica {
    /// Makes a record from a full accept or a prepare for a process that has none, and answers.
    ///
    /// `None` if the message makes no record; a tombstone that refuses is answered `Gone`, a
    /// membership below the install floor `Forgotten`.
    #[must_use]
    pub fn install(
        env: &mut Env<'_>,
        object: ObjectId,
        from: ProcessId,
        message: RegisterMessage,
        tombstone: Option<&Tombstone>,
        fx: &mut Effects,
    ) -> Option<Self> {
        let (epoch, ballot) = match &message {
            RegisterMessage::Prepare {
                configuration,
                ballot,
                ..
            } => (configuration.epoch, *ballot),
            RegisterMessage::Accept { epoch, ballot, .. } => (*epoch, *ballot),
            RegisterMessage::Check { epoch, ballot, .. } => (*epoch, *ballot),
            _ => return None,
        };
        if let Some(tombstone) = tombstone.filter(|tombstone| tombstone.refuses(epoch)) {
            let sighting = tombstone.sighting.clone();
            fx.register(from, object, RegisterMessage::Gone { epoch, sighting });
            return None;
        }
        if floor::refuses_anew(env, (object, from), &message, tombstone, fx) {
            return None;
        }
        match message {
            RegisterMessage::Prepare {
                configuration,
                ballot,
                accepted,
            } => Self::promise_only(env, object, from, (configuration, ballot, accepted), fx),
            RegisterMessage::Accept {
                version,
                change:
                    Change::Full {
                        configuration,
                        value,
                    },
                ..
            } if configuration.epoch == epoch && well_formed(&configuration) => {
                let held = Held {
                    ballot,
                    version,
                    value,
                };
                let record = record_of(env, configuration, held);
                let mut replica = Self::new(object, record);
                replica.installed(env, from, fx);
                Some(replica)
            }
            _ => {
                fx.register(from, object, RegisterMessage::NeedFull { epoch, ballot });
                None
            }
        }
    }

    /// A record that holds a promise and nothing else.
    fn promise_only(
        env: &mut Env<'_>,
        object: ObjectId,
        from: ProcessId,
        (configuration, ballot, known): (Configuration, Ballot, (Ballot, Version)),
        fx: &mut Effects,
    ) -> Option<Self> {
        let index = configuration.index_of(&env.me)?;
        let epoch = configuration.epoch;
        if !is_of(&configuration, ballot, from) {
            return None;
        }
        if env.mutation == Some(Mutation::PromiseWithoutRecord) {
            let promised = RegisterMessage::Promised {
                epoch,
                ballot,
                accepted: None,
            };
            fx.register(from, object, promised);
            return None;
        }
        let stamp = floor::stamp_of(&configuration, env).unwrap_or(env.stamp);
        let record = Record::empty(configuration.clone(), Some(index), stamp);
        let mut replica = Self::new(object, record);
        fx.notes.push(Note::Installed(epoch));
        replica.on_prepare(env, from, configuration, ballot, known, fx);
        Some(replica)
    }

    /// Takes a message of the object's register.
    pub fn on_register(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        message: RegisterMessage,
        fx: &mut Effects,
    ) {
        if self.ended || self.refuses_overtaken(from, &message, fx) {
            return;
        }
        match message {
            RegisterMessage::Prepare {
                configuration,
                ballot,
                accepted,
            } => self.on_prepare(env, from, configuration, ballot, accepted, fx),
            RegisterMessage::Promised {
                epoch,
                ballot,
                accepted,
            } => self.on_promised(env, from, (epoch, ballot), accepted, fx),
            RegisterMessage::Accept {
                epoch,
                ballot,
                version,
                change,
            } => self.on_accept(env, from, (epoch, ballot, version), change, fx),
            RegisterMessage::Stored {
                epoch,
                ballot,
                version,
                stamp,
            } => self.on_stored(env, from, (epoch, ballot, version), stamp, fx),
            RegisterMessage::NeedFull { epoch, ballot } => {
                self.on_need_full(env, from, epoch, ballot, fx);
            }
            RegisterMessage::Rejected { epoch, promised } => {
                self.on_rejected(env, from, epoch, promised, fx);
            }
            RegisterMessage::Gone { sighting, .. } => self.on_sighting(env, &sighting, fx),
            RegisterMessage::Forgotten { epoch, .. } => self.on_forgotten(from, epoch, fx),
            RegisterMessage::Check {
                epoch,
                ballot,
                round,
                lease,
            } => self.on_check(env, from, (epoch, ballot, round), lease, fx),
            RegisterMessage::Checked {
                epoch,
                ballot,
                round,
                generation,
            } => self.on_checked(env, from, (epoch, ballot, round), generation, fx),
            RegisterMessage::Leased {
                epoch,
                ballot,
                rest,
            } => self.on_leased(env, from, (epoch, ballot), rest),
            RegisterMessage::Retire { epoch, sighting } => self.on_retire(epoch, sighting, fx),
        }
    }

    /// A candidate asks for a promise.
    fn on_prepare(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        configuration: Configuration,
        ballot: Ballot,
        known: (Ballot, Version),
        fx: &mut Effects,
    ) {
        let epoch = configuration.epoch;
        if !is_of(&configuration, ballot, from) {
            return;
        }
        if epoch < self.record.epoch() {
            self.say_gone(from, epoch, fx);
            return;
        }
        if epoch > self.record.epoch() {
            let Some(index) = configuration.index_of(&env.me) else {
                return;
            };
            if self.refuses_entry(env, from, &configuration, fx) {
                return;
            }
            if !self.enter_sealed(env, &configuration, index, fx) {
                let stamp = floor::stamp_of(&configuration, env).unwrap_or(env.stamp);
                let record = Record::empty(configuration, Some(index), stamp);
                self.replace(env, record, fx);
            }
        } else if configuration != *self.record.configuration || self.record.index.is_none() {
            return;
        }
        if ballot >= self.record.promised
            && let Some(until) = self.leased_until(env, &from)
        {
            self.say_leased(env, from, (ballot, until), fx);
            return;
        }
        let higher = ballot > self.record.promised;
        let answer = match self.record.prepare(ballot, known) {
            Ok(accepted) => RegisterMessage::Promised {
                epoch,
                ballot,
                accepted,
            },
            Err(promised) => RegisterMessage::Rejected { epoch, promised },
        };
        fx.register(from, self.object, answer);
        if higher {
            self.end_grant(env, true);
            self.heard_primary = false;
            self.step_down(&self.sighting(), fx);
            self.expect_primary(env, EXPECT);
        }
    }

    /// A primary ships a value, or whoever finishes a change installs it.
    fn on_accept(
        &mut self,
        env: &mut Env<'_>,
        from: ProcessId,
        (epoch, ballot, version): (Epoch, Ballot, Version),
        change: Change,
        fx: &mut Effects,
    ) {
        if epoch < self.record.epoch() {
            self.say_gone(from, epoch, fx);
            return;
        }
        if epoch > self.record.epoch() {
            match change {
                Change::Full {
                    configuration,
                    value,
                } if configuration.epoch == epoch && well_formed(&configuration) => {
                    if self.refuses_entry(env, from, &configuration, fx) {
                        return;
                    }
                    let held = Held {
                        ballot,
                        version,
                        value,
                    };
                    let record = record_of(env, configuration, held);
                    self.replace(env, record, fx);
                    self.installed(env, from, fx);
                }
                _ => {
                    let need = RegisterMessage::NeedFull { epoch, ballot };
                    fx.register(from, self.object, need);
                }
            }
            return;
        }
        if let Change::Full { configuration, .. } = &change
            && *configuration != *self.record.configuration
        {
            return;
        }
        if matches!(&self.role, Role::Primary(primary) if primary.ballot == ballot) {
            self.say_stored(from, fx);
            return;
        }
        self.store(env, from, (ballot, version), change, fx);
    }

    /// The record was made from a full accept.
    fn installed(&mut self, env: &mut Env<'_>, from: ProcessId, fx: &mut Effects) {
        let epoch = self.record.epoch();
        fx.notes.push(Note::Installed(epoch));
        self.note_status(env);
        self.say_stored(from, fx);
        let first = self
            .record
            .index
            .is_some_and(|index| self.record.promised == first_ballot(index));
        if first {
            let how = if epoch.number == 1 && epoch.lineage.number == 0 {
                Activation::Created
            } else {
                Activation::Reconfigured
            };
            self.become_primary(env, how, None, fx);
            return;
        }
        self.hear_primary(from, false, fx);
        if !self.heard_primary && epoch.number > 1 {
            self.expect_primary(env, EXPECT);
        }
    }

    /// A value was stored under the promised ballot; it may come from its primary itself.
    pub(super) fn hear_primary(&mut self, from: ProcessId, deposed: bool, fx: &mut Effects) {
        let ballot = self.record.promised;
        self.heard_primary |= self.record.configuration.process(ballot.member) == Some(from);
        if self.heard_primary {
            self.tries = 0;
        }
        if deposed || self.heard_primary {
            self.step_down(&self.sighting(), fx);
        }
    }

    /// Puts a record of a newer epoch in the place of this one.
    fn replace(&mut self, env: &mut Env<'_>, record: Record, fx: &mut Effects) {
        self.end_grant(env, true);
        self.report_lost(&record.configuration, fx);
        let sighting = Sighting::Member {
            configuration: (*record.configuration).clone(),
            primary: Some(record.promised.member).filter(|_| record.promised.round > 0),
        };
        self.step_down(&sighting, fx);
        self.finish = None;
        self.overtaken = None;
        self.sealed_since = None;
        self.heard_primary = false;
        self.tries = 0;
        self.forgotten = MemberSet::EMPTY;
        if record.accepted.is_none() {
            fx.notes.push(Note::Installed(record.epoch()));
        }
        self.record = record;
    }

    pub(super) fn say_stored(&self, to: ProcessId, fx: &mut Effects) {
        let stored = RegisterMessage::Stored {
            epoch: self.record.epoch(),
            ballot: self.record.promised,
            version: self.record.newest().1,
            stamp: self.record.stamp,
        };
        fx.register(to, self.object, stored);
    }

    pub(super) fn say_gone(&self, to: ProcessId, epoch: Epoch, fx: &mut Effects) {
        let sighting = self.sighting();
        fx.register(to, self.object, RegisterMessage::Gone { epoch, sighting });
    }
}

/// Whether a ballot of this configuration belongs to this process.
fn is_of(configuration: &Configuration, ballot: Ballot, process: ProcessId) -> bool {
    well_formed(configuration) && configuration.process(ballot.member) == Some(process)
}

/// The record that a full accept makes here: a member's, or a learner's.
fn record_of(env: &Env<'_>, configuration: Configuration, held: Held) -> Record {
    let index = configuration.index_of(&env.me);
    let stamp = floor::stamp_of(&configuration, env).unwrap_or(env.stamp);
    Record::holding(configuration, index, stamp, held)
}

//! The object moves: learners, proposals, retirement, recovery.

use alloc::boxed::Box;
use alloc::sync::Arc;

use overlay_proto::ProcessId;

use crate::message::{RegisterMessage, Sighting, Status};
use crate::object::{Configuration, Epoch, Replica as Member};
use crate::register::finish::first_ballot;
use crate::register::primary::{Peer, Phase};
use crate::register::proposal::Proposal;
use crate::register::record::{Held, Record, well_formed};
use crate::register::{Activation, Effects, Env, Note, ProposeError, Replica, Role, Tombstone};

impl Replica {
    /// Makes sure that a majority holds the value under this primary's ballot. A first primary
    /// that nobody has called does not know that yet, and may not change the replica set.
    pub fn activate(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Role::Primary(primary) = &self.role else {
            return;
        };
        if !primary.confirmed && matches!(primary.phase, Phase::Idle) {
            self.confirm(env, fx);
            self.drive(env, fx);
        }
    }

    /// Ships the value to a process without a vote. Nothing if not the active primary, or if
    /// it is a member or learner already. A primary that never made a round, because nobody
    /// called its new object, begins one: call again.
    pub fn add_learner(&mut self, env: &mut Env<'_>, process: ProcessId, fx: &mut Effects) {
        self.confirm_idle(env, fx);
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        if !primary.confirmed || process == env.me || primary.peers.contains_key(&process) {
            return;
        }
        primary.peers.insert(process, Peer::new(None, env.now));
        self.ship_to(env, process, fx);
    }

    /// Stops shipping to a learner and tells it so.
    pub fn drop_learner(&mut self, env: &mut Env<'_>, process: ProcessId, fx: &mut Effects) {
        let sighting = self.sighting();
        let epoch = self.record.epoch();
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        if primary
            .peers
            .get(&process)
            .is_none_or(|peer| peer.vote.is_some())
        {
            return;
        }
        primary.peers.remove(&process);
        let retire = RegisterMessage::Retire { epoch, sighting };
        fx.register(process, self.object, retire);
        self.drive(env, fx);
    }

    /// Confirms a primary that has had no reason to do so before.
    fn confirm_idle(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let idle = match &self.role {
            Role::Primary(primary) => !primary.confirmed && matches!(primary.phase, Phase::Idle),
            _ => false,
        };
        if idle {
            self.confirm(env, fx);
            self.drive(env, fx);
        }
    }

    /// Begins to seal the object into `next`, whose member `first_primary` goes on.
    ///
    /// # Errors
    /// See [`ProposeError`]; nothing has happened then.
    pub fn propose(
        &mut self,
        env: &mut Env<'_>,
        next: Configuration,
        first_primary: u8,
        fx: &mut Effects,
    ) -> Result<(), ProposeError> {
        self.confirm_idle(env, fx);
        let busy = self.is_changing();
        let Role::Primary(primary) = &mut self.role else {
            return Err(ProposeError::NotPrimary);
        };
        if !primary.confirmed {
            return Err(ProposeError::NotPrimary);
        }
        if busy {
            return Err(ProposeError::Busy);
        }
        let mut expected = self.record.epoch();
        expected.number = expected.number.saturating_add(1);
        let named = next.process(first_primary).is_some();
        if next.epoch != expected || !well_formed(&next) || !named {
            return Err(ProposeError::Malformed);
        }
        if !primary.may_propose(env, &next) {
            return Err(ProposeError::NotInSync);
        }
        primary.proposal = Some(Box::new(Proposal::new(next, first_primary)));
        self.drive(env, fx);
        Ok(())
    }

    /// Whether a change of the replica set, or the deletion, is under way here.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        let proposed = match &self.role {
            Role::Primary(primary) => primary.proposal.is_some(),
            _ => false,
        };
        let ending = !matches!(self.record.status(), None | Some(Status::Live));
        proposed || ending || self.finish.is_some()
    }

    /// Whether the value on record here, chosen or not, names the next set.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.record.sealed_into().is_some()
    }

    /// Makes this copy the object, alone, in the first epoch of a new lineage. Whether it
    /// could: a copy without a value, or of a deleted object, cannot.
    pub fn recover(&mut self, env: &mut Env<'_>, epoch: Epoch, fx: &mut Effects) -> bool {
        let configuration = Configuration {
            epoch,
            members: Arc::new([Member {
                process: env.me,
                stamp: env.stamp,
            }]),
            forks: self.record.configuration.forked_at(self.record.newest().1),
            seal: None,
        };
        let deleted = self.record.status() == Some(&Status::Deleted);
        if self.ended || deleted || epoch.lineage <= self.record.epoch().lineage {
            return false;
        }
        let Some(held) = self.record.accepted.take() else {
            return false;
        };
        let sighting = Sighting::Member {
            configuration: configuration.clone(),
            primary: Some(0),
        };
        self.step_down(&sighting, fx);
        self.end_grant(env, true);
        let mut value = held.value;
        value.status = Status::Live;
        let held = Held {
            ballot: first_ballot(0),
            version: held.version,
            value,
        };
        self.record = Record::holding(configuration, Some(0), env.stamp, held);
        self.finish = None;
        self.overtaken = None;
        self.sealed_since = None;
        fx.notes.push(Note::Installed(epoch));
        self.become_primary(env, Activation::Reconfigured, None, fx);
        true
    }

    /// Another process has left this epoch, or says that a newer one exists: whatever it names
    /// was sealed and chosen, for nothing of a newer epoch exists before.
    pub fn on_sighting(&mut self, env: &mut Env<'_>, sighting: &Sighting, fx: &mut Effects) {
        let epoch = self.record.epoch();
        let newer = match sighting {
            Sighting::Unknown => return,
            Sighting::Deleted => None,
            Sighting::Member { configuration, .. } if configuration.epoch <= epoch => return,
            Sighting::Member { configuration, .. } => Some(configuration),
        };
        if self.ended {
            return;
        }
        let seal_is_chosen = match (newer, self.record.sealed_into()) {
            (Some(newer), Some((next, _))) => newer == next,
            _ => false,
        };
        if seal_is_chosen {
            self.begin_finish(env, fx);
        } else {
            let weak = self.is_weak();
            if !self.keeps_overtaken(env, sighting, fx) {
                self.retire(sighting.clone(), fx);
            }
            if weak {
                self.follow(env, sighting, fx);
            }
        }
    }

    /// The epoch is over and a majority of the next set holds the value, or a learner is not
    /// needed.
    pub(super) fn on_retire(&mut self, epoch: Epoch, sighting: Sighting, fx: &mut Effects) {
        let mine = self.record.epoch();
        let over = match &sighting {
            Sighting::Unknown => false,
            Sighting::Member { configuration, .. } => configuration.epoch > mine,
            Sighting::Deleted => epoch >= mine,
        };
        let unneeded = matches!(&sighting, Sighting::Member { configuration, .. }
            if configuration.epoch == epoch && epoch == mine);
        if over {
            self.retire(sighting, fx);
        } else if unneeded && self.record.index.is_none() {
            self.ended = true;
            fx.notes.push(Note::Dropped);
        }
    }

    /// A member forgot so much that it installs nothing of this epoch any more. It has no record
    /// of it, so either the epoch was left, or never had this member.
    pub(super) fn on_forgotten(&mut self, from: ProcessId, epoch: Epoch, fx: &mut Effects) {
        let configuration = &self.record.configuration;
        let Some(index) = configuration.index_of(&from) else {
            return;
        };
        if epoch != configuration.epoch || !self.forgotten.insert(index) {
            return;
        }
        // A weak object needs no majority: those that left may have been told of this very line.
        let needs_them = !self.is_weak() || self.overtaken.is_some();
        if needs_them && self.forgotten.len() >= configuration.majority() {
            // No majority of this epoch can ever be again, and whatever one acknowledged has
            // moved on: those that held it left.
            fx.notes.push(Note::Outlived(epoch));
            let overtaken = self.overtaken.as_ref();
            let gone_on = overtaken.map_or(Sighting::Unknown, |one| one.sighting.clone());
            self.retire(gone_on, fx);
        } else if self.is_primary() {
            fx.notes.push(Note::MemberLost(from));
        }
    }

    /// The deletion is chosen: nobody needs the object any more.
    pub(super) fn finish_deletion(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let epoch = self.record.epoch();
        let sighting = Sighting::Deleted;
        let learners = self.learners();
        for process in self.record.configuration.processes().chain(learners) {
            if process == env.me {
                continue;
            }
            let retire = RegisterMessage::Retire {
                epoch,
                sighting: sighting.clone(),
            };
            fx.register(process, self.object, retire);
        }
        self.retire(sighting, fx);
    }

    /// Ends this replica for good.
    pub(super) fn retire(&mut self, sighting: Sighting, fx: &mut Effects) {
        if let Sighting::Member { configuration, .. } = &sighting {
            self.report_lost(configuration, fx);
        }
        self.step_down(&sighting, fx);
        let tombstone = Tombstone {
            epoch: self.record.epoch(),
            sighting,
            member: self.record.index.is_some(),
        };
        self.finish = None;
        self.ended = true;
        fx.notes.push(Note::Retired(tombstone));
    }
}

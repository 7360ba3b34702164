//! What an acceptor remembers and the rules by which it promises and accepts.

use alloc::sync::Arc;

use crate::message::{Accepted, Change, StateChange, Status, Value};
use crate::object::{Ballot, Configuration, Epoch, MEMBERS_MAX, Version};
use crate::register::Mutation;

/// One object's record at one process: the only thing that a quorum counts.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The replica set, which other objects may have as well.
    pub(crate) configuration: Arc<Configuration>,
    /// This process in it; `None` is a learner, which has no vote.
    pub(crate) index: Option<u8>,
    /// The stamp of this membership.
    pub(crate) stamp: u64,
    /// No lower ballot is promised or accepted any more.
    pub(crate) promised: Ballot,
    /// `None`: a promise-only record. It never stands and never installs others.
    pub(crate) accepted: Option<Held>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) ballot: Ballot,
    pub(crate) version: Version,
    pub(crate) value: Value,
}

/// The answer to an accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptAnswer {
    /// This version is on record under the accept's ballot.
    Stored(Version),
    /// The step does not start from what is on record.
    NeedFull,
    /// This ballot is promised.
    Rejected(Ballot),
}

impl Record {
    /// A record of a configuration in which nothing is promised or accepted.
    pub(crate) fn empty(configuration: Configuration, index: Option<u8>, stamp: u64) -> Self {
        Self {
            configuration: Arc::new(configuration),
            index,
            stamp,
            promised: Ballot {
                round: 0,
                member: 0,
            },
            accepted: None,
        }
    }

    /// A record with a value, accepted under `ballot`.
    pub(crate) fn holding(
        configuration: Configuration,
        index: Option<u8>,
        stamp: u64,
        held: Held,
    ) -> Self {
        Self {
            configuration: Arc::new(configuration),
            index,
            stamp,
            promised: held.ballot,
            accepted: Some(held),
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.configuration.epoch
    }

    /// The newest version on record and its ballot; the lowest of all without a value.
    pub(crate) fn newest(&self) -> (Ballot, Version) {
        self.accepted
            .as_ref()
            .map_or_else(Default::default, |held| (held.ballot, held.version))
    }

    /// The status of the value on record.
    pub(crate) fn status(&self) -> Option<&Status> {
        self.accepted.as_ref().map(|held| &held.value.status)
    }

    /// The replica set that the value on record is sealed into, and its first primary.
    pub(crate) fn sealed_into(&self) -> Option<(&Configuration, u8)> {
        match self.status() {
            Some(Status::Sealed {
                next,
                first_primary,
            }) => Some((next, *first_primary)),
            _ => None,
        }
    }

    /// Promises `ballot` and says what was accepted, with the value only if newer than `known`.
    ///
    /// # Errors
    /// The higher ballot that is promised already.
    pub(crate) fn prepare(
        &mut self,
        ballot: Ballot,
        known: (Ballot, Version),
    ) -> Result<Option<Accepted>, Ballot> {
        if ballot < self.promised {
            return Err(self.promised);
        }
        self.promised = ballot;
        Ok(self.accepted.as_ref().map(|held| Accepted {
            ballot: held.ballot,
            version: held.version,
            value: ((held.ballot, held.version) > known).then(|| held.value.clone()),
        }))
    }

    /// Accepts a change of this record's epoch.
    pub(crate) fn accept(
        &mut self,
        ballot: Ballot,
        version: Version,
        change: Change,
        mutation: Option<Mutation>,
    ) -> AcceptAnswer {
        if ballot < self.promised && mutation != Some(Mutation::PromiseForgotten) {
            self.seed(version, change);
            return AcceptAnswer::Rejected(self.promised);
        }
        match change {
            Change::Full { value, .. } => self.accept_full(ballot, version, value),
            Change::Kept { from } => self.accept_kept(ballot, version, from, mutation),
            step @ Change::Step { .. } => self.accept_step(ballot, version, &step, mutation),
        }
    }

    fn accept_full(&mut self, ballot: Ballot, version: Version, value: Value) -> AcceptAnswer {
        self.promised = ballot;
        if self.newest() <= (ballot, version) {
            self.accepted = Some(Held {
                ballot,
                version,
                value,
            });
        }
        AcceptAnswer::Stored(self.newest().1)
    }

    /// Under one ballot each version has one value. The lowest ballot is none: values that came too
    /// late are kept under it, whoever made them.
    fn accept_kept(
        &mut self,
        ballot: Ballot,
        version: Version,
        from: Ballot,
        mutation: Option<Mutation>,
    ) -> AcceptAnswer {
        let Some(held) = &mut self.accepted else {
            return AcceptAnswer::NeedFull;
        };
        let any = mutation == Some(Mutation::KeptByVersion);
        let made = any || held.ballot == from && from != Ballot::default();
        let same = made && held.version == version;
        if same {
            held.ballot = ballot;
        } else if held.ballot != ballot || held.version < version {
            return AcceptAnswer::NeedFull;
        }
        self.promised = ballot;
        AcceptAnswer::Stored(held.version)
    }

    fn accept_step(
        &mut self,
        ballot: Ballot,
        version: Version,
        step: &Change,
        mutation: Option<Mutation>,
    ) -> AcceptAnswer {
        let Change::Step {
            base,
            state,
            sessions,
            outbox,
            status,
        } = step
        else {
            return AcceptAnswer::NeedFull;
        };
        let any_base = mutation == Some(Mutation::DeltasUnchecked);
        match &mut self.accepted {
            Some(held)
                if held.ballot == ballot
                    && (held.version == *base || any_base && held.version < version)
                    && version > *base =>
            {
                let state = match state {
                    StateChange::Delta(delta) if any_base => delta.spliced(&held.value.state),
                    state => state.applied_to(&held.value.state),
                };
                let Some(state) = state else {
                    return AcceptAnswer::NeedFull;
                };
                self.promised = ballot;
                held.version = version;
                held.value
                    .apply(Some(&state), sessions, outbox, status.as_ref());
                AcceptAnswer::Stored(version)
            }
            Some(held) if held.ballot == ballot && held.version >= version => {
                self.promised = ballot;
                AcceptAnswer::Stored(held.version)
            }
            _ => AcceptAnswer::NeedFull,
        }
    }

    /// Keeps a value that comes too late to be accepted, if there is none at all.
    ///
    /// It is kept under the lowest ballot, that of the epoch's initial value, of which every
    /// value of the epoch is a continuation: so it wins only where nothing was accepted, and it
    /// is no vote. Without it, promises to a candidate that died before it shipped anything
    /// would shut the initial value out of its own epoch.
    fn seed(&mut self, version: Version, change: Change) {
        if let (None, Change::Full { value, .. }) = (&self.accepted, change) {
            self.accepted = Some(Held {
                ballot: Ballot::default(),
                version,
                value,
            });
        }
    }
}

/// Whether a configuration from the network can be one: members, not too many, none twice.
pub(crate) fn well_formed(configuration: &Configuration) -> bool {
    let members = &configuration.members;
    let distinct = members.iter().enumerate().all(|(place, member)| {
        members
            .iter()
            .take(place)
            .all(|other| other.process != member.process)
    });
    !members.is_empty() && members.len() <= MEMBERS_MAX && distinct
}

#[cfg(test)]
mod tests;

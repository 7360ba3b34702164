//! What a replica tells the host and, through it, people and callers.

use alloc::string::String;
use alloc::vec::Vec;

use overlay_proto::{Instant, ProcessId};

use crate::execution::Deferred;
use crate::message::{Copy, Description, Sighting, Value};
use crate::object::{Ballot, Configuration, ObjectId, Version};
use crate::register::primary::Phase;
use crate::register::{Holder, LearnerStatus, Replica, Role};

impl Replica {
    /// The object.
    #[must_use]
    pub const fn object(&self) -> ObjectId {
        self.object
    }

    /// The replica set of the record.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.record.configuration
    }

    /// What callers are told.
    #[must_use]
    pub fn sighting(&self) -> Sighting {
        if let Some(overtaken) = &self.overtaken {
            return overtaken.sighting.clone();
        }
        match &self.finish {
            Some(finish) if finish.old_epoch() == self.record.epoch() => finish.sighting(),
            _ => Sighting::Member {
                configuration: (*self.record.configuration).clone(),
                primary: self.believed_index(),
            },
        }
    }

    /// What `inspect` shows, as far as the register knows it; `None` unless active primary.
    #[must_use]
    pub fn description(&self) -> Option<Description> {
        self.describe().filter(|_| self.is_active())
    }

    /// What a primary knows of its object.
    pub(super) fn describe(&self) -> Option<Description> {
        let (Role::Primary(primary), Some(held)) = (&self.role, &self.record.accepted) else {
            return None;
        };
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let holds_copy = |process: &ProcessId| {
            let peer = primary.peers.get(process);
            peer.is_some_and(|peer| peer.stored.is_some())
        };
        Some(Description {
            object: self.object,
            kind: String::from(&*held.value.kind),
            kind_version: held.value.kind_version,
            configuration: (*self.record.configuration).clone(),
            ballot: primary.ballot,
            version: held.version,
            learners: self.learners().into_iter().filter(holds_copy).collect(),
            factor: held.value.factor,
            mode: held.value.mode,
            reads: primary.reads,
            state_bytes: held.value.state.len() as u64,
            sessions: count(held.value.sessions.open.len()),
            queued: count(primary.queue.len()),
            outbox: count(held.value.outbox.calls.len()),
            takeovers: primary.ballot.round.saturating_sub(1),
            methods: Vec::new(),
        })
    }

    /// The copy as `recover` surveys it.
    #[must_use]
    pub fn copy(&self) -> Option<Copy> {
        self.record.accepted.as_ref().map(|held| Copy {
            configuration: (*self.record.configuration).clone(),
            ballot: held.ballot,
            version: held.version,
            kind: String::from(&*held.value.kind),
            member: self.record.index.is_some(),
        })
    }

    /// The value held here, chosen or not.
    #[must_use]
    pub fn value(&self) -> Option<(Ballot, Version, &Value)> {
        self.record
            .accepted
            .as_ref()
            .map(|held| (held.ballot, held.version, &held.value))
    }

    /// Whether this is the primary, as far as it knows.
    #[must_use]
    pub const fn is_primary(&self) -> bool {
        matches!(self.role, Role::Primary(_) | Role::Resting(_))
    }

    /// Whether this is a primary whose ballot a majority has accepted.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match &self.role {
            Role::Primary(primary) => primary.confirmed,
            Role::Resting(resting) => resting.confirmed,
            Role::Backup(_) | Role::Candidate(_) => false,
        }
    }

    /// Whether this is a member that holds a value and may stand.
    #[must_use]
    pub const fn is_installed_member(&self) -> bool {
        self.record.index.is_some() && self.record.accepted.is_some()
    }

    /// Whether this process has no vote.
    #[must_use]
    pub const fn is_learner(&self) -> bool {
        self.record.index.is_none()
    }

    /// The process that this replica takes for the primary.
    #[must_use]
    pub fn believed_primary(&self) -> Option<ProcessId> {
        if self.overtaken.is_some() {
            return self.overtaking_primary();
        }
        let index = self.believed_index()?;
        self.record.configuration.process(index)
    }

    /// Whether the believed primary itself was heard under its ballot. If not, it may be alive
    /// and know nothing of its role: then its silence is no condition for standing.
    #[must_use]
    pub const fn has_heard_primary(&self) -> bool {
        self.heard_primary || self.overtaken.is_some() || self.is_primary()
    }

    fn believed_index(&self) -> Option<u8> {
        let promised = self.record.promised;
        match &self.role {
            Role::Primary(_) | Role::Resting(_) => self.record.index,
            Role::Candidate(_) => None,
            Role::Backup(_) if promised.round == 0 => None,
            Role::Backup(_) => Some(promised.member).filter(|_| !self.is_own_ballot()),
        }
    }

    /// The promised ballot is this member's own.
    fn is_own_ballot(&self) -> bool {
        self.record.index == Some(self.record.promised.member)
    }

    /// Whether this member is what others take for the primary, and is not.
    pub(crate) fn gave_up(&self) -> bool {
        matches!(self.role, Role::Backup(_))
            && self.is_own_ballot()
            && self.is_installed_member()
            && self.record.promised.round > 0
    }

    /// Whether this member cannot be brought into the set any more under its present membership.
    #[must_use]
    pub fn has_lost(&self, process: &ProcessId) -> bool {
        let index = self.record.configuration.index_of(process);
        index.is_some_and(|index| self.forgotten.contains(index))
    }

    /// The learners that this primary ships to, in order.
    #[must_use]
    pub fn learners(&self) -> Vec<ProcessId> {
        let Role::Primary(primary) = &self.role else {
            return Vec::new();
        };
        let learners = primary.peers.iter().filter(|(_, peer)| peer.vote.is_none());
        learners.map(|(process, _)| *process).collect()
    }

    /// What this primary knows of a learner or other member.
    #[must_use]
    pub fn peer_status(&self, process: ProcessId, now: Instant) -> Option<LearnerStatus> {
        let Role::Primary(primary) = &self.role else {
            return None;
        };
        primary.peers.get(&process).map(|peer| LearnerStatus {
            stamp: peer.stamp,
            follows: primary.in_step(peer) || primary.follows(peer, now),
            heard: peer.heard,
        })
    }

    /// Outbox calls whose version is chosen, in order; empty unless active primary.
    #[must_use]
    pub fn outbox(&self) -> &[(u64, Deferred)] {
        let (Role::Primary(primary), Some(held)) = (&self.role, &self.record.accepted) else {
            return &[];
        };
        let calls = &held.value.outbox.calls;
        let known = calls.partition_point(|(number, _)| *number <= primary.outbox_chosen);
        calls.get(..known).unwrap_or(&[])
    }

    /// The asynchronous call that holds the object, if one does.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        let Role::Primary(primary) = &self.role else {
            return None;
        };
        let Phase::Executing(running) = &primary.phase else {
            return None;
        };
        let planned = running.batch.first().filter(|_| running.alone)?;
        Some(Holder {
            chain: planned.item.call()?.request.chain.clone(),
            since: running.since,
        })
    }
}

//! A primary whose object is idle keeps next to nothing: what only a primary knows is made again
//! from the record when the object is called, and is the same but for what time has made void.

use alloc::boxed::Box;
use alloc::sync::Arc;

use overlay_proto::Instant;

use crate::mode::Mode;
use crate::object::{Configuration, Version};
use crate::register::expiry::Ages;
use crate::register::laggards::LAGGARD_SENDS;
use crate::register::member_set::MemberSet;
use crate::register::primary::{Peer, Phase, Primary};
use crate::register::{Activation, Env, Replica, Role};

/// What is left of a primary that rests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resting {
    /// Rounds begun under its ballot: no later one has the number of an earlier one.
    rounds: u64,
    since: Instant,
    /// A majority has accepted its ballot. If not, it has made no round at all.
    pub(crate) confirmed: bool,
    /// Members, by index, that do not have the newest version.
    behind: MemberSet,
}

impl Resting {
    /// Whether the member of this index misses versions.
    pub(crate) fn misses(&self, index: u8) -> bool {
        self.confirmed && self.behind.contains(index)
    }
}

impl Primary {
    /// Whether nothing is under way, and nothing is known that a rest would lose.
    fn may_rest(&self, now: Instant, head: Version) -> bool {
        let idle = matches!(self.phase, Phase::Idle)
            && self.queue.is_empty()
            && self.snapshots.is_empty()
            && self.answers.is_empty()
            && self.outbox_done.is_empty()
            && self.proposal.is_none()
            && self.weak.is_none()
            && self.halt_again <= now;
        let whole = if self.confirmed {
            self.chosen == head
        } else {
            self.how == Activation::Created && self.rounds == 0
        };
        let mut peers = self.peers.values();
        idle && whole && peers.all(|peer| peer.vote.is_some() && peer.generation == 0)
    }
}

impl Replica {
    /// Lets a new primary rest that has made no round: it may be long until it is called. Whether
    /// it does.
    pub(crate) fn rest_unused(&mut self, now: Instant) -> bool {
        let Role::Primary(primary) = &self.role else {
            return false;
        };
        primary.rounds == 0 && self.rest(now)
    }

    /// Lets an idle primary rest. Whether it does.
    pub(crate) fn rest(&mut self, now: Instant) -> bool {
        let Role::Primary(primary) = &self.role else {
            return false;
        };
        let Some(held) = &self.record.accepted else {
            return false;
        };
        let outbox = !held.value.outbox.calls.is_empty();
        if self.wants_tick() || self.finish.is_some() || self.ended || outbox {
            return false;
        }
        if held.value.mode != Mode::Strong || !primary.may_rest(now, held.version) {
            return false;
        }
        let mut behind = MemberSet::EMPTY;
        let late = |peer: &&Peer| peer.stored < Some(held.version);
        for index in primary
            .peers
            .values()
            .filter(late)
            .filter_map(|one| one.vote)
        {
            behind.insert(index);
        }
        self.role = Role::Resting(Resting {
            rounds: primary.rounds,
            since: now,
            confirmed: primary.confirmed,
            behind,
        });
        true
    }

    /// Whether this is a primary that does not rest.
    pub(crate) const fn is_awake(&self) -> bool {
        matches!(self.role, Role::Primary(_))
    }

    /// Keeps what other replicas have as well in common with them.
    pub(crate) fn share(
        &mut self,
        set: impl FnOnce(&Arc<Configuration>) -> Arc<Configuration>,
        kind: impl FnOnce(&Arc<str>) -> Arc<str>,
    ) {
        self.record.configuration = set(&self.record.configuration);
        if let Some(held) = &mut self.record.accepted {
            held.value.kind = kind(&held.value.kind);
        }
    }

    /// Makes a primary that rests what it was. Whether it rested.
    pub(crate) fn wake(&mut self, env: &Env<'_>) -> bool {
        let (Role::Resting(resting), Some(held)) = (&self.role, &self.record.accepted) else {
            return false;
        };
        let resting = *resting;
        let head = held.version;
        let mut primary = self.fresh_primary(env, Activation::Created);
        primary.rounds = resting.rounds;
        primary.confirmed = resting.confirmed;
        primary.since = resting.since;
        primary.ages = Ages::new(resting.since, head);
        if resting.confirmed {
            primary.outbox_chosen = held.value.outbox.last;
            for peer in primary.peers.values_mut() {
                if peer.vote.is_some_and(|index| resting.misses(index)) {
                    peer.unanswered = LAGGARD_SENDS;
                } else {
                    (peer.stored, peer.sent) = (Some(head), Some(head));
                }
            }
        }
        self.role = Role::Primary(Box::new(primary));
        true
    }
}

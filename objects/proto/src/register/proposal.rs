//! A replica set that is to be sealed into: nothing new is begun until its members are in step.
//!
//! While calls come in without a pause, a member that is always a little slower than the
//! majority never holds the newest version when it is looked at. So a primary that is to seal
//! stops for as long as its last version is under way to those members.

use overlay_proto::{Duration, Instant, ProcessId};

use crate::object::Configuration;
use crate::register::Env;
use crate::register::primary::{Peer, Primary};

/// Longest time that nothing is begun for a proposal's sake.
const HALT: Duration = Duration::from_millis(500);

/// Shortest time from a halt in vain to the next one: the object is available in between.
const HALT_PAUSE: Duration = Duration::from_secs(2);

/// Who answered within this time will take the next version too (design review 1.16).
const FOLLOWS: Duration = Duration::from_secs(1);

/// A replica set to be sealed into.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) next: Configuration,
    pub(crate) first_primary: u8,
    /// Since when nothing new is begun.
    halted: Option<Instant>,
}

impl Proposal {
    pub(crate) const fn new(next: Configuration, first_primary: u8) -> Self {
        Self {
            next,
            first_primary,
            halted: None,
        }
    }
}

/// What has become of a proposal.
pub(crate) enum Proposed {
    /// There is none, or its members did not come into step.
    Nothing,
    /// Its members are still coming into step.
    Waits,
    /// It can be sealed.
    Ready(Proposal),
}

impl Primary {
    /// Whether this member or learner holds the newest chosen version.
    pub(crate) fn in_step(&self, peer: &Peer) -> bool {
        peer.stored >= Some(self.chosen)
    }

    /// Whether this member or learner has lately stored what was shipped to it under this
    /// ballot: then it will soon hold the newest version, once no newer one comes.
    pub(crate) fn follows(&self, peer: &Peer, now: Instant) -> bool {
        peer.stored.is_some() && peer.heard.is_some_and(|at| now.since(at) < FOLLOWS)
    }

    /// Whether all members of a next set are in step, or will be after a short halt.
    pub(crate) fn may_propose(&self, env: &Env<'_>, next: &Configuration) -> bool {
        let halts = env.now >= self.halt_again;
        self.all(env.me, next, |peer, stamp| {
            peer.may_be_named(stamp)
                && (self.in_step(peer) || (halts && self.follows(peer, env.now)))
        })
    }

    /// Looks whether the proposal can be sealed now, while nothing else is under way.
    pub(crate) fn next_proposal(&mut self, env: &Env<'_>) -> Proposed {
        let Some(mut proposal) = self.proposal.take() else {
            return Proposed::Nothing;
        };
        if !self.all(env.me, &proposal.next, Peer::may_be_named) {
            return Proposed::Nothing;
        }
        if self.all(env.me, &proposal.next, |peer, _| self.in_step(peer)) {
            return Proposed::Ready(*proposal);
        }
        let since = *proposal.halted.get_or_insert(env.now);
        if env.now.since(since) >= HALT {
            self.halt_again = env.now + HALT_PAUSE;
            return Proposed::Nothing;
        }
        self.proposal = Some(proposal);
        Proposed::Waits
    }

    fn all(&self, me: ProcessId, next: &Configuration, holds: impl Fn(&Peer, u64) -> bool) -> bool {
        next.members.iter().all(|member| {
            let peer = self.peers.get(&member.process);
            member.process == me || peer.is_some_and(|peer| holds(peer, member.stamp))
        })
    }
}

impl Peer {
    /// Whether a next set may name this member or learner with this stamp: a learner that left
    /// its copy since then, and forgot it, has another and would not enter.
    fn may_be_named(&self, stamp: u64) -> bool {
        self.vote.is_some() || self.stamp.is_none_or(|issued| issued <= stamp)
    }
}

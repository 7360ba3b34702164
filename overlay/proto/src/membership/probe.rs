//! Probes under way: direct ones, those that others make for us, those that we make for others.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::edge::{Attempt, Edge};
use super::health::LocalHealth;
use crate::config::{MembershipConfig, RINGS_MAX};
use crate::id::ProcessId;
use crate::tables::Table;
use crate::time::{Duration, Instant};

/// Probes made for others at one time.
const RELAYED_MAX: usize = 256;
/// With fewer edges nobody can tell whose trouble it is that most of them fail.
const EDGES_TELLING: usize = 3;

#[derive(Debug)]
struct Relayed {
    requester: ProcessId,
    nonce: u64,
    target: ProcessId,
    deadline: Instant,
}

/// An answer to a probe of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The member that we watch is there.
    Watched,
    /// The probe was made for another member: report to it.
    Relayed {
        /// Who asked.
        requester: ProcessId,
        /// Its nonce.
        nonce: u64,
    },
    /// Nobody waits for it.
    Late,
}

/// What ran out of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A direct probe; since then nothing was heard.
    Direct(ProcessId),
    /// The indirect probes as well.
    Indirect(ProcessId),
    /// A probe made for another.
    Relayed {
        /// Who asked.
        requester: ProcessId,
        /// Its nonce.
        nonce: u64,
    },
}

/// All probes of one member.
#[derive(Debug)]
pub(super) struct Probes {
    config: Arc<MembershipConfig>,
    edges: BTreeMap<ProcessId, Edge>,
    relayed: BTreeMap<u64, Relayed>,
    next_nonce: u64,
    /// Set with each probe that starts, cleared once none is found under way.
    under_way: bool,
}

impl Probes {
    /// Watches nobody; nonces start at `first_nonce`.
    #[must_use]
    pub(super) fn new(config: Arc<MembershipConfig>, first_nonce: u64) -> Self {
        let (edges, relayed) = (BTreeMap::new(), BTreeMap::new());
        Self {
            config,
            edges,
            relayed,
            next_nonce: first_nonce,
            under_way: false,
        }
    }

    /// How full its tables are: each ring has one edge.
    pub(super) fn tables(&self) -> [Table; 2] {
        [
            Table::new("probes.edges", self.edges.len(), RINGS_MAX),
            Table::new("probes.relayed", self.relayed.len(), RELAYED_MAX),
        ]
    }

    /// From now on watches exactly these members.
    pub(super) fn retarget(&mut self, targets: &BTreeSet<ProcessId>) {
        self.edges.retain(|target, _| targets.contains(target));
        for target in targets {
            self.edges.entry(*target).or_default();
        }
    }

    /// The members watched.
    pub(super) fn targets(&self) -> impl Iterator<Item = &ProcessId> {
        self.edges.keys()
    }

    /// Whether this member is watched.
    #[must_use]
    pub(super) fn watches(&self, process: &ProcessId) -> bool {
        self.edges.contains_key(process)
    }

    /// Whether any deadline is pending.
    pub(super) fn pending(&mut self) -> bool {
        self.under_way = self.under_way
            && (!self.relayed.is_empty() || self.edges.values().any(|edge| edge.attempt.is_some()));
        self.under_way
    }

    /// A nonce that this process never used before.
    pub(super) fn nonce(&mut self) -> u64 {
        self.next_nonce = self.next_nonce.wrapping_add(1);
        self.next_nonce
    }

    /// Starts a direct probe of a watched member, unless one is under way. Returns its nonce.
    /// `linked`: whether a link is up, else making one takes its time.
    pub(super) fn start(
        &mut self,
        now: Instant,
        target: &ProcessId,
        linked: bool,
        health: LocalHealth,
    ) -> Option<u64> {
        let nonce = self.next_nonce.wrapping_add(1);
        let config = &self.config;
        let edge = self
            .edges
            .get_mut(target)
            .filter(|edge| edge.attempt.is_none())?;
        let timeout = if linked {
            edge.timeout(config)
        } else {
            config.probe_timeout_max
        };
        let deadline = now + health.stretch(timeout);
        edge.attempt = Some(Attempt {
            nonce,
            sent_at: now,
            deadline,
            helpers: None,
        });
        edge.reliability.ask(now, nonce);
        self.next_nonce = nonce;
        self.under_way = true;
        Some(nonce)
    }

    /// Starts a probe whose answer is only judged, while a direct one is under way. Returns its
    /// nonce, unless one is judged already.
    pub(super) fn start_judged(&mut self, now: Instant, target: &ProcessId) -> Option<u64> {
        let nonce = self.next_nonce.wrapping_add(1);
        let edge = self.edges.get_mut(target)?;
        edge.reliability.ask(now, nonce).then(|| {
            self.next_nonce = nonce;
            nonce
        })
    }

    /// A round begins: the probe of the last one failed if it is still unanswered. `heard`:
    /// when anything last came from `target`. Whether to probe it even if it was heard just now.
    pub(super) fn conclude(
        &mut self,
        now: Instant,
        target: &ProcessId,
        heard: Option<Instant>,
    ) -> bool {
        let limit = self.config.probe_timeout_max;
        self.edges.get_mut(target).is_some_and(|edge| {
            edge.reliability.conclude(now, heard, limit);
            edge.reliability.is_doubtful()
        })
    }

    /// Whether `target` is watched and too many of its last answers were late or missing.
    #[must_use]
    pub(super) fn is_failing(&self, target: &ProcessId) -> bool {
        let edge = self.edges.get(target);
        edge.is_some_and(|edge| edge.reliability.is_failing())
    }

    /// Whether most members that this node watches answer it badly: then the trouble is its own.
    #[must_use]
    pub(super) fn mostly_failing(&self) -> bool {
        let edges = self.edges.values();
        let failing = edges.filter(|edge| edge.reliability.is_failing()).count();
        self.edges.len() >= EDGES_TELLING && failing * 2 > self.edges.len()
    }

    /// Starts a probe for `requester`. Returns its nonce, if there is room.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        requester: ProcessId,
        nonce: u64,
        target: ProcessId,
    ) -> Option<u64> {
        if self.relayed.len() >= RELAYED_MAX {
            return None;
        }
        let own = self.nonce();
        self.under_way = true;
        let deadline = now + self.config.probe_timeout_max;
        self.relayed.insert(
            own,
            Relayed {
                requester,
                nonce,
                target,
                deadline,
            },
        );
        Some(own)
    }

    /// `helpers` were asked to probe the target of a failed direct probe. Returns the nonce
    /// to ask with.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        target: &ProcessId,
        helpers: usize,
        health: LocalHealth,
    ) -> Option<u64> {
        let config = &self.config;
        let edge = self.edges.get_mut(target)?;
        let timeout = (edge.timeout(config) * 2).min(config.probe_timeout_max);
        let attempt = edge.attempt.as_mut()?;
        attempt.helpers = Some(helpers);
        attempt.deadline = now + health.stretch(timeout);
        Some(attempt.nonce)
    }

    /// `from` answered a probe.
    pub(super) fn answer(&mut self, now: Instant, from: &ProcessId, nonce: u64) -> Answered {
        if let Some(relayed) = self
            .relayed
            .get(&nonce)
            .filter(|probe| probe.target == *from)
        {
            let Relayed {
                requester,
                nonce: theirs,
                ..
            } = *relayed;
            self.relayed.remove(&nonce);
            return Answered::Relayed {
                requester,
                nonce: theirs,
            };
        }
        let Some(edge) = self.edges.get_mut(from) else {
            return Answered::Late;
        };
        let limit = self.config.probe_timeout_max;
        edge.reliability.answered(now, nonce, limit);
        match edge.attempt.take_if(|attempt| attempt.nonce == nonce) {
            Some(attempt) => {
                edge.sample(now.since(attempt.sent_at));
                if !edge.reliability.is_failing() {
                    edge.refuted = 0;
                }
                Answered::Watched
            }
            None => Answered::Late,
        }
    }

    /// A helper reports. Returns the target if now all helpers failed to reach it.
    pub(super) fn report(&mut self, nonce: u64, reached: bool) -> Option<ProcessId> {
        let (target, edge) = self.edges.iter_mut().find(|(_, edge)| {
            edge.attempt
                .as_ref()
                .is_some_and(|attempt| attempt.nonce == nonce)
        })?;
        let attempt = edge.attempt.as_mut()?;
        let waiting = attempt.helpers?.saturating_sub(1);
        attempt.helpers = Some(waiting);
        let given_up = !reached && waiting == 0;
        if reached || given_up {
            edge.attempt = None;
        }
        given_up.then_some(*target)
    }

    /// Gives up the probe of `target`, if one is under way.
    pub(super) fn cancel(&mut self, target: &ProcessId) {
        if let Some(edge) = self.edges.get_mut(target) {
            edge.attempt = None;
        }
    }

    /// Makes the direct probe of `target` overdue at once: its link could not be made.
    pub(super) fn hasten(&mut self, now: Instant, target: &ProcessId) {
        let attempt = self
            .edges
            .get_mut(target)
            .and_then(|edge| edge.attempt.as_mut());
        if let Some(attempt) = attempt.filter(|attempt| attempt.helpers.is_none()) {
            attempt.deadline = now;
        }
        for probe in self
            .relayed
            .values_mut()
            .filter(|probe| probe.target == *target)
        {
            probe.deadline = now;
        }
    }

    /// What ran out of time. `heard` tells when anything last came from a process.
    pub(super) fn overdue(
        &mut self,
        now: Instant,
        heard: impl Fn(&ProcessId) -> Option<Instant>,
    ) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        self.relayed.retain(|_, probe| {
            let due = now >= probe.deadline;
            if due {
                let Relayed {
                    requester, nonce, ..
                } = *probe;
                overdue.push(Overdue::Relayed { requester, nonce });
            }
            !due
        });
        for (target, edge) in &mut self.edges {
            let Some(attempt) = edge.attempt.as_ref() else {
                continue;
            };
            if heard(target).is_some_and(|at| at > attempt.sent_at) {
                edge.attempt = None;
            } else if now >= attempt.deadline {
                if attempt.helpers.is_none() {
                    overdue.push(Overdue::Direct(*target));
                } else {
                    edge.attempt = None;
                    overdue.push(Overdue::Indirect(*target));
                }
            }
        }
        overdue
    }

    /// This node itself slept: answers may wait unread, so all probes get their time again.
    pub(super) fn postpone(&mut self, pause: Duration) {
        let edges = self.edges.values_mut();
        edges.for_each(|edge| edge.reliability.forgive());
        let attempts = self
            .edges
            .values_mut()
            .filter_map(|edge| edge.attempt.as_mut());
        attempts.for_each(|attempt| attempt.deadline = attempt.deadline + pause);
        self.relayed
            .values_mut()
            .for_each(|probe| probe.deadline = probe.deadline + pause);
    }

    /// Whether our own doubt about `target` should be kept back: a suspicion that is refuted
    /// again and again is our own trouble, so each refutation doubles the pause.
    #[must_use]
    pub(super) fn muted(&self, now: Instant, target: &ProcessId) -> bool {
        self.edges
            .get(target)
            .is_some_and(|edge| now < edge.muted_until)
    }

    /// Whether a doubt that we published before should be published again, `after` that time.
    pub(super) fn repeat_doubt(
        &mut self,
        now: Instant,
        target: &ProcessId,
        after: Duration,
    ) -> bool {
        let edge = self.edges.get_mut(target);
        edge.is_some_and(|edge| edge.repeat_doubt(now, after))
    }

    /// A suspicion of ours was refuted.
    pub(super) fn refuted(&mut self, now: Instant, target: &ProcessId) {
        let period = self.config.probe_period;
        if let Some(edge) = self.edges.get_mut(target) {
            edge.mute(now, period);
        }
    }
}

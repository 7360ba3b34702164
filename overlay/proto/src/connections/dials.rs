//! Dials under way and pauses between them.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::config::ConnectionsConfig;
use crate::id::{PeerId, ProcessId};
use crate::tables::Table;
use crate::time::Instant;

/// Peers whose failures are remembered.
const FAILURES_MAX: usize = 1024;

#[derive(Clone, Copy, Debug)]
enum Dial {
    Pending {
        until: Instant,
        failures: u32,
        /// Whom it is meant for, if it is a member.
        member: Option<ProcessId>,
    },
    Paused {
        until: Instant,
        failures: u32,
    },
}

/// All dials of this node.
#[derive(Debug)]
pub struct Dials {
    config: Arc<ConnectionsConfig>,
    dials: BTreeMap<PeerId, Dial>,
    pending: usize,
    /// Nothing expires before.
    expires: Instant,
}

impl Dials {
    /// No dials.
    #[must_use]
    pub fn new(config: Arc<ConnectionsConfig>) -> Self {
        Self {
            config,
            dials: BTreeMap::new(),
            pending: 0,
            expires: Instant::ZERO,
        }
    }

    /// How full it is.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::new("dials", self.dials.len(), FAILURES_MAX)
    }

    /// Dials under way.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Whether a dial of this peer is under way.
    #[must_use]
    pub fn is_pending(&self, peer: &PeerId) -> bool {
        matches!(self.dials.get(peer), Some(Dial::Pending { .. }))
    }

    /// Starts a dial, if none of this peer is under way or failed lately and there is room.
    /// `member`: the process that should answer, if the view has one.
    pub fn start(&mut self, now: Instant, peer: PeerId, member: Option<ProcessId>) -> bool {
        if self.pending >= self.config.dials_max {
            return false;
        }
        let failures = match self.dials.get(&peer) {
            Some(Dial::Pending { .. }) => return false,
            Some(Dial::Paused { until, .. }) if *until > now => return false,
            Some(Dial::Paused { failures, .. }) => *failures,
            None if self.dials.len() >= FAILURES_MAX => return false,
            None => 0,
        };
        let until = now + self.config.dial_timeout;
        let dial = Dial::Pending {
            until,
            failures,
            member,
        };
        self.dials.insert(peer, dial);
        self.expires = self.expires.min(until);
        self.pending += 1;
        true
    }

    /// A link with this peer came up.
    pub fn succeeded(&mut self, peer: &PeerId) {
        if let Some(Dial::Pending { .. }) = self.dials.remove(peer) {
            self.pending = self.pending.saturating_sub(1);
        }
    }

    /// A dial of this peer failed, or its link was lost. The pause doubles each time; `jitter`
    /// of 0 to 255 makes it up to half longer, so that peers do not dial in step. Returns the
    /// member that the dial was meant for: it tells nothing of a process that came later.
    pub fn failed(&mut self, now: Instant, peer: PeerId, jitter: u8) -> Option<ProcessId> {
        let (failures, member) = match self.dials.remove(&peer) {
            Some(Dial::Pending {
                failures, member, ..
            }) => {
                self.pending = self.pending.saturating_sub(1);
                (failures, member)
            }
            Some(Dial::Paused { failures, .. }) => (failures, None),
            None if self.dials.len() >= FAILURES_MAX => return None,
            None => (0, None),
        };
        let doubled = self.config.backoff_min * (1 << failures.min(16));
        let pause = doubled.min(self.config.backoff_max);
        let until = now + pause + pause * u32::from(jitter) / 512;
        self.expires = self.expires.min(until + self.config.backoff_max);
        self.dials.insert(
            peer,
            Dial::Paused {
                until,
                failures: failures.saturating_add(1),
            },
        );
        member
    }

    /// Gives up dials without an answer and forgets failures of long ago.
    pub fn expire(&mut self, now: Instant) {
        if now < self.expires {
            return;
        }
        let forget = self.config.backoff_max;
        let mut expires = now + forget;
        self.dials.retain(|_, dial| {
            if let Dial::Pending {
                until, failures, ..
            } = *dial
                && until <= now
            {
                self.pending = self.pending.saturating_sub(1);
                *dial = Dial::Paused {
                    until: now,
                    failures: failures.saturating_add(1),
                };
            }
            let end = match *dial {
                Dial::Pending { until, .. } => until,
                Dial::Paused { until, .. } => until + forget,
            };
            expires = expires.min(end.max(now));
            end > now
        });
        self.expires = expires;
    }
}

//! The links that are up, when they were used, and which of them are surplus.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::config::ConnectionsConfig;
use crate::id::{Incarnation, PeerId, ProcessId};
use crate::tables::Table;
use crate::time::Instant;

/// Links closed at one look, so that a wrong idea of what is surplus does little harm.
const CLOSED_AT_ONCE: usize = 4;

/// Links that are known at all: far more than a driver allows connections.
const LINKS_KNOWN_MAX: usize = 65_536;

#[derive(Clone, Copy, Debug)]
struct Link {
    used: Instant,
    heard: Instant,
}

/// The links of this node.
#[derive(Debug, Default)]
pub struct Links {
    links: BTreeMap<ProcessId, Link>,
    /// Raised whenever a link comes or goes.
    changes: u64,
}

impl Links {
    /// A link came up. Whether there was room for it.
    pub fn up(&mut self, now: Instant, process: ProcessId) -> bool {
        if self.links.len() >= LINKS_KNOWN_MAX && !self.links.contains_key(&process) {
            return false;
        }
        self.changes += 1;
        self.links.insert(
            process,
            Link {
                used: now,
                heard: now,
            },
        );
        true
    }

    /// How full it is.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::new("links", self.links.len(), LINKS_KNOWN_MAX)
    }

    /// A link is gone. Whether it was up.
    pub fn down(&mut self, process: &ProcessId) -> bool {
        self.changes += 1;
        self.links.remove(process).is_some()
    }

    /// Raised whenever a link comes or goes.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Something arrived from this process; `is_use` if it is a reason to keep the link.
    pub fn heard(&mut self, now: Instant, process: &ProcessId, is_use: bool) {
        if let Some(link) = self.links.get_mut(process) {
            link.heard = now;
            if is_use {
                link.used = now;
            }
        }
    }

    /// Somebody needs this link.
    pub fn used(&mut self, now: Instant, process: &ProcessId) {
        if let Some(link) = self.links.get_mut(process) {
            link.used = now;
        }
    }

    /// Whether there is a link with exactly this process.
    #[must_use]
    pub fn is_up(&self, process: &ProcessId) -> bool {
        self.links.contains_key(process)
    }

    /// Whether there is a link with any process of this peer.
    #[must_use]
    pub fn has_peer(&self, peer: &PeerId) -> bool {
        let first = ProcessId {
            peer: *peer,
            incarnation: Incarnation(0),
        };
        let last = ProcessId {
            peer: *peer,
            incarnation: Incarnation(u64::MAX),
        };
        self.links.range(first..=last).next().is_some()
    }

    /// When something last arrived on the link, if it is up.
    #[must_use]
    pub fn last_heard(&self, process: &ProcessId) -> Option<Instant> {
        self.links.get(process).map(|link| link.heard)
    }

    /// The processes at the other ends, in order.
    pub fn iter(&self) -> impl Iterator<Item = &ProcessId> {
        self.links.keys()
    }

    /// Number of links.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is no link.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Links to close now, least recently used first: idle ones while there are more than
    /// `degree_max`, and any while there are more than `links_max`; never one to `keep` and
    /// never one used recently.
    #[must_use]
    pub fn surplus(
        &self,
        now: Instant,
        config: &ConnectionsConfig,
        keep: impl Fn(&ProcessId) -> bool,
    ) -> Vec<ProcessId> {
        let over = self.links.len().saturating_sub(config.degree_max);
        if over == 0 {
            return Vec::new();
        }
        let crowded = self.links.len() > config.links_max;
        let unused = if crowded {
            config.recent
        } else {
            config.idle.max(config.recent)
        };
        let mut closable: Vec<(Instant, ProcessId)> = self
            .links
            .iter()
            .filter(|(process, link)| now.since(link.used) >= unused && !keep(process))
            .map(|(process, link)| (link.used, *process))
            .collect();
        closable.sort_unstable();
        closable.truncate(over.min(CLOSED_AT_ONCE));
        closable.into_iter().map(|(_, process)| process).collect()
    }
}

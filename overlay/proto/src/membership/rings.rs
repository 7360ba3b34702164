//! Who watches whom: each member watches its successor on several rings.
//!
//! The rings are different orders of the same members, so together they form an expander
//! (Rapid, Suresh et al. 2018): whatever part of the cluster is cut off, many edges cross the
//! cut, and each member is watched by as many others as there are rings.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::table::Table;
use crate::hash::hash_peer;
use crate::id::{PeerId, ProcessId};

/// The successors of one member on all rings.
#[derive(Debug)]
pub(super) struct Rings {
    me: PeerId,
    successors: Vec<Option<(u64, ProcessId)>>,
}

impl Rings {
    /// No successors yet, on `rings` rings.
    #[must_use]
    pub(super) fn new(me: PeerId, rings: usize) -> Self {
        Self {
            me,
            successors: alloc::vec![None; rings],
        }
    }

    /// A process came into the view. Whether the successors changed.
    pub(super) fn insert(&mut self, process: ProcessId) -> bool {
        if process.peer == self.me {
            return false;
        }
        let me = self.me;
        let mut changed = false;
        for (ring, successor) in (0_u64..).zip(&mut self.successors) {
            let distance = distance(ring, &me, &process.peer);
            if successor.is_none_or(|(nearest, _)| distance < nearest) {
                *successor = Some((distance, process));
                changed = true;
            }
        }
        changed
    }

    /// A process is no longer in the view, which is now that of `table`. Whether the
    /// successors changed.
    pub(super) fn remove(&mut self, process: ProcessId, table: &Table) -> bool {
        let me = self.me;
        let mut changed = false;
        for (ring, successor) in (0_u64..).zip(&mut self.successors) {
            if successor.is_some_and(|(_, nearest)| nearest == process) {
                changed = true;
                *successor = table
                    .iter()
                    .filter(|entry| entry.is_living() && entry.process().peer != me)
                    .map(|entry| {
                        let process = entry.process();
                        (distance(ring, &me, &process.peer), process)
                    })
                    .min();
            }
        }
        changed
    }

    /// The successors, each once.
    #[must_use]
    pub(super) fn successors(&self) -> BTreeSet<ProcessId> {
        self.successors
            .iter()
            .flatten()
            .map(|(_, process)| *process)
            .collect()
    }
}

/// How far `to` comes after `from` on a ring.
fn distance(ring: u64, from: &PeerId, to: &PeerId) -> u64 {
    hash_peer(ring, to).wrapping_sub(hash_peer(ring, from))
}

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
    rings: Vec<Ring>,
}

#[derive(Debug)]
struct Ring {
    /// Orders this ring and no other.
    seed: u64,
    /// Where this member stands on it.
    place: u64,
    /// The nearest member after it, and how far it is.
    successor: Option<(u64, ProcessId)>,
}

impl Ring {
    /// How far a peer comes after this member.
    fn distance(&self, to: &PeerId) -> u64 {
        hash_peer(self.seed, to).wrapping_sub(self.place)
    }
}

impl Rings {
    /// No successors yet, on `rings` rings.
    #[must_use]
    pub(super) fn new(me: PeerId, rings: usize) -> Self {
        let ring = |seed| Ring {
            seed,
            place: hash_peer(seed, &me),
            successor: None,
        };
        let rings = (0_u64..).take(rings).map(ring).collect();
        Self { me, rings }
    }

    /// A process came into the view. Whether the successors changed.
    pub(super) fn insert(&mut self, process: ProcessId) -> bool {
        if process.peer == self.me {
            return false;
        }
        let mut changed = false;
        for ring in &mut self.rings {
            let distance = ring.distance(&process.peer);
            if ring.successor.is_none_or(|(nearest, _)| distance < nearest) {
                ring.successor = Some((distance, process));
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
        for ring in &mut self.rings {
            if ring
                .successor
                .is_some_and(|(_, nearest)| nearest == process)
            {
                changed = true;
                ring.successor = table
                    .iter()
                    .filter(|entry| entry.is_living() && entry.process().peer != me)
                    .map(|entry| {
                        let process = entry.process();
                        (ring.distance(&process.peer), process)
                    })
                    .min();
            }
        }
        changed
    }

    /// The successors, each once.
    #[must_use]
    pub(super) fn successors(&self) -> BTreeSet<ProcessId> {
        let successors = self.rings.iter().filter_map(|ring| ring.successor);
        successors.map(|(_, process)| process).collect()
    }
}

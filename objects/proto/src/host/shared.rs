//! What many replicas have in common is kept once.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use overlay_proto::Table;

use crate::object::Configuration;
use crate::register::Replica;

/// Replica sets and names of kinds that are looked for among those that were met before. After so
/// many it begins anew: nothing is lost but that later replicas share with later ones.
const SHARED_MAX: usize = 1_024;

/// Replica sets and names of kinds that were met lately.
#[derive(Debug, Default)]
pub(super) struct Shared {
    sets: BTreeSet<Arc<Configuration>>,
    kinds: BTreeSet<Arc<str>>,
}

impl Shared {
    pub(super) fn tables(&self) -> [Table; 2] {
        [
            Table::new("shared.sets", self.sets.len(), SHARED_MAX),
            Table::new("shared.kinds", self.kinds.len(), SHARED_MAX),
        ]
    }

    /// Lets a replica share what it has in common with others.
    pub(super) fn share(&mut self, replica: &mut Replica) {
        replica.share(
            |set| of(&mut self.sets, set),
            |kind| of(&mut self.kinds, kind),
        );
    }
}

/// The one that was met before, or this one.
fn of<T: Ord + ?Sized>(known: &mut BTreeSet<Arc<T>>, one: &Arc<T>) -> Arc<T> {
    if let Some(known) = known.get(one) {
        return known.clone();
    }
    if known.len() >= SHARED_MAX {
        known.clear();
    }
    known.insert(one.clone());
    one.clone()
}

//! Which id and which members the next object gets.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use overlay_proto::ProcessId;
use overlay_proto::view::MembershipView;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::first::named;
use crate::machine::Creation;
use crate::object::{ObjectId, Replica, Slot};
use crate::placement::{RoundRobin, Strategy, Wanted};

/// Deals objects to the slots in turn, and the slots to the hosts.
pub(super) struct Dealer {
    strategy: Box<dyn Strategy>,
    /// The slot of the next object.
    next: Slot,
    rng: ChaCha8Rng,
    /// Stamps that hosts of the view said they issue, where the view named older ones.
    stamps: BTreeMap<ProcessId, u64>,
}

impl Dealer {
    /// `seed` decides ids and where dealing begins: creators begin at different slots.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let [first, second, ..] = rng.next_u64().to_le_bytes();
        Self {
            strategy: Box::new(RoundRobin),
            next: Slot(u16::from_le_bytes([first, second])),
            rng,
            stamps: BTreeMap::new(),
        }
    }

    /// How many hosts issue later stamps than the view names.
    pub(super) fn stamps(&self) -> usize {
        self.stamps.len()
    }

    /// The membership view changed.
    pub(super) fn on_view(&mut self, view: &MembershipView) {
        self.stamps.retain(|process, stamp| {
            let known = view.process(process);
            known.is_some_and(|member| member.record.stamp < *stamp)
        });
    }

    /// A host issues this stamp now.
    pub(super) fn on_stamp(&mut self, view: &MembershipView, from: ProcessId, stamp: u64) {
        if view.process(&from).is_some() {
            self.stamps.insert(from, stamp);
        }
    }

    /// An id, a fresh one unless it is given, and the members of the first set; `None` without
    /// hosts.
    pub(super) fn deal(
        &mut self,
        view: &MembershipView,
        creation: &Creation,
        avoid: &BTreeSet<ProcessId>,
    ) -> Option<(ObjectId, Vec<Replica>)> {
        let slot = creation.id.map_or(self.next, ObjectId::slot);
        let mut members = match &creation.members {
            Some(processes) => named(view, processes),
            None => {
                let wanted = Wanted {
                    kind: &creation.kind,
                    kind_version: creation.kind_version,
                    factor: usize::from(creation.factor),
                };
                self.strategy.deal(view, slot, &wanted, avoid)
            }
        };
        if members.is_empty() {
            return None;
        }
        for member in &mut members {
            let said = self.stamps.get(&member.process).copied();
            member.stamp = member.stamp.max(said.unwrap_or_default());
        }
        let object = creation.id.unwrap_or_else(|| self.fresh());
        Some((object, members))
    }

    fn fresh(&mut self) -> ObjectId {
        let slot = self.next;
        self.next = slot.next();
        let random = u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64());
        ObjectId::in_slot(slot, random)
    }
}

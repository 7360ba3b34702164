//! Which object is which, and which replica sets there are.

use objects_proto::object::ObjectId;
use objects_proto::objects::Objects;

use super::journal::KIND;
use super::tracked::Tracked;
use super::{ObjectsKernel, Register};

impl Register {
    pub(super) fn kind_of(&self, object: &ObjectId) -> &'static str {
        let mut known = self.objects.iter();
        let known = known.find(|tracked| tracked.is(object));
        known.map_or(KIND, |tracked| tracked.kind)
    }

    pub(super) fn tracked(&mut self, object: &ObjectId) -> Option<&mut Tracked> {
        self.objects.iter_mut().find(|tracked| tracked.is(object))
    }

    /// Learns replica sets whose first primary did not get to tell of them.
    pub(super) fn learn_sets(&mut self, kernel: &ObjectsKernel) {
        let now = kernel.now();
        for node in kernel.running() {
            let replicas = kernel.machine(node).into_iter().flat_map(Objects::replicas);
            for (object, replica) in replicas.filter(|(_, one)| one.is_installed_member()) {
                if let Some(tracked) = self.tracked(object) {
                    tracked.configured(now, replica.configuration().clone());
                }
            }
        }
    }
}

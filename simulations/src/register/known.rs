//! Which object is which, and which replica sets there are.

use objects_proto::object::ObjectId;

use super::Register;
use super::journal::KIND;
use super::tracked::Tracked;

impl Register {
    pub(super) fn kind_of(&self, object: &ObjectId) -> &'static str {
        let mut known = self.objects.iter();
        let known = known.find(|tracked| tracked.is(object));
        known.map_or(KIND, |tracked| tracked.kind)
    }

    pub(super) fn tracked(&mut self, object: &ObjectId) -> Option<&mut Tracked> {
        self.objects.iter_mut().find(|tracked| tracked.is(object))
    }
}

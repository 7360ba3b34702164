//! Which object is which.

use objects_proto::object::ObjectId;

use super::Register;
use super::tracked::Tracked;

impl Register {
    pub(super) fn tracked(&mut self, object: &ObjectId) -> Option<&mut Tracked> {
        self.objects.iter_mut().find(|tracked| tracked.is(object))
    }
}

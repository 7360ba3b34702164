//! What a process says of an object, its place and what its primary does not know, and of others.

use overlay_proto::view::MembershipView;

use super::Objects;
use crate::message::{Description, Sighting};
use crate::object::ObjectId;

impl Objects {
    /// The membership view that this process was shown last.
    #[must_use]
    pub const fn view(&self) -> &MembershipView {
        &self.view
    }

    /// What this process knows of an object's place: its replica's, its tombstone's, or nothing.
    #[must_use]
    pub fn sighting(&self, object: &ObjectId) -> Sighting {
        self.host.sighting(object)
    }

    /// Adds the names of the methods, as a member that hosts the kind announces them.
    pub(super) fn name_methods(&self, description: &mut Description) {
        let members = description.configuration.processes();
        let hosted = members.filter_map(|process| {
            let record = &self.view.process(&process)?.record;
            let kind = record.kind(&description.kind)?;
            (kind.version == description.kind_version).then_some(&kind.methods)
        });
        if let Some(methods) = hosted.into_iter().next() {
            description.methods.clone_from(methods);
        }
    }
}

//! What is left of a replica: enough to never come back and to show others the way.

use overlay_proto::ProcessId;

use crate::message::Sighting;
use crate::object::Epoch;

/// Kept until the install floor is raised above it: an epoch that was left is never installed
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The newest epoch that is over here.
    pub epoch: Epoch,
    /// What came after it.
    pub sighting: Sighting,
    /// Whether it was a member that ended here, and not a learner.
    pub member: bool,
}

impl Tombstone {
    /// Whether this process is named by the set that came after, and has yet to enter it: the
    /// tombstone is what lets it, whatever its install floor.
    #[must_use]
    pub fn awaits(&self, me: &ProcessId) -> bool {
        self.member
            && matches!(&self.sighting, Sighting::Member { configuration, .. }
                if configuration.index_of(me).is_some())
    }

    /// Whether a record of this epoch must not be made: it is not newer than what was left, or
    /// older than what came after it, also in a lineage that lost. A deleted object never comes
    /// back.
    #[must_use]
    pub fn refuses(&self, epoch: Epoch) -> bool {
        epoch <= self.epoch
            || match &self.sighting {
                Sighting::Unknown => false,
                Sighting::Member { configuration, .. } => epoch < configuration.epoch,
                Sighting::Deleted => true,
            }
    }
}

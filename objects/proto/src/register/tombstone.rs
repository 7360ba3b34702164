//! What is left of a replica: enough to never come back and to show others the way.

use crate::message::Sighting;
use crate::object::Epoch;

/// Kept for the life of the process: an epoch that was left is never installed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The newest epoch that is over here.
    pub epoch: Epoch,
    /// What came after it.
    pub sighting: Sighting,
}

impl Tombstone {
    /// Whether a record of this epoch must not be made. A deleted object never comes back.
    #[must_use]
    pub fn refuses(&self, epoch: Epoch) -> bool {
        epoch <= self.epoch || matches!(self.sighting, Sighting::Deleted)
    }
}

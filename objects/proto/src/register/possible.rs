//! What no member within the rules says: such a message is dropped, whoever sent it.

use crate::message::{Change, RegisterMessage, Status};
use crate::object::Epoch;
use crate::register::record::well_formed;

impl RegisterMessage {
    /// Whether a member can have sent it: a value of an epoch is sealed into a later one, and
    /// into a set that can be one.
    #[must_use]
    pub(crate) fn is_possible(&self) -> bool {
        match self {
            Self::Accept { epoch, change, .. } => match change {
                Change::Full { value, .. } => leads_on(&value.status, *epoch),
                Change::Step { status, .. } => status
                    .as_ref()
                    .is_none_or(|status| leads_on(status, *epoch)),
            },
            Self::Promised {
                epoch, accepted, ..
            } => {
                let value = accepted.as_ref().and_then(|one| one.value.as_ref());
                value.is_none_or(|value| leads_on(&value.status, *epoch))
            }
            _ => true,
        }
    }
}

fn leads_on(status: &Status, epoch: Epoch) -> bool {
    match status {
        Status::Sealed {
            next,
            first_primary,
        } => {
            let first = usize::from(*first_primary);
            next.epoch > epoch && well_formed(next) && first < next.members.len()
        }
        Status::Live | Status::Deleted => true,
    }
}

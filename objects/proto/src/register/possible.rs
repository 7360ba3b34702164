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

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use overlay_proto::{Incarnation, PeerId, ProcessId};

    use super::*;
    use crate::message::StateChange;
    use crate::object::{Ballot, Configuration, Replica, Version};

    fn set(number: u64, members: &[u8]) -> Configuration {
        let member = |peer: &u8| Replica {
            process: ProcessId {
                peer: PeerId([*peer; 32]),
                incarnation: Incarnation(1),
            },
            stamp: 1,
        };
        Configuration {
            epoch: Epoch {
                number,
                ..Epoch::default()
            },
            members: members.iter().map(member).collect(),
            forks: Vec::new(),
            seal: None,
        }
    }

    /// A step of epoch 5 that seals the object into this set.
    fn seal(next: Configuration, first_primary: u8) -> RegisterMessage {
        RegisterMessage::Accept {
            epoch: set(5, &[]).epoch,
            ballot: Ballot::default(),
            version: Version(2),
            change: Change::Step {
                base: Version(1),
                state: StateChange::Kept,
                sessions: vec![],
                outbox: vec![],
                status: Some(Status::Sealed {
                    next,
                    first_primary,
                }),
            },
        }
    }

    /// Found with altered messages: a record on which an object was sealed into its own past.
    #[test]
    fn nothing_is_sealed_into_its_own_epoch_or_into_what_is_no_set() {
        assert!(seal(set(6, &[1, 2, 3]), 2).is_possible());
        assert!(!seal(set(5, &[1, 2, 3]), 0).is_possible());
        assert!(!seal(set(4, &[1, 2, 3]), 0).is_possible());
        assert!(!seal(set(6, &[1, 2, 3]), 3).is_possible());
        assert!(!seal(set(6, &[1, 1, 3]), 0).is_possible());
        assert!(!seal(set(6, &[]), 0).is_possible());
    }
}

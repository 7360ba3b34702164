//! What no member within the rules says: such a message is dropped, whoever sent it.

use crate::message::{Change, RegisterMessage, Status};
use crate::object::{Epoch, Version};
use crate::register::record::well_formed;

/// No object and no line of replica sets comes to so many versions or epochs, so that counting on
/// from what somebody sent turns over nowhere.
const COUNT_MAX: u64 = 1 << 62;

impl RegisterMessage {
    /// Whether a member can have sent it: a value of an epoch is sealed into a later one, and
    /// into a set that can be one; versions and epochs were counted.
    #[must_use]
    pub(crate) fn is_possible(&self) -> bool {
        match self {
            Self::Accept {
                epoch,
                version,
                change,
                ..
            } => {
                let status = match change {
                    Change::Full { value, .. } => Some(&value.status),
                    Change::Kept { .. } => None,
                    Change::Step { status, .. } => status.as_ref(),
                };
                counted(*epoch, *version) && status.is_none_or(|one| leads_on(one, *epoch))
            }
            Self::Promised {
                epoch, accepted, ..
            } => accepted.as_ref().is_none_or(|accepted| {
                let status = accepted.value.as_ref().map(|value| &value.status);
                counted(*epoch, accepted.version) && status.is_none_or(|one| leads_on(one, *epoch))
            }),
            Self::Prepare { configuration, .. } => counted(configuration.epoch, Version(0)),
            _ => true,
        }
    }
}

/// Whether an object can have come to this epoch and version.
pub(crate) const fn counted(epoch: Epoch, version: Version) -> bool {
    epoch.number <= COUNT_MAX && version.0 <= COUNT_MAX
}

fn leads_on(status: &Status, epoch: Epoch) -> bool {
    match status {
        Status::Sealed {
            next,
            first_primary,
        } => {
            let first = usize::from(*first_primary);
            let later = next.epoch > epoch && counted(next.epoch, Version(0));
            later && well_formed(next) && first < next.members.len()
        }
        Status::Live | Status::Deleted => true,
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;

    use overlay_proto::{Incarnation, PeerId, ProcessId};

    use super::*;
    use crate::message::StateChange;
    use crate::object::{Ballot, Configuration, Replica};

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
                    next: Box::new(next),
                    first_primary,
                }),
            },
        }
    }

    /// Found with altered messages: a version that could not be counted on.
    #[test]
    fn what_nobody_counted_to_is_refused() {
        let at = |number, version| RegisterMessage::Accept {
            epoch: set(number, &[]).epoch,
            ballot: Ballot::default(),
            version: Version(version),
            change: Change::Step {
                base: Version(1),
                state: StateChange::Kept,
                sessions: vec![],
                outbox: vec![],
                status: None,
            },
        };
        assert!(at(1, COUNT_MAX).is_possible());
        assert!(!at(1, u64::MAX).is_possible());
        assert!(!at(u64::MAX, 1).is_possible());
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

//! When a caller is answered, a majority of the replica set holds what the answer reveals, or
//! held it until its processes ended.
//!
//! Source: design section 3, promise 2.

use objects_proto::object::{Configuration, Version};
use overlay_proto::ProcessId;

/// The invariant's name in reports.
pub const NAME: &str = "durable_before_visible";

/// What a process that runs has of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// This version, in the set that answered.
    Holds(Version),
    /// The object has gone on without this set there.
    WentOn,
    /// Nothing.
    Nothing,
}

/// Checks an answer that reveals `version`. `copy` says what a member has; `None` of one that
/// has ended.
///
/// # Errors
/// In words, if too few members can have it.
pub fn check(
    set: &Configuration,
    version: Version,
    copy: impl Fn(&ProcessId) -> Option<Copy>,
) -> Result<(), String> {
    let has = |member: &ProcessId| match copy(member) {
        Some(Copy::Holds(held)) => held >= version,
        Some(Copy::Nothing) => false,
        Some(Copy::WentOn) | None => true,
    };
    let holders = set.processes().filter(has).count();
    if holders >= set.majority() {
        return Ok(());
    }
    Err(format!(
        "an answer reveals {version:?} of {:?}, which {holders} of {} members have",
        set.epoch,
        set.members.len()
    ))
}

#[cfg(test)]
mod tests {
    use objects_proto::object::{Epoch, Replica};
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    #[test]
    fn a_majority_must_hold_what_is_revealed() {
        let process = |number| ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        };
        let member = |number| Replica {
            process: process(number),
            stamp: 1,
        };
        let set = Configuration {
            epoch: Epoch::default(),
            members: [1, 2, 3].map(member).into(),
            forks: Vec::new(),
            seal: None,
        };
        let copies = |copies: [Option<Copy>; 3]| {
            check(&set, Version(5), |one| {
                copies[usize::from(one.peer.0[0]) - 1]
            })
        };
        let [new, old] = [5, 4].map(|version| Some(Copy::Holds(Version(version))));
        assert!(copies([new, new, old]).is_ok());
        assert!(copies([new, None, old]).is_ok());
        assert!(copies([new, Some(Copy::WentOn), old]).is_ok());
        assert!(copies([new, Some(Copy::Nothing), old]).is_err());
    }
}

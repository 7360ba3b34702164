//! While leases let one process answer reads alone, nobody else is an object's primary.
//!
//! Source: design section 7 (lease reads), reliability research 3.3, design review 1.6. It is
//! what makes a read that asks nobody as current as one that asks a majority.

use objects_proto::object::{Ballot, Epoch};
use overlay_proto::ProcessId;

/// The invariant's name in reports.
pub const NAME: &str = "leases_respected";

/// What a process that takes itself for an object's primary is at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Which.
    pub process: ProcessId,
    /// In which replica set.
    pub epoch: Epoch,
    /// Under which ballot.
    pub ballot: Ballot,
    /// A majority has accepted that ballot.
    pub active: bool,
    /// By its own clock, it may answer reads without asking anybody.
    pub leased: bool,
}

/// Checks the primaries of one object.
///
/// # Errors
/// In words, if one may read alone though another one has replaced it.
pub fn check(standings: &[Standing]) -> Result<(), String> {
    for holder in standings.iter().filter(|one| one.leased) {
        let replaced = standings.iter().find(|other| {
            other.active
                && other.process != holder.process
                && (other.epoch, other.ballot) > (holder.epoch, holder.ballot)
        });
        if let Some(other) = replaced {
            return Err(format!("{holder:?} reads alone besides {other:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn standing(number: u8, round: u32, active: bool, leased: bool) -> Standing {
        Standing {
            process: ProcessId {
                peer: PeerId([number; 32]),
                incarnation: Incarnation(1),
            },
            epoch: Epoch::default(),
            ballot: Ballot {
                round,
                member: number,
            },
            active,
            leased,
        }
    }

    #[test]
    fn catches_a_reader_that_was_replaced() {
        let reader = standing(1, 1, true, true);
        assert!(check(&[reader, standing(2, 2, true, false)]).is_err());
    }

    #[test]
    fn allows_candidates_and_readers_that_know_better() {
        let reader = standing(1, 1, true, true);
        assert!(check(&[reader, standing(2, 2, false, false)]).is_ok());
        let former = standing(1, 1, true, false);
        assert!(check(&[former, standing(2, 2, true, true)]).is_ok());
    }
}

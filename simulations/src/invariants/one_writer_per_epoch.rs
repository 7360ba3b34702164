//! At no moment do two processes act as primary of one object in one epoch under one ballot, nor
//! two with a majority behind them.
//!
//! Source: design section 3, promise 1. Two under different ballots may both believe that they
//! are primary for a while; only one of them can have a majority, which `equal_copies` and the
//! histories show.

use std::collections::BTreeMap;

use objects_proto::object::{Ballot, Epoch, ObjectId};
use overlay_proto::ProcessId;

/// The invariant's name in reports.
pub const NAME: &str = "one_writer_per_epoch";

/// The primaries that there are now.
#[derive(Debug, Default)]
pub struct Writers {
    seen: BTreeMap<(ObjectId, Epoch, Ballot), ProcessId>,
}

impl Writers {
    /// A process acts as primary.
    ///
    /// # Errors
    /// In words, if another one does too.
    pub fn writes(
        &mut self,
        object: ObjectId,
        (epoch, ballot): (Epoch, Ballot),
        process: ProcessId,
    ) -> Result<(), String> {
        let first = *self.seen.entry((object, epoch, ballot)).or_insert(process);
        if first == process {
            return Ok(());
        }
        Err(format!(
            "{first} and {process} are both primary of {object:?} in {epoch:?} under {ballot:?}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    #[test]
    fn a_second_writer_under_one_ballot_is_noticed() {
        let process = |number| ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        };
        let ballot = |round| (Epoch::default(), Ballot { round, member: 0 });
        let mut writers = Writers::default();
        assert_eq!(writers.writes(ObjectId(1), ballot(1), process(1)), Ok(()));
        assert_eq!(writers.writes(ObjectId(1), ballot(1), process(1)), Ok(()));
        assert_eq!(writers.writes(ObjectId(2), ballot(1), process(2)), Ok(()));
        assert_eq!(writers.writes(ObjectId(1), ballot(2), process(2)), Ok(()));
        assert!(writers.writes(ObjectId(1), ballot(1), process(2)).is_err());
    }
}

//! A view never goes back to an earlier start of a peer, nor to an older word of one start.
//!
//! Source: SWIM's ordering of incarnation numbers (Das, Gupta and Motivala, DSN 2002, section
//! 4.2), with the process's start in the place of memory lost.

use std::collections::BTreeMap;

use overlay_proto::{PeerId, ProcessId};

/// The invariant's name in reports.
pub const NAME: &str = "incarnation_monotonic";

/// What each observer has seen of each peer.
#[derive(Debug, Default)]
pub struct IncarnationMonotonic {
    seen: BTreeMap<(ProcessId, PeerId), (usize, u64)>,
}

impl IncarnationMonotonic {
    /// Takes one entry of an observer's view: the peer's `start` (counted by the world, not by
    /// the protocol) and the sequence of its record.
    ///
    /// # Errors
    /// In words, if the entry is older than one seen before.
    pub fn entry(
        &mut self,
        observer: ProcessId,
        peer: PeerId,
        start: usize,
        sequence: u64,
    ) -> Result<(), String> {
        let newest = self.seen.entry((observer, peer)).or_default();
        if (start, sequence) < *newest {
            return Err(format!(
                "{observer} saw start {} sequence {} of {peer}, and now start {start} \
                 sequence {sequence}",
                newest.0, newest.1
            ));
        }
        *newest = (start, sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::Incarnation;

    use super::*;

    #[test]
    fn catches_an_old_start_and_an_old_sequence() {
        let observer = ProcessId {
            peer: PeerId([1; 32]),
            incarnation: Incarnation(1),
        };
        let peer = PeerId([2; 32]);
        let mut invariant = IncarnationMonotonic::default();
        assert!(invariant.entry(observer, peer, 1, 5).is_ok());
        assert!(invariant.entry(observer, peer, 1, 4).is_err());
        assert!(invariant.entry(observer, peer, 2, 1).is_ok());
        assert!(invariant.entry(observer, peer, 1, 9).is_err());
    }
}

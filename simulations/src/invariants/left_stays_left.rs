//! A process that said goodbye never comes back into a view that has heard the goodbye.
//!
//! Source: Lifeguard's and memberlist's `Left` state; a graceful leave is final for its
//! incarnation (design section 6, membership).

use std::collections::BTreeSet;

use overlay_proto::ProcessId;

/// The invariant's name in reports.
pub const NAME: &str = "left_stays_left";

/// Who heard whose goodbye.
#[derive(Debug, Default)]
pub struct LeftStaysLeft {
    heard: BTreeSet<(ProcessId, ProcessId)>,
}

impl LeftStaysLeft {
    /// `observer` dropped `process` because it left.
    pub fn left(&mut self, observer: ProcessId, process: ProcessId) {
        self.heard.insert((observer, process));
    }

    /// `process` came into `observer`'s view.
    ///
    /// # Errors
    /// In words, if it had left before.
    pub fn joined(&self, observer: ProcessId, process: ProcessId) -> Result<(), String> {
        if self.heard.contains(&(observer, process)) {
            return Err(format!(
                "{process} left, and came back into the view of {observer}"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    #[test]
    fn catches_a_return() {
        let process = |n| ProcessId {
            peer: PeerId([n; 32]),
            incarnation: Incarnation(1),
        };
        let mut invariant = LeftStaysLeft::default();
        assert!(invariant.joined(process(1), process(2)).is_ok());
        invariant.left(process(1), process(2));
        assert!(invariant.joined(process(1), process(2)).is_err());
        assert!(invariant.joined(process(3), process(2)).is_ok());
    }
}

//! How evenly hosts carry replicas, and how many members were moved for it.

use super::{Peer, PeersKernel};

/// What was seen of moves before the faults stopped.
#[derive(Debug, Default)]
pub(super) struct Balance {
    at_heal: u64,
}

impl Balance {
    pub(super) fn healed(&mut self, kernel: &PeersKernel) {
        self.at_heal = moves(kernel);
    }

    /// Counts what the end of a run shows. Moves of processes that ended are not among them.
    pub(super) fn judge(&self, kernel: &mut PeersKernel) {
        let loads = |peer: &Peer| peer.objects().replicas().count() as u64;
        let loads: Vec<u64> = peers(kernel).map(loads).collect();
        let moved = moves(kernel);
        for (counter, count) in [
            ("replicas", loads.iter().sum()),
            ("replicas at the fullest host", most(&loads)),
            ("replicas at the emptiest host", least(&loads)),
            ("members moved", moved),
            (
                "members moved after the heal",
                moved.saturating_sub(self.at_heal),
            ),
        ] {
            kernel.count(counter, count);
        }
    }
}

fn most(loads: &[u64]) -> u64 {
    loads.iter().max().copied().unwrap_or_default()
}

fn least(loads: &[u64]) -> u64 {
    loads.iter().min().copied().unwrap_or_default()
}

fn moves(kernel: &PeersKernel) -> u64 {
    peers(kernel)
        .map(|peer| peer.objects().counters().moves)
        .sum()
}

fn peers(kernel: &PeersKernel) -> impl Iterator<Item = &Peer> {
    kernel.running().filter_map(|node| kernel.machine(node))
}

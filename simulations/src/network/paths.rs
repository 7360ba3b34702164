//! Which packets pass: cuts, and what happens to held-back data when they are mended.

use overlay_proto::Instant;

use super::{HostState, LinkId, Network, NetworkDue};

impl<T> Network<T> {
    /// Whether packets from one node get to another.
    #[must_use]
    pub fn path_open(&self, from: u32, to: u32) -> bool {
        self.cuts[from as usize * self.hosts.len() + to as usize] == 0
    }

    /// Whether two nodes run and packets pass in both directions.
    #[must_use]
    pub fn reachable(&self, from: u32, to: u32) -> bool {
        self.host(from) == HostState::Running
            && self.host(to) == HostState::Running
            && self.path_open(from, to)
            && self.path_open(to, from)
    }

    /// Cuts one direction between two nodes. Cuts add up.
    pub fn cut(&mut self, from: u32, to: u32) {
        let index = from as usize * self.hosts.len() + to as usize;
        self.cuts[index] = self.cuts[index].saturating_add(1);
    }

    /// Takes one cut back; held-back data gets through with the next retransmission.
    pub fn mend(&mut self, now: Instant, from: u32, to: u32) {
        let at = from as usize * self.hosts.len() + to as usize;
        self.cuts[at] = self.cuts[at].saturating_sub(1);
        if self.cuts[at] > 0 {
            return;
        }
        let both_open = self.path_open(to, from);
        let indices: Vec<u32> = self.by_node[from as usize].iter().copied().collect();
        for index in indices {
            let link = &mut self.links[index as usize];
            let side = usize::from(link.ends[0].node != from);
            if link.ends[1 - side].node != to {
                continue;
            }
            let stalled_for = link.stalled_since.map(|since| now.since(since));
            if both_open {
                link.stalled_since = None;
            }
            if link.pipes[side].stalled {
                let longest = stalled_for
                    .unwrap_or_default()
                    .min(self.conditions.link_timeout / 4);
                let flush_at = now + self.dice.duration(Default::default(), longest);
                link.pipes[side].flush_at = Some(flush_at);
                let id = LinkId {
                    index,
                    generation: link.generation,
                };
                self.scheduled
                    .push((flush_at, NetworkDue::Arrive(id, side as u8)));
            }
        }
    }

    /// Takes every cut back.
    pub fn mend_all(&mut self, now: Instant) {
        let nodes = self.hosts.len() as u32;
        for from in 0..nodes {
            for to in 0..nodes {
                if !self.path_open(from, to) {
                    self.cuts[from as usize * self.hosts.len() + to as usize] = 1;
                    self.mend(now, from, to);
                }
            }
        }
    }
}

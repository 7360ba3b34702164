//! Which packets pass: cuts, islands, and what happens to held-back data when they end.

use std::collections::BTreeMap;

use overlay_proto::Instant;

use super::{HostState, LinkId, Network, NetworkDue};

/// What keeps packets from passing.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Cuts in force from one node to another, by their number.
    cuts: BTreeMap<(u32, u32), u32>,
    /// The island of each node; empty while there is one mainland.
    islands: Vec<u8>,
}

impl Paths {
    /// Whether packets from one node get to another.
    pub(super) fn open(&self, from: u32, to: u32) -> bool {
        let island = |node: u32| self.islands.get(node as usize);
        (self.islands.is_empty() || island(from) == island(to))
            && (self.cuts.is_empty() || !self.cuts.contains_key(&(from, to)))
    }
}

impl<T> Network<T> {
    /// Whether packets from one node get to another.
    #[must_use]
    pub fn path_open(&self, from: u32, to: u32) -> bool {
        self.paths.open(from, to)
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
        *self.paths.cuts.entry((from, to)).or_default() += 1;
    }

    /// Takes one cut back; held-back data gets through with the next retransmission.
    pub fn mend(&mut self, now: Instant, from: u32, to: u32) {
        let Some(cuts) = self.paths.cuts.get_mut(&(from, to)) else {
            return;
        };
        *cuts -= 1;
        if *cuts == 0 {
            self.paths.cuts.remove(&(from, to));
            self.flush(now, from, Some(to));
        }
    }

    /// Takes every cut back.
    pub fn mend_all(&mut self, now: Instant) {
        self.unite(now);
        for (from, to) in std::mem::take(&mut self.paths.cuts).into_keys() {
            self.flush(now, from, Some(to));
        }
    }

    /// From now on packets pass only between nodes of the same island.
    pub fn split(&mut self, islands: Vec<u8>) {
        self.paths.islands = islands;
    }

    /// Takes [`Self::split`] back.
    pub fn unite(&mut self, now: Instant) {
        if !std::mem::take(&mut self.paths.islands).is_empty() {
            for from in 0..self.hosts.len() as u32 {
                self.flush(now, from, None);
            }
        }
    }

    /// Data of `from` that was held back gets through with the next retransmission, as far as
    /// packets pass again: to `only`, or to every other end of its links.
    fn flush(&mut self, now: Instant, from: u32, only: Option<u32>) {
        for index in self.links_of(from) {
            let link = &self.links[index as usize];
            let side = usize::from(link.ends[0].node != from);
            let to = link.ends[1 - side].node;
            if only.is_some_and(|only| only != to) || !self.path_open(from, to) {
                continue;
            }
            let both_open = self.path_open(to, from);
            let link = &mut self.links[index as usize];
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
}

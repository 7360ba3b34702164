//! What this process was granted as a primary.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId, Table};

/// Most renewals of one lease under way; the oldest counts no more.
const ASKED_MAX: usize = 8;

/// Granters whose promise is held at a time; those of others are not relied on.
const GRANTERS_MAX: usize = 4_096;

/// The leases of one process, by granter.
#[derive(Debug)]
pub struct Held {
    leases: BTreeMap<ProcessId, Lease>,
    next: u64,
    renewal: Duration,
    idle: Duration,
}

#[derive(Debug)]
struct Lease {
    generation: u64,
    until: Instant,
    /// When a read last rested on it.
    used: Instant,
    /// When its renewal was last asked for.
    renewed: Instant,
    /// Renewals under way, and when they were asked for.
    asked: VecDeque<(u64, Instant)>,
}

impl Held {
    /// No leases. Each is renewed every `renewal` until no read rested on it for `idle`.
    #[must_use]
    pub const fn new(renewal: Duration, idle: Duration) -> Self {
        Self {
            leases: BTreeMap::new(),
            next: 0,
            renewal,
            idle,
        }
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// How full its tables are.
    pub fn tables(&self) -> [Table; 2] {
        let asked = self.leases.values().map(|lease| lease.asked.len()).max();
        let asked = asked.unwrap_or_default();
        [
            Table::new("leases", self.leases.len(), GRANTERS_MAX),
            Table::new("leases.asked", asked, ASKED_MAX),
        ]
    }

    /// A granter's promise, good until `until`. One of an older generation is ignored.
    pub fn extend(&mut self, now: Instant, granter: ProcessId, generation: u64, until: Instant) {
        let full = self.leases.len() >= GRANTERS_MAX;
        match self.leases.get_mut(&granter) {
            Some(lease) if lease.generation > generation => {}
            Some(lease) if lease.generation == generation => lease.until = lease.until.max(until),
            Some(lease) => {
                lease.generation = generation;
                lease.until = until;
            }
            None if full => {}
            None => {
                let lease = Lease {
                    generation,
                    until,
                    used: now,
                    renewed: now,
                    asked: VecDeque::new(),
                };
                self.leases.insert(granter, lease);
            }
        }
    }

    /// The generation that a granter's promise holds for now, if it holds.
    #[must_use]
    pub fn generation(&self, now: Instant, granter: &ProcessId) -> Option<u64> {
        let lease = self.leases.get(granter)?;
        (now < lease.until).then_some(lease.generation)
    }

    /// A read rests on this granter's promise.
    pub fn touch(&mut self, now: Instant, granter: &ProcessId) {
        if let Some(lease) = self.leases.get_mut(granter) {
            lease.used = now;
        }
    }

    /// The renewals that are to be asked for now, by number; forgets what has lapsed.
    pub fn due(&mut self, now: Instant) -> Vec<(ProcessId, u64)> {
        self.leases.retain(|_, lease| now < lease.until);
        let mut due = Vec::new();
        for (granter, lease) in &mut self.leases {
            let idle = now.since(lease.used) >= self.idle;
            if idle || now.since(lease.renewed) < self.renewal {
                continue;
            }
            self.next += 1;
            lease.renewed = now;
            lease.asked.push_back((self.next, now));
            if lease.asked.len() > ASKED_MAX {
                lease.asked.pop_front();
            }
            due.push((*granter, self.next));
        }
        due
    }

    /// When the renewal with this number was asked for; it and older ones are done with.
    pub fn asked(&mut self, granter: &ProcessId, number: u64) -> Option<Instant> {
        let asked = &mut self.leases.get_mut(granter)?.asked;
        let place = asked.iter().position(|(known, _)| *known == number)?;
        asked.drain(..=place).next_back().map(|(_, at)| at)
    }

    /// This granter grants nothing.
    pub fn forget(&mut self, granter: &ProcessId) {
        self.leases.remove(granter);
    }

    /// Gives up everything: the clock cannot be relied on.
    pub fn clear(&mut self) {
        self.leases.clear();
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn granter() -> ProcessId {
        ProcessId {
            peer: PeerId([7; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn held() -> Held {
        Held::new(Duration::from_secs(1), Duration::from_secs(5))
    }

    #[test]
    fn a_lease_ends_by_itself() {
        let mut held = held();
        held.extend(at(0), granter(), 4, at(2_910));
        assert_eq!(held.generation(at(2_909), &granter()), Some(4));
        assert_eq!(held.generation(at(2_910), &granter()), None);
    }

    #[test]
    fn a_newer_generation_counts_for_itself_and_an_older_one_not_at_all() {
        let mut held = held();
        held.extend(at(0), granter(), 4, at(2_910));
        held.extend(at(10), granter(), 5, at(1_000));
        assert_eq!(held.generation(at(999), &granter()), Some(5));
        held.extend(at(20), granter(), 4, at(9_000));
        assert_eq!(held.generation(at(1_000), &granter()), None);
    }

    #[test]
    fn it_is_renewed_while_reads_rest_on_it() {
        let mut held = held();
        held.extend(at(0), granter(), 4, at(60_000));
        assert!(held.due(at(999)).is_empty());
        assert_eq!(held.due(at(1_000)), [(granter(), 1)]);
        assert!(held.due(at(1_999)).is_empty());
        held.touch(at(4_000), &granter());
        assert_eq!(held.due(at(8_999)), [(granter(), 2)]);
        assert!(held.due(at(9_999)).is_empty());
    }

    #[test]
    fn granters_are_bounded() {
        let mut held = held();
        for number in 0..GRANTERS_MAX as u64 + 9 {
            let granter = ProcessId {
                incarnation: Incarnation(number),
                ..granter()
            };
            held.extend(at(0), granter, 1, at(60_000));
        }
        assert!(held.tables().iter().all(|table| table.holds()));
        assert_eq!(held.leases.len(), GRANTERS_MAX);
    }

    #[test]
    fn a_lapsed_lease_is_not_renewed() {
        let mut held = held();
        held.extend(at(0), granter(), 4, at(2_910));
        assert!(held.due(at(2_910)).is_empty());
        assert!(held.is_empty());
    }

    #[test]
    fn a_renewal_counts_from_when_it_was_asked_for() {
        let mut held = held();
        held.extend(at(0), granter(), 4, at(60_000));
        for millis in [1_000, 2_000, 3_000] {
            held.due(at(millis));
        }
        assert_eq!(held.asked(&granter(), 2), Some(at(2_000)));
        assert_eq!(held.asked(&granter(), 1), None);
        assert_eq!(held.asked(&granter(), 3), Some(at(3_000)));
        assert_eq!(held.asked(&granter(), 3), None);
    }
}

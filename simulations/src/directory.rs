//! A model of the Kademlia directory: slow, sometimes stale, sometimes of no use.

use std::collections::BTreeMap;

use overlay_proto::{Duration, Instant};

use crate::kernel::{Kernel, SimMachine};
use crate::seed::{Dice, Seed};

/// Records kept of one key, the newest last.
const KEPT: usize = 4;

/// What the directory is like in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectoryConditions {
    /// Shortest time of an operation.
    pub low: Duration,
    /// Longest time of an operation that succeeds.
    pub high: Duration,
    /// Share of puts that are lost and of gets that find nothing.
    pub failures: f64,
    /// Share of gets that also, or only, find older records.
    pub stale: f64,
}

impl DirectoryConditions {
    /// A directory of well-connected peers, some of which have just gone.
    pub const LAN: Self = Self {
        low: Duration::from_millis(5),
        high: Duration::from_millis(800),
        failures: 0.02,
        stale: 0.2,
    };

    /// Draws conditions from good to useless.
    pub fn any(dice: &mut Dice) -> Self {
        Self {
            low: Duration::from_millis(dice.between(1, 50)),
            high: Duration::from_millis(dice.between(50, 3_000)),
            failures: if dice.chance(0.1) {
                1.0
            } else {
                0.3 * dice.unit()
            },
            stale: 0.5 * dice.unit(),
        }
    }
}

/// The directory of a world.
#[derive(Debug)]
pub struct Directory<K, V> {
    conditions: DirectoryConditions,
    records: BTreeMap<K, Vec<(Instant, V)>>,
    dice: Dice,
}

impl<K: Ord, V: Clone> Directory<K, V> {
    /// An empty directory.
    #[must_use]
    pub fn new(conditions: DirectoryConditions, seed: Seed) -> Self {
        Self {
            conditions,
            records: BTreeMap::new(),
            dice: seed.child("directory").dice(),
        }
    }

    /// Puts a record, and says whether anybody keeps it. `online`: whether the putting node
    /// reaches most of the others.
    pub fn put(&mut self, now: Instant, online: bool, key: K, value: V) -> bool {
        if !online || self.dice.chance(self.conditions.failures) {
            return false;
        }
        let visible = now + self.delay();
        let records = self.records.entry(key).or_default();
        records.push((visible, value));
        records.sort_by_key(|(at, _)| *at);
        if records.len() > KEPT {
            records.remove(0);
        }
        true
    }

    /// Gets records: after how long, and which. Empty if the lookup finds nothing.
    pub fn get(&mut self, now: Instant, online: bool, key: &K) -> (Duration, Vec<V>) {
        let after = self.delay();
        if !online || self.dice.chance(self.conditions.failures) {
            return (after.max(self.conditions.high), Vec::new());
        }
        let visible: Vec<&V> = self
            .records
            .get(key)
            .into_iter()
            .flatten()
            .filter(|(at, _)| *at <= now + after)
            .map(|(_, value)| value)
            .collect();
        let Some((newest, older)) = visible.split_last() else {
            return (after, Vec::new());
        };
        let mut found = Vec::new();
        if self.dice.chance(self.conditions.stale) {
            found.extend(self.dice.pick(older).map(|value| (*value).clone()));
        }
        if found.is_empty() || self.dice.chance(0.5) {
            found.push((*newest).clone());
        }
        (after, found)
    }

    fn delay(&mut self) -> Duration {
        self.dice
            .duration(self.conditions.low, self.conditions.high)
    }
}

/// Whether a node reaches at least half of the others: then it reaches the directory.
pub fn online<M: SimMachine, A>(kernel: &Kernel<M, A>, node: u32) -> bool {
    let reached = kernel
        .running()
        .filter(|other| kernel.reachable(node, *other))
        .count();
    2 * reached >= kernel.running().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(failures: f64, stale: f64) -> Directory<u8, u32> {
        let conditions = DirectoryConditions {
            low: Duration::from_millis(1),
            high: Duration::from_millis(10),
            failures,
            stale,
        };
        Directory::new(conditions, Seed::new(1))
    }

    #[test]
    fn finds_the_newest_record_when_all_is_well() {
        let mut directory = directory(0.0, 0.0);
        for value in 0..10 {
            directory.put(
                Instant::from_micros(u64::from(value) * 20_000),
                true,
                1,
                value,
            );
        }
        let now = Instant::from_micros(1_000_000);
        assert_eq!(directory.get(now, true, &1).1, [9]);
        assert!(directory.get(now, true, &2).1.is_empty());
        assert!(directory.get(now, false, &1).1.is_empty());
    }

    #[test]
    fn stale_answers_and_failures_happen() {
        let mut directory = directory(0.3, 0.5);
        for value in 0..20 {
            directory.put(
                Instant::from_micros(u64::from(value) * 20_000),
                true,
                1,
                value,
            );
        }
        let now = Instant::from_micros(1_000_000);
        let answers: Vec<Vec<u32>> = (0..200).map(|_| directory.get(now, true, &1).1).collect();
        let newest = answers.iter().flatten().max().copied().unwrap_or_default();
        assert!(answers.iter().any(Vec::is_empty));
        assert!(
            answers
                .iter()
                .any(|found| found.iter().any(|value| *value < newest))
        );
        assert!(answers.iter().any(|found| found.contains(&newest)));
    }
}

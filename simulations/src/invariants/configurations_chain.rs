//! The replica sets of an object are a chain: each one but the first was sealed by its
//! predecessor, no epoch has two, and no majority goes on in an epoch that was left.
//!
//! Source: design section 6, the configuration is part of the value; Lamport, Malkhi and Zhou,
//! "Vertical Paxos and primary-backup replication" (PODC 2009); design review 1.1 and 1.10.

use std::collections::BTreeMap;

use objects_proto::object::{Configuration, Epoch};

/// The invariant's name in reports.
pub const NAME: &str = "configurations_chain";

/// The sets of one object in strong mode, as processes hold them.
#[derive(Debug, Default)]
pub struct Chain {
    sets: BTreeMap<Epoch, Configuration>,
}

impl Chain {
    /// A set that there was before anybody looked.
    pub fn begin(&mut self, set: &Configuration) {
        self.sets.insert(set.epoch, set.clone());
    }

    /// A process holds a record of this set.
    ///
    /// # Errors
    /// In words, if it is not the successor of a known one, or another one has its epoch.
    pub fn holds(&mut self, set: &Configuration) -> Result<(), String> {
        match self.sets.get(&set.epoch) {
            Some(known) if known == set => return Ok(()),
            Some(known) => return Err(format!("{set:?} and {known:?} have one epoch")),
            None => {}
        }
        if let Some(before) = set.epoch.number.checked_sub(1).filter(|number| *number > 0) {
            let epoch = Epoch {
                number: before,
                ..set.epoch
            };
            let predecessor = self.sets.get(&epoch);
            if !predecessor.is_some_and(|before| follows(set, before)) {
                return Err(format!("{set:?} does not follow from {predecessor:?}"));
            }
        }
        self.sets.insert(set.epoch, set.clone());
        Ok(())
    }

    /// Whether the object has gone on from this epoch.
    #[must_use]
    pub fn is_left(&self, epoch: Epoch) -> bool {
        self.sets
            .keys()
            .next_back()
            .is_some_and(|newest| *newest > epoch)
    }

    /// So many members of `set` hold a value of one ballot that is not sealed.
    ///
    /// # Errors
    /// In words, if they are a majority of a set that was left: a majority has the seal.
    pub fn held_by(&self, set: &Configuration, holders: usize) -> Result<(), String> {
        if holders < set.majority() || !self.is_left(set.epoch) {
            return Ok(());
        }
        Err(format!(
            "{holders} members write in {set:?}, which was left"
        ))
    }
}

/// Whether `set` was sealed by a member of `before`, after what led to that.
fn follows(set: &Configuration, before: &Configuration) -> bool {
    let began = before.seal.map(|seal| seal.version);
    set.seal.is_some_and(|seal| {
        before.process(seal.ballot.member).is_some() && Some(seal.version) > began
    })
}

#[cfg(test)]
mod tests {
    use objects_proto::object::{Ballot, Lineage, Replica, Seal, Version};
    use overlay_proto::{Incarnation, PeerId, ProcessId};

    use super::*;

    fn epoch(number: u64) -> Epoch {
        let lineage = Lineage::default();
        Epoch { lineage, number }
    }

    const fn ballot(member: u8) -> Ballot {
        Ballot { round: 1, member }
    }

    fn set(number: u64, seal: Option<(u8, u64)>) -> Configuration {
        let member = |one| Replica {
            process: ProcessId {
                peer: PeerId([one; 32]),
                incarnation: Incarnation(1),
            },
            stamp: 1,
        };
        Configuration {
            epoch: epoch(number),
            members: [1, 2, 3].map(member).into(),
            forks: Vec::new(),
            seal: seal.map(|(member, version)| Seal {
                ballot: ballot(member),
                version: Version(version),
            }),
        }
    }

    fn chain() -> Chain {
        let mut chain = Chain::default();
        assert_eq!(chain.holds(&set(1, None)), Ok(()));
        assert_eq!(chain.holds(&set(2, Some((0, 5)))), Ok(()));
        chain
    }

    #[test]
    fn each_set_is_sealed_by_the_one_before() {
        assert_eq!(chain().holds(&set(3, Some((2, 6)))), Ok(()));
        assert!(chain().holds(&set(3, None)).is_err());
        assert!(chain().holds(&set(3, Some((3, 6)))).is_err(), "no member");
        assert!(chain().holds(&set(3, Some((0, 5)))).is_err(), "no newer");
        assert!(
            chain().holds(&set(4, Some((0, 6)))).is_err(),
            "one left out"
        );
    }

    #[test]
    fn no_epoch_has_two_sets() {
        assert_eq!(chain().holds(&set(2, Some((0, 5)))), Ok(()));
        assert!(chain().holds(&set(2, Some((1, 5)))).is_err());
    }

    #[test]
    fn nobody_writes_in_a_set_that_was_left() {
        let mut chain = Chain::default();
        let first = set(1, None);
        chain.begin(&first);
        assert_eq!(chain.held_by(&first, 3), Ok(()));
        let second = set(2, Some((0, 5)));
        assert_eq!(chain.holds(&second), Ok(()));
        assert_eq!(chain.held_by(&first, 1), Ok(()), "it does not know");
        assert!(chain.held_by(&first, 2).is_err());
        assert_eq!(chain.held_by(&second, 3), Ok(()));
    }
}

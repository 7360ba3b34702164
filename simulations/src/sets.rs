//! The replica sets of one object as they come and go, and whether the one that holds the
//! object ever lost its majority: then what was acknowledged may be gone, and nothing is judged.

use std::collections::{BTreeMap, BTreeSet};

use objects_proto::object::{Configuration, Epoch, ObjectId};
use overlay_proto::ProcessId;

use crate::kernel::Kernel;
use crate::surroundings::WithObjects;

/// The sets of one object. A set holds the object once a majority of it has installed it; until
/// then its predecessor does. Both must keep their majorities meanwhile.
#[derive(Debug, Default)]
pub struct ReplicaSets {
    sets: BTreeMap<Epoch, Set>,
    majority_lost: bool,
    newest_lost: bool,
}

#[derive(Debug)]
struct Set {
    configuration: Configuration,
    installed: BTreeSet<ProcessId>,
    /// Members that run.
    alive: BTreeSet<ProcessId>,
}

impl ReplicaSets {
    /// A majority of a set is known to have installed the object.
    pub fn established(
        &mut self,
        configuration: &Configuration,
        runs: impl Fn(&ProcessId) -> bool,
    ) {
        if self.know(configuration, runs) {
            self.forget_before(configuration.epoch);
        }
    }

    /// A member of a set has installed the object.
    pub fn installed(
        &mut self,
        configuration: &Configuration,
        member: ProcessId,
        runs: impl Fn(&ProcessId) -> bool,
    ) {
        if !self.know(configuration, runs) {
            return;
        }
        if let Some(set) = self.sets.get_mut(&configuration.epoch)
            && set.installed.insert(member)
            && set.installed.len() >= configuration.majority()
        {
            self.forget_before(configuration.epoch);
        }
    }

    /// Looks what the process on a node has installed of the object.
    pub(crate) fn watch<M: WithObjects, A>(
        &mut self,
        kernel: &Kernel<M, A>,
        node: u32,
        object: &ObjectId,
    ) {
        let (Some(process), Some(machine)) = (kernel.process(node), kernel.machine(node)) else {
            return;
        };
        let replica = machine.objects().replica(object);
        if let Some(replica) = replica.filter(|one| one.is_installed_member()) {
            let runs = |one: &ProcessId| kernel.runs(one);
            self.installed(replica.configuration(), process, runs);
        }
    }

    /// A process ended, and what it held with it.
    pub fn ended(&mut self, process: &ProcessId) {
        for set in self.sets.values_mut() {
            set.alive.remove(process);
            self.majority_lost |= !set.has_majority();
        }
        let newest = self.sets.values().next_back();
        self.newest_lost = newest
            .is_some_and(|set| !set.installed.is_empty() && set.installed.is_disjoint(&set.alive));
    }

    /// The newest set known.
    #[must_use]
    pub fn newest(&self) -> Option<&Configuration> {
        self.sets.values().next_back().map(|set| &set.configuration)
    }

    /// Whether all that have installed the newest set have ended: then what it did is gone.
    #[must_use]
    pub fn newest_lost(&self) -> bool {
        self.newest_lost
    }

    /// Whether a majority of the replicas of the object was lost at one time.
    #[must_use]
    pub fn majority_lost(&self) -> bool {
        self.majority_lost
    }

    /// Whether the set counts, now that it is known.
    fn know(&mut self, configuration: &Configuration, runs: impl Fn(&ProcessId) -> bool) -> bool {
        let epoch = configuration.epoch;
        if self.sets.contains_key(&epoch) {
            return true;
        }
        let oldest = self.sets.keys().next();
        if oldest.is_some_and(|oldest| epoch < *oldest) {
            return false;
        }
        let set = Set {
            alive: configuration.processes().filter(runs).collect(),
            installed: BTreeSet::new(),
            configuration: configuration.clone(),
        };
        self.majority_lost |= !set.has_majority();
        self.sets.insert(epoch, set);
        true
    }

    fn forget_before(&mut self, epoch: Epoch) {
        self.sets = self.sets.split_off(&epoch);
    }
}

impl Set {
    fn has_majority(&self) -> bool {
        self.alive.len() >= self.configuration.majority()
    }
}

#[cfg(test)]
mod tests {
    use objects_proto::object::{Lineage, Replica};
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(number: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn set(number: u64, members: [u8; 3]) -> Configuration {
        let stamp = 1;
        let member = |one| Replica {
            process: process(one),
            stamp,
        };
        Configuration {
            epoch: Epoch {
                lineage: Lineage::default(),
                number,
            },
            members: members.map(member).into(),
            forks: Vec::new(),
            seal: None,
        }
    }

    #[test]
    fn a_set_counts_until_a_majority_of_the_next_one_has_the_object() {
        let all = |_: &ProcessId| true;
        for (installed, lost) in [(1, true), (2, false)] {
            let mut sets = ReplicaSets::default();
            sets.established(&set(1, [1, 2, 3]), all);
            let next = set(2, [4, 5, 6]);
            (4..4 + installed).for_each(|one| sets.installed(&next, process(one), all));
            sets.ended(&process(1));
            assert!(!sets.majority_lost());
            sets.ended(&process(2));
            assert_eq!(sets.majority_lost(), lost, "{installed} have the object");
        }
    }

    #[test]
    fn members_that_ended_before_a_set_was_known_count_as_lost() {
        let mut sets = ReplicaSets::default();
        sets.established(&set(1, [1, 2, 3]), |one| *one == process(1));
        assert!(sets.majority_lost());
    }

    #[test]
    fn what_an_old_set_loses_does_not_count() {
        let all = |_: &ProcessId| true;
        let mut sets = ReplicaSets::default();
        sets.established(&set(2, [4, 5, 6]), all);
        sets.installed(&set(1, [1, 2, 3]), process(3), |_| false);
        (1..=3).for_each(|one| sets.ended(&process(one)));
        assert!(!sets.majority_lost());
    }
}

//! Which turns of events a run has brought about, as the machines' states and events show.

use std::collections::{BTreeMap, BTreeSet};

use objects_proto::execution::{Execution, ExecutionMode, Ran};
use objects_proto::object::{Ballot, Configuration, ObjectId};
use objects_proto::objects::Objects;
use objects_proto::register::Replica;
use overlay_proto::ProcessId;

use super::{ObjectsKernel, Register};
use crate::coverage;

/// A primary's leases, as they were last seen.
#[derive(Clone, Copy, Debug)]
struct LeaseSeen {
    ballot: Ballot,
    held: bool,
    lapsed: bool,
}

/// What is remembered to recognize a turn of events.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// The sets of each object, as their primaries went on with them.
    sets: BTreeMap<ObjectId, Vec<Configuration>>,
    leases: BTreeMap<(ObjectId, ProcessId), LeaseSeen>,
    /// Who is primary of which object, by node.
    primaries: BTreeSet<(u32, usize)>,
}

/// A candidate that has just won.
struct Win {
    sealed: bool,
    /// Members with and without a value whose records name the winner, itself included.
    voters: [usize; 2],
    majority: usize,
    members: Vec<u32>,
}

impl Win {
    fn of(kernel: &ObjectsKernel, replica: &Replica, node: u32) -> Self {
        let (set, object) = (replica.configuration(), replica.object());
        let winner = kernel.process(node);
        let running = set.processes().filter(|member| kernel.runs(member));
        let members: Vec<u32> = running
            .filter_map(|one| kernel.node_of(&one.peer))
            .collect();
        let replicas = members
            .iter()
            .filter_map(|node| kernel.machine(*node)?.replica(&object));
        let promised = replicas.filter(|one| {
            one.believed_primary() == winner && one.configuration().epoch == set.epoch
        });
        let mut voters = [0, 0];
        for replica in promised {
            voters[usize::from(!replica.is_installed_member())] += 1;
        }
        Self {
            sealed: replica.is_sealed(),
            voters,
            majority: set.majority(),
            members,
        }
    }

    fn count(&self, kernel: &mut ObjectsKernel, newer: Option<u32>) {
        let [with_value, promise_only] = self.voters;
        let needed = promise_only > 0 && with_value < self.majority;
        let mixed = newer.is_some_and(|newer| self.members.contains(&newer));
        kernel.count(coverage::SEALED, u64::from(self.sealed));
        kernel.count(coverage::PROMISE_ONLY, u64::from(needed));
        kernel.count(coverage::MIXED_VERSIONS, u64::from(mixed));
    }
}

/// Whether a primary became one by standing, in strong mode: then its ballot is not the first.
fn stood(replica: &Replica) -> bool {
    let ballot = replica.value().map(|(ballot, ..)| ballot);
    !replica.is_weak() && ballot.is_some_and(|ballot| ballot.round > 1)
}

impl Coverage {
    /// All counters stand at zero, so that what was not reached is told too.
    pub(super) fn begin(kernel: &mut ObjectsKernel) {
        for name in coverage::ALL {
            kernel.count(name, 0);
        }
    }

    /// An object goes on in another set.
    pub(super) fn reconfigured(
        &mut self,
        kernel: &mut ObjectsKernel,
        object: ObjectId,
        next: &Configuration,
    ) {
        let sets = self.sets.entry(object).or_default();
        let shares = |set: &Configuration| next.processes().any(|one| set.index_of(&one).is_some());
        if sets.iter().any(|set| !shares(set)) {
            kernel.count(coverage::DISJOINT, 1);
        }
        sets.push(next.clone());
    }

    /// Calls of one object were run.
    pub(super) fn executed(kernel: &mut ObjectsKernel, execution: &Execution, ran: &[Ran]) {
        let changed = |one: &Ran| matches!(one, Ran::Returned { state: Some(_), .. });
        let first = ran.iter().position(changed);
        let last = ran.iter().rposition(changed);
        let (Some(first), Some(last)) = (first, last) else {
            return;
        };
        let between = &ran[first..=last];
        let failed = between.iter().any(|one| matches!(one, Ran::Failed(_)));
        if failed && execution.mode == ExecutionMode::Batch {
            kernel.count(coverage::ERROR_IN_BATCH, 1);
        }
    }

    /// Looks at the leases of the primaries at a node.
    pub(super) fn watch_leases(&mut self, kernel: &mut ObjectsKernel, node: u32, id: ObjectId) {
        let (Some(process), Some(machine)) = (kernel.process(node), kernel.machine(node)) else {
            return;
        };
        let replica = machine.replica(&id).filter(|one| one.is_active());
        let Some((ballot, ..)) = replica.and_then(Replica::value) else {
            self.leases.remove(&(id, process));
            return;
        };
        let held = machine.holds_lease(kernel.clock(node).shows(kernel.now()), &id);
        let fresh = LeaseSeen {
            ballot,
            held,
            lapsed: false,
        };
        let seen = self.leases.entry((id, process)).or_insert(fresh);
        if seen.ballot != ballot {
            *seen = fresh;
        }
        seen.lapsed |= seen.held && !held;
        seen.held = held;
        if held && std::mem::take(&mut seen.lapsed) {
            kernel.count(coverage::LEASE_RETURNED, 1);
        }
    }
}

/// Whether this process is down, or stopped.
fn is_down(kernel: &ObjectsKernel, process: &ProcessId) -> bool {
    let node = kernel.node_of(&process.peer);
    !kernel.runs(process) || node.is_some_and(|node| kernel.paused(node))
}

impl Register {
    /// Has a candidate at this node won?
    pub(super) fn cover_wins(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        for object in 0..self.objects.len() {
            let Some(id) = self.objects[object].reference.as_ref().map(|one| one.id) else {
                continue;
            };
            let replica = kernel.machine(node).and_then(|one| one.replica(&id));
            let won = replica.filter(|one| one.is_primary());
            let Some(replica) = won else {
                self.coverage.primaries.remove(&(node, object));
                continue;
            };
            if self.coverage.primaries.insert((node, object)) && stood(replica) {
                let won = Win::of(kernel, replica, node);
                won.count(kernel, self.newer);
            }
        }
    }

    /// A process ended: was it one of two, or about to enter a set that grows?
    pub(super) fn cover_end(&self, kernel: &mut ObjectsKernel, process: &ProcessId) {
        for object in &self.objects {
            let Some(id) = object.reference.as_ref().map(|one| one.id) else {
                continue;
            };
            let machines = kernel.running().filter_map(|node| kernel.machine(node));
            let replicas = machines.filter_map(|machine| machine.replica(&id));
            let Some(primary) = replicas
                .filter(|one| one.is_active())
                .max_by_key(|one| one.configuration().epoch)
            else {
                continue;
            };
            let set = primary.configuration();
            let others = set.processes().filter(|one| one != process);
            let down = others.filter(|one| is_down(kernel, one)).count();
            let double = down > 0 && set.index_of(process).is_some();
            let grows = set.members.len() < usize::from(self.factor);
            let newcomer = grows && set.index_of(process).is_none();
            let died = newcomer && primary.learners().contains(process);
            if double {
                kernel.count(coverage::DOUBLE_FAILURE, 1);
            }
            if died {
                kernel.count(coverage::NEWCOMER_DIED, 1);
            }
        }
    }

    /// A stopped process goes on: is it a primary that others have replaced?
    pub(super) fn cover_thaw(&self, kernel: &mut ObjectsKernel, node: u32) {
        let ids = self.objects.iter().filter_map(|one| one.reference.as_ref());
        let ids: Vec<ObjectId> = ids.map(|one| one.id).collect();
        let active = |node: u32, id: &ObjectId| {
            let replica = kernel.machine(node)?.replica(id)?;
            let (ballot, ..) = replica.value().filter(|_| replica.is_active())?;
            Some((replica.configuration().epoch, ballot))
        };
        let replaced = |id: &&ObjectId| {
            let mine = active(node, id);
            mine.is_some() && kernel.running().any(|other| active(other, id) > mine)
        };
        let thaws = ids.iter().filter(replaced).count() as u64;
        kernel.count(coverage::THAW, thaws);
    }

    /// Looks at the leases of the primaries at a node.
    pub(super) fn cover_leases(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        for object in 0..self.objects.len() {
            if let Some(id) = self.leased_id(object) {
                self.coverage.watch_leases(kernel, node, id);
            }
        }
    }

    /// How often the rules about forgotten tombstones and about rest came to bear.
    pub(super) fn cover_counted(kernel: &mut ObjectsKernel) {
        let machines = kernel.running().filter_map(|node| kernel.machine(node));
        let counters: Vec<_> = machines.map(Objects::counters).collect();
        for counted in counters {
            kernel.count("tombstones forgotten", counted.tombstones_forgotten);
            kernel.count(coverage::OUTLIVED, counted.sleepers);
            kernel.count(coverage::WOKEN, counted.woken);
        }
    }
}

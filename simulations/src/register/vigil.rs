//! A member sleeps until all others of its set were replaced and have forgotten that they ever
//! were in it; then it wakes and is called.
//!
//! Source: design review 1.1. The others are left out of all views, and a primary among them is
//! cut off, step by step as the object moves: a script by the clock hardly gets there.

use objects_proto::message::Sighting;
use objects_proto::object::ObjectId;
use objects_proto::register::Replica;
use overlay_proto::{Duration, Instant, ProcessId};

use super::journal::WEAK;
use super::{Alarm, ObjectsKernel, Register};
use crate::faults::Fault;
use crate::seed::Dice;
use crate::surroundings::newest_copy;

/// How often it is looked how far the object has come.
const STEP: Duration = Duration::from_millis(300);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(45);
/// Of the sleepers, those that are the primary: they need nobody to tell them to act.
const WRITERS: f64 = 0.8;
/// Hosts that it takes: the set, and as many others.
const HOSTS: usize = 6;
/// Members of the set.
const MEMBERS: usize = 3;

/// A vigil.
#[derive(Debug)]
pub(super) struct Vigil {
    object: usize,
    id: ObjectId,
    sleeper: (u32, ProcessId),
    /// The other members, by node.
    others: Vec<(u32, ProcessId)>,
    /// A primary among them that only clients reach.
    cut: Option<u32>,
    until: Instant,
}

impl Vigil {
    /// Whether everybody is still there, the sleeper asleep, and time is left.
    fn goes_on(&self, kernel: &ObjectsKernel) -> bool {
        let (node, process) = self.sleeper;
        let sleeps = kernel.runs(&process) && kernel.paused(node);
        let live = self.others.iter().all(|(_, one)| kernel.runs(one));
        sleeps && live && kernel.now() < self.until
    }

    /// Whether the object has a set in which there is none of them.
    fn is_replaced(&self, set: &[ProcessId]) -> bool {
        let mut involved = self.others.iter().chain([&self.sleeper]);
        !set.is_empty() && !involved.any(|(_, one)| set.contains(one))
    }

    /// Whether one of them knows of the object.
    fn knows(&self, kernel: &ObjectsKernel, (node, _): &(u32, ProcessId)) -> bool {
        let machine = kernel.machine(*node);
        machine.is_some_and(|one| one.sighting(&self.id) != Sighting::Unknown)
    }
}

impl Register {
    /// Puts a member to sleep, if hosts forget soon and there are enough of them. Whether it
    /// did.
    pub(super) fn begin_vigil(&mut self, kernel: &mut ObjectsKernel, dice: &mut Dice) -> bool {
        let until = kernel.now() + LONGEST;
        let in_time = until < self.ambushed_until();
        let hosts = self.hosting(kernel);
        if self.vigil.is_some() || !self.forgetful || !in_time || hosts.len() < HOSTS {
            return false;
        }
        let object = dice.index(self.objects.len());
        let Some((id, set)) = self.set_of(kernel, object) else {
            return false;
        };
        let mut members: Vec<(u32, ProcessId)> = set
            .iter()
            .filter(|one| hosts.contains(one))
            .filter_map(|one| Some((kernel.node_of(&one.peer)?, *one)))
            .collect();
        if members.len() != MEMBERS || set.len() != MEMBERS {
            return false;
        }
        dice.shuffle(&mut members);
        let writes = |(node, _): &(u32, ProcessId)| {
            let replica = kernel.machine(*node).and_then(|one| one.replica(&id));
            replica.is_some_and(Replica::is_active)
        };
        if dice.chance(WRITERS) {
            members.sort_by_key(writes);
        }
        let Some(sleeper) = members.pop() else {
            return false;
        };
        self.hints.shun(members.iter().map(|(node, _)| *node));
        self.cut_from_hosts(kernel, sleeper.0);
        kernel.fault(Duration::ZERO, Fault::Pause(sleeper.0));
        kernel.alarm(STEP, Alarm::Vigil);
        kernel.count("vigils", 1);
        self.vigil = Some(Vigil {
            object,
            id,
            sleeper,
            others: members,
            cut: None,
            until,
        });
        true
    }

    /// The members of a strong object's newest set.
    fn set_of(&self, kernel: &ObjectsKernel, object: usize) -> Option<(ObjectId, Vec<ProcessId>)> {
        let tracked = self.objects.get(object).filter(|one| one.kind != WEAK)?;
        let id = tracked.reference.as_ref()?.id;
        let set = newest_copy(kernel, &id)?.configuration();
        Some((id, set.processes().collect()))
    }

    /// Does what brings the object on.
    pub(super) fn keep_vigil(&mut self, kernel: &mut ObjectsKernel) {
        let Some(mut vigil) = self.vigil.take() else {
            return;
        };
        if !vigil.goes_on(kernel) {
            return self.end_vigil(kernel, &vigil);
        }
        let set = self.set_of(kernel, vigil.object);
        let set = set.map(|(_, set)| set).unwrap_or_default();
        self.cut_primary(kernel, &mut vigil, &set);
        if vigil.is_replaced(&set) {
            match vigil.others.iter().find(|one| vigil.knows(kernel, one)) {
                Some(other) => self.call_from(kernel, vigil.object, other.0),
                None => {
                    kernel.count("vigils kept", 1);
                    return self.end_vigil(kernel, &vigil);
                }
            }
        }
        kernel.alarm(STEP, Alarm::Vigil);
        self.vigil = Some(vigil);
    }

    /// Cuts off the last of the others, if it is the primary, until it is replaced.
    fn cut_primary(&mut self, kernel: &mut ObjectsKernel, vigil: &mut Vigil, set: &[ProcessId]) {
        let mut left = vigil.others.iter().filter(|(_, one)| set.contains(one));
        let (Some((node, _)), None) = (left.next(), left.next()) else {
            if let (true, Some(cut)) = (vigil.is_replaced(set), vigil.cut.take()) {
                self.mend_with_hosts(kernel, cut);
            }
            return;
        };
        let replica = kernel.machine(*node).and_then(|one| one.replica(&vigil.id));
        if vigil.cut.is_none() && replica.is_some_and(Replica::is_active) {
            vigil.cut = Some(*node);
            self.cut_from_hosts(kernel, *node);
            let heirs = set
                .iter()
                .filter(|one| vigil.others.iter().all(|(_, old)| old != *one));
            let heir = heirs.filter_map(|one| kernel.node_of(&one.peer)).next();
            heir.into_iter()
                .for_each(|node| self.call_from(kernel, vigil.object, node));
        }
    }

    /// The sleeper wakes, and clients there call the object.
    fn end_vigil(&mut self, kernel: &mut ObjectsKernel, vigil: &Vigil) {
        self.hints.shun([]);
        vigil
            .cut
            .into_iter()
            .for_each(|node| self.mend_with_hosts(kernel, node));
        self.mend_with_hosts(kernel, vigil.sleeper.0);
        kernel.fault(Duration::ZERO, Fault::Resume(vigil.sleeper.0));
        self.call_from(kernel, vigil.object, vigil.sleeper.0);
    }

    fn cut_from_hosts(&self, kernel: &mut ObjectsKernel, node: u32) {
        let pairs = self.pairs_with_hosts(node);
        kernel.fault(Duration::ZERO, Fault::Cut(pairs));
    }

    fn mend_with_hosts(&self, kernel: &mut ObjectsKernel, node: u32) {
        let pairs = self.pairs_with_hosts(node);
        kernel.fault(Duration::ZERO, Fault::Mend(pairs));
    }
}

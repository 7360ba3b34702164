//! An object of which one member hears of first by a candidate's prepare, while its primary and
//! the candidate do not hear each other.
//!
//! Source: the trace of design review 1.2. The candidate wins with the promise of the member that
//! holds no value; then the primary ships to that member, and only its promise forbids the vote.

use objects_proto::register::Replica;
use overlay_proto::{Duration, ProcessId};

use super::journal::WEAK;
use super::{Alarm, ObjectsKernel, Register};
use crate::faults::Fault;
use crate::seed::Dice;

/// Share of the objects that are made so, where there are ambushes.
const SHARE: f64 = 0.25;
/// How long the candidate has to win.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long the primary then ships to the member alone, milliseconds.
const ALONE: [u64; 2] = [800, 2_500];

/// An object that is being made so, by node.
#[derive(Clone, Copy, Debug)]
pub(super) struct HalfMade {
    object: usize,
    creator: u32,
    primary: u32,
    candidate: u32,
    /// Who hears of it first by the candidate.
    late: u32,
}

impl HalfMade {
    /// What does not arrive until the candidate has won.
    fn before(&self) -> Vec<(u32, u32)> {
        let Self {
            creator,
            primary,
            late,
            ..
        } = *self;
        vec![(creator, late), (primary, late)]
    }

    /// What does not arrive all the time.
    fn throughout(&self) -> Vec<(u32, u32)> {
        let (primary, candidate) = (self.primary, self.candidate);
        vec![(primary, candidate), (candidate, primary)]
    }
}

impl Register {
    /// Prepares to make an object so: who makes it, and its members.
    pub(super) fn begin_half(
        &mut self,
        kernel: &mut ObjectsKernel,
        object: usize,
        dice: &mut Dice,
    ) -> Option<(u32, Vec<ProcessId>)> {
        let strong = self.objects[object].kind != WEAK && self.factor == 3;
        let drawn = dice.chance(SHARE) && self.ambushes.is_some();
        if !strong || !drawn || self.half.is_some() || self.healed_at.is_some() {
            return None;
        }
        let mut hosts = self.hosting(kernel);
        dice.shuffle(&mut hosts);
        let [primary, candidate, late, creator, ..] = hosts[..] else {
            return None;
        };
        let node = |process: ProcessId| kernel.node_of(&process.peer);
        let half = HalfMade {
            object,
            creator: node(creator)?,
            primary: node(primary)?,
            candidate: node(candidate)?,
            late: node(late)?,
        };
        kernel.fault(Duration::ZERO, Fault::Cut(half.before()));
        kernel.fault(Duration::ZERO, Fault::Cut(half.throughout()));
        kernel.alarm(PATIENCE, Alarm::HalfMade(object));
        self.half = Some(half);
        Some((half.creator, vec![primary, candidate, late]))
    }

    /// The object is there: clients where the candidate is find its primary silent.
    pub(super) fn half_made(&mut self, kernel: &ObjectsKernel, object: usize) {
        if let Some(half) = self.half.filter(|half| half.object == object) {
            self.call_from(kernel, object, half.candidate);
        }
    }

    /// Whether the candidate has won: then the primary reaches the late member, alone, and
    /// clients are where the primary is.
    pub(super) fn watch_half(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        let Some(half) = self.half.filter(|half| half.candidate == node) else {
            return;
        };
        let id = self.objects[half.object].reference.as_ref();
        let replica = id.and_then(|one| kernel.machine(node)?.replica(&one.id));
        if !replica.is_some_and(Replica::is_primary) {
            return;
        }
        self.half = None;
        let alone = Duration::from_millis(self.dice.between(ALONE[0], ALONE[1]));
        let lost = vec![(half.candidate, half.late)];
        kernel.fault(Duration::ZERO, Fault::Cut(lost.clone()));
        kernel.fault(Duration::ZERO, Fault::Mend(half.before()));
        kernel.fault(alone, Fault::Mend(lost));
        kernel.fault(alone, Fault::Mend(half.throughout()));
        self.call_from(kernel, half.object, half.primary);
        kernel.count("members reached by a candidate first", 1);
    }

    /// The candidate has not won in time.
    pub(super) fn give_half_up(&mut self, kernel: &mut ObjectsKernel, object: usize) {
        if let Some(half) = self.half.take_if(|half| half.object == object) {
            kernel.fault(Duration::ZERO, Fault::Mend(half.before()));
            kernel.fault(Duration::ZERO, Fault::Mend(half.throughout()));
        }
    }
}

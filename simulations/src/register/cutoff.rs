//! Faults aimed at the members of an object of any kind: a primary that only clients reach, for
//! long enough that it is replaced and answers what it must not; a member that sleeps while all
//! others are replaced.

use objects_proto::register::Replica;
use overlay_proto::Duration;

use super::journal::WEAK;
use super::{Alarm, ObjectsKernel, Register};
use crate::faults::Fault;
use crate::seed::Dice;

/// Share of the aimed faults that begin a vigil, where one can be kept.
const VIGILS: f64 = 0.8;
/// Share of the other aimed faults that put a member to sleep.
const SLEEPERS: f64 = 0.25;
/// A primary in weak mode executes nothing any more when it heard nobody for 10 s; what was under
/// way may be heard for 20 s more.
const ISOLATION: [u64; 2] = [32_000, 40_000];
/// Others are replaced within seconds.
const OUTAGE: [u64; 2] = [2_000, 7_000];
/// How long a member is cut off, and its successor learns the object.
const REPLACED: Duration = Duration::from_secs(11);
/// What of that its successor has for itself.
const GAP: Duration = Duration::from_secs(2);
/// How long a member sleeps meanwhile.
const SLEEP: Duration = Duration::from_secs(29);

impl Register {
    /// Aims a fault, and plans the next one.
    pub(super) fn aim(&mut self, kernel: &mut ObjectsKernel) {
        let mut dice = kernel.seed().child("cut-off").nth(self.names).dice();
        if dice.chance(VIGILS) && self.begin_vigil(kernel, &mut dice) {
            // It has its own script.
        } else if dice.chance(SLEEPERS) {
            self.let_a_member_sleep(kernel, &mut dice);
        } else {
            self.cut_some_primary_off(kernel, &mut dice);
        }
        if let Some(after) = self.ambush_pause() {
            kernel.alarm(after * 2, Alarm::CutOff);
        }
    }

    /// Cuts some primary off, unless faults end before it comes back.
    fn cut_some_primary_off(&mut self, kernel: &mut ObjectsKernel, dice: &mut Dice) {
        let object = dice.index(self.objects.len());
        let Some(id) = self.objects[object].reference.as_ref().map(|one| one.id) else {
            return;
        };
        let is_primary = |node: &u32| {
            let machine = kernel.machine(*node).filter(|_| !kernel.paused(*node));
            let replica = machine.and_then(|machine| machine.replica(&id));
            replica.is_some_and(Replica::is_active)
        };
        let Some(primary) = kernel.running().find(is_primary) else {
            return;
        };
        let [low, high] = if self.objects[object].kind == WEAK {
            ISOLATION
        } else {
            OUTAGE
        };
        let outage = Duration::from_millis(dice.between(low, high));
        if kernel.now() + outage >= self.ambushed_until() {
            return;
        }
        let pairs = self.pairs_with_hosts(primary);
        kernel.fault(Duration::ZERO, Fault::Cut(pairs.clone()));
        kernel.fault(outage, Fault::Mend(pairs));
        kernel.count("primaries cut off", 1);
    }

    /// A member sleeps while the others are replaced one after the other, and wakes when they
    /// have perhaps forgotten that they ever were in its set.
    fn let_a_member_sleep(&mut self, kernel: &mut ObjectsKernel, dice: &mut Dice) {
        let object = dice.index(self.objects.len());
        let reference = self.objects[object].reference.as_ref();
        let Some(set) = reference.and_then(|one| one.configuration.clone()) else {
            return;
        };
        let running = set.processes().filter(|member| kernel.runs(member));
        let mut members: Vec<u32> = running
            .filter_map(|member| kernel.node_of(&member.peer))
            .collect();
        dice.shuffle(&mut members);
        let (Some((sleeper, others)), true) = (
            members.split_first(),
            kernel.now() + SLEEP < self.ambushed_until(),
        ) else {
            return;
        };
        kernel.fault(Duration::ZERO, Fault::Pause(*sleeper));
        kernel.fault(SLEEP, Fault::Resume(*sleeper));
        for (turn, other) in (0_u32..).zip(others) {
            let pairs = self.pairs_with_hosts(*other);
            kernel.fault(REPLACED * turn, Fault::Cut(pairs.clone()));
            kernel.fault(REPLACED * (turn + 1) - GAP, Fault::Mend(pairs));
        }
        kernel.count("members put to sleep", 1);
    }
}

//! The end of a run: where each name leads to, and who still holds what has no name.

use objects_proto::call::TIMEOUT_DEFAULT;
use objects_proto::object::ObjectId;
use objects_proto::objects::Objects;
use overlay_proto::Duration;

use super::contests::Contest;
use super::jobs::Job;
use super::{Alarm, Naming, NamingKernel, ROOT};
use crate::invariants::no_orphans::{Excuse, Left};
use crate::invariants::{names_unique, no_orphans};

/// How long the last lookups and inspections may take; that of a call.
const AUDIT_TIMEOUT: Duration = TIMEOUT_DEFAULT;

impl Naming {
    /// Looks every name up, and asks for every object.
    pub(super) fn audit(&mut self, kernel: &mut NamingKernel) {
        let somebody = kernel.running().next();
        let process = somebody.and_then(|node| kernel.process(node));
        if let Some(life) = process.and_then(|process| self.lives.get_mut(&process)) {
            for number in 0..self.contests.len() {
                life.look(number, Contest::name(number));
            }
            for made in self.made.values() {
                life.inspect(made.reference.clone(), AUDIT_TIMEOUT);
            }
        }
        process.into_iter().for_each(|one| self.poll(kernel, one));
        kernel.alarm(AUDIT_TIMEOUT + Duration::from_secs(1), Alarm::Judge);
    }

    pub(super) fn judge(&mut self, kernel: &mut NamingKernel) {
        let makes = |job: &Job| matches!(job, Job::Make(_));
        let mut tasks = self.lives.values().flat_map(|life| &life.tasks);
        if let Some(task) = tasks.find(|task| makes(&task.job)) {
            let detail = format!("{:?} has no end", task.job);
            kernel.violate("every_call_ends", detail);
        }
        if self.root_sets.majority_lost() {
            kernel.count("directories lost", 1);
            return;
        }
        for (number, contest) in self.contests.iter().enumerate() {
            let Some(leads_to) = contest.leads_to else {
                let detail = format!("{} cannot be looked up", Contest::name(number));
                kernel.violate("serves_after_heal", detail);
                return;
            };
            let resolved = self.unique.resolves(&Contest::name(number), leads_to);
            kernel.check(names_unique::NAME, resolved);
            kernel.count("names judged", 1);
        }
        self.judge_objects(kernel);
    }

    fn judge_objects(&self, kernel: &mut NamingKernel) {
        for (object, made) in &self.made {
            if self.contests[made.contest].leads_to == Some(Some(*object)) {
                continue;
            }
            let lost = made.sets.majority_lost().then_some(Excuse::MajorityLost);
            let holders = holders(kernel, object);
            let excuse = made.excuse.or(lost);
            match no_orphans::check(*object, holders, made.end.as_ref(), excuse) {
                Ok(Left::Nothing) => kernel.count("objects without a name deleted", 1),
                Ok(Left::Copies(copies)) => {
                    kernel.count("objects without a name deleted", 1);
                    kernel.count("copies of deleted objects", copies as u64);
                }
                Ok(Left::Object(excuse)) => kernel.count(counter(excuse), 1),
                Err(detail) => kernel.violate(no_orphans::NAME, detail),
            }
        }
        let known = |object: &ObjectId| *object == ROOT || self.made.contains_key(object);
        let replicas = kernel
            .running()
            .filter_map(|node| kernel.machine(node))
            .flat_map(Objects::replicas);
        let unknown = replicas.filter(|(object, _)| !known(object)).count();
        kernel.count("replicas of creations that failed", unknown as u64);
    }
}

fn holders(kernel: &NamingKernel, object: &ObjectId) -> usize {
    let machines = kernel.running().filter_map(|node| kernel.machine(node));
    machines
        .filter(|machine| machine.replica(object).is_some())
        .count()
}

const fn counter(excuse: Excuse) -> &'static str {
    match excuse {
        Excuse::CreatorEnded => "orphans whose creator ended",
        Excuse::CallerTold => "orphans that the caller knows of",
        Excuse::MajorityLost => "orphans without a majority",
    }
}

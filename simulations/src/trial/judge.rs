//! The end of a trial: the promises, and the user's invariants.

use objects_proto::object::ObjectId;
use objects_proto::register::Replica;
use overlay_proto::{Duration, ProcessId};

use super::ledger::Opaque;
use super::life::Job;
use super::marks::without_log;
use super::world::{Alarm, TrialKernel, TrialWorld, Watched};
use crate::oracle::{Anomaly, CallId};
use crate::surroundings::newest_copy;
use crate::witness;

/// How long the invariants may take.
pub(super) const INVARIANTS_TIMEOUT: Duration = Duration::from_secs(30);

impl TrialWorld {
    pub(super) fn audit(&mut self, kernel: &mut TrialKernel) {
        kernel.alarm(INVARIANTS_TIMEOUT, Alarm::Judge);
        let process: Option<ProcessId> = kernel
            .running()
            .next()
            .and_then(|node| kernel.process(node));
        let life = process.and_then(|process| self.lives.get_mut(&process));
        let (Some(life), Some(stage)) = (life, &self.stage) else {
            return;
        };
        for (number, (_, invariant)) in self.program.invariants.iter().enumerate() {
            let checking = invariant(life.client.clone(), stage.clone());
            life.begin(Job::Invariant(number), checking);
        }
        process.into_iter().for_each(|one| self.poll(kernel, one));
    }

    pub(super) fn judge(&mut self, kernel: &mut TrialKernel) {
        if self.stage.is_none() {
            kernel.violate("setup", "the setup has no end");
            return;
        }
        let mut jobs = self.lives.values().flat_map(|life| life.jobs());
        if let Some(Job::Round(number)) = jobs.find(|job| matches!(job, Job::Round(_))) {
            let detail = format!("a round of client {number} has no end");
            kernel.violate("every_call_ends", detail);
        }
        drop(jobs);
        let lost = self.objects.values().filter(|one| one.sets.majority_lost());
        let lost = lost.count();
        kernel.count("objects", self.objects.len() as u64);
        kernel.count("objects whose majority was lost", lost as u64);
        let (calls, returned) = {
            let ledger = self.books.ledger();
            if let Some(anomaly) = ledger.anomaly() {
                kernel.violate(anomaly.property, anomaly.detail.clone());
            }
            (ledger.len(), ledger.returned())
        };
        kernel.count("calls", calls as u64);
        kernel.count("calls returned", returned as u64);
        self.judge_objects(kernel);
        if lost == 0 {
            self.judge_invariants(kernel);
        } else {
            kernel.count(
                "invariants not judged",
                self.program.invariants.len() as u64,
            );
        }
    }

    fn judge_objects(&self, kernel: &mut TrialKernel) {
        for (object, watched) in &self.objects {
            if watched.sets.majority_lost() {
                continue;
            }
            let newest = newest_copy(kernel, object).and_then(Replica::value);
            let marked = newest.and_then(|(.., value)| without_log(&value.state));
            let Some((_, log)) = marked else {
                let detail = format!("{} has no primary", watched.name());
                kernel.violate("serves_after_heal", detail);
                return;
            };
            if let Err(anomaly) = self.promises(object, watched, &log) {
                let detail = format!("{}: {}", watched.name(), anomaly.detail);
                kernel.violate(anomaly.property, detail);
                return;
            }
        }
    }

    fn promises(&self, id: &ObjectId, watched: &Watched, log: &[CallId]) -> Result<(), Anomaly> {
        let history = self.books.ledger().history(id);
        if !watched.made.strong {
            // Who ran it is not recorded here.
            return history.check_line(log, |_| true);
        }
        history.check_effects(log)?;
        let history = if watched.made.current {
            history
        } else {
            history.only(|call| call.write)
        };
        witness::check(&Opaque, &history, log)
    }

    fn judge_invariants(&self, kernel: &mut TrialKernel) {
        for (number, (name, _)) in self.program.invariants.iter().enumerate() {
            match self.checked.get(&number) {
                Some(Ok(())) => kernel.count("invariants judged", 1),
                Some(Err(detail)) => kernel.violate("invariant", format!("{name}: {detail}")),
                None => kernel.violate("serves_after_heal", format!("`{name}` has no end")),
            }
        }
    }
}

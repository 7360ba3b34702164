//! Makes a failing run smaller: the same seed with fewer nodes, fewer faults and an earlier
//! heal, such that the same invariant is violated.
//!
//! The faults are reduced by delta debugging (Zeller & Hildebrandt 2002).

use crate::overrides::{Numbers, Overrides};
use crate::report::Report;
use crate::run::Plan;

/// A smaller run that fails in the same way.
#[derive(Debug)]
pub struct Shrunk {
    /// What to run.
    pub plan: Plan,
    /// What comes of it, with the last events.
    pub report: Report,
    /// Faults before and after.
    pub faults: [usize; 2],
    /// Runs that it took.
    pub runs: u32,
}

/// Makes the run of this seed smaller in at most `runs_max` runs. `None` if it does not fail.
pub fn shrink(plan: &Plan, seed: u64, runs_max: u32, mut tell: impl FnMut(&str)) -> Option<Shrunk> {
    let report = plan.run_plainly(seed);
    let invariant = report.failure.as_ref()?.invariant;
    let before = plan.outages(seed).len();
    let mut search = Search {
        seed,
        invariant,
        best: plan.clone(),
        report,
        runs: 1,
        runs_max,
    };
    search.fewer_nodes();
    tell(&format!("{} nodes", search.report.nodes));
    search.earlier_heal();
    search.fewer_faults();
    search.earlier_heal();
    search.drop_heal();
    let after = search.best.outages(seed).len();
    tell(&format!("{after} of {before} faults"));
    Some(Shrunk {
        report: search.best.run(seed),
        plan: search.best,
        faults: [before, after],
        runs: search.runs,
    })
}

struct Search {
    seed: u64,
    invariant: &'static str,
    best: Plan,
    report: Report,
    runs: u32,
    runs_max: u32,
}

impl Search {
    /// Takes these values if the run with them fails in the same way.
    fn accept(&mut self, overrides: Overrides) -> bool {
        if self.runs >= self.runs_max || overrides == self.best.overrides {
            return false;
        }
        self.runs += 1;
        let plan = self.best.with(overrides);
        let report = plan.run_plainly(self.seed);
        let same = report.failure.as_ref().map(|failure| failure.invariant) == Some(self.invariant);
        if same {
            (self.best, self.report) = (plan, report);
        }
        same
    }

    /// Tries the smallest numbers of nodes first; half of them at most, evenly chosen.
    fn fewer_nodes(&mut self) {
        let nodes = self.report.nodes;
        if self.best.overrides.faults.is_some() || nodes <= 2 {
            return;
        }
        let step = nodes.div_ceil(16) as usize;
        for fewer in (2..nodes).step_by(step) {
            let mut overrides = self.best.overrides.clone();
            overrides.peers = Some(fewer);
            if self.accept(overrides) {
                return;
            }
        }
    }

    /// Tries to heal right after the last fault began, after it, or when the violation was seen.
    fn earlier_heal(&mut self) {
        let Some(at) = self.report.failure.as_ref().map(|failure| failure.at_ms) else {
            return;
        };
        let outages = self.best.outages(self.seed);
        let ms = |at: overlay_proto::Instant| at.as_micros() / 1_000 + 1;
        let begun = outages.iter().map(|outage| ms(outage.from)).max();
        let ended = outages.iter().map(|outage| ms(outage.until)).max();
        let heals = ms(self.best.scenario().heal_at());
        let mut tries: Vec<u64> = [begun, ended, Some(at + 1)].into_iter().flatten().collect();
        tries.sort_unstable();
        for until in tries.into_iter().filter(|until| *until + 1 < heals) {
            let mut overrides = self.best.overrides.clone();
            overrides.until = Some(until);
            if self.accept(overrides) {
                return;
            }
        }
    }

    /// Tries whether the earlier heal is of any use.
    fn drop_heal(&mut self) {
        let mut overrides = self.best.overrides.clone();
        if self.report.failure.as_ref().map(|failure| failure.at_ms) < overrides.until {
            overrides.until = None;
            self.accept(overrides);
        }
    }

    fn fewer_faults(&mut self) {
        let mut kept = self.numbers();
        if self.keep(Vec::new()) {
            return;
        }
        let mut parts = 2;
        while kept.len() > 1 && self.runs < self.runs_max {
            let size = kept.len().div_ceil(parts);
            let chunks: Vec<Vec<usize>> = kept.chunks(size).map(<[usize]>::to_vec).collect();
            let without = |chunk: &Vec<usize>| -> Vec<usize> {
                let others = kept.iter().filter(|number| !chunk.contains(number));
                others.copied().collect()
            };
            let tries = chunks.iter().cloned().chain(chunks.iter().map(without));
            let tries: Vec<Vec<usize>> = tries.filter(|one| one.len() < kept.len()).collect();
            match tries.into_iter().find(|one| self.keep(one.clone())) {
                Some(fewer) => {
                    parts = if fewer.len() <= size {
                        2
                    } else {
                        (parts - 1).max(2)
                    };
                    kept = fewer;
                }
                None if size == 1 => return,
                None => parts = (parts * 2).min(kept.len()),
            }
        }
    }

    /// The numbers of the faults that are left, as they were drawn.
    fn numbers(&self) -> Vec<usize> {
        match &self.best.overrides.faults {
            Some(Numbers(numbers)) => numbers.clone(),
            None => {
                let outages = self.best.outages(self.seed);
                outages.iter().map(|outage| outage.number).collect()
            }
        }
    }

    fn keep(&mut self, numbers: Vec<usize>) -> bool {
        let mut overrides = self.best.overrides.clone();
        overrides.faults = Some(Numbers(numbers));
        self.accept(overrides)
    }
}

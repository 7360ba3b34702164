//! The faults of a plan as outages with numbers, so that a run can be given fewer of them.

use std::collections::BTreeSet;
use std::fmt;

use overlay_proto::Instant;

use crate::faults::{Fault, FaultPlan};

/// A fault and what ends it. Its number is its place among the outages of the plan as drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// Its number, from 0 in order of time.
    pub number: usize,
    /// When it begins.
    pub from: Instant,
    /// When it ends; the heal ends it if nothing else does.
    pub until: Instant,
    /// What happens.
    pub fault: Fault,
    /// Places in the plan of its begin and its end.
    places: [Option<usize>; 2],
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |at: Instant| at.as_micros() as f64 / 1e6;
        let (from, until) = (seconds(self.from), seconds(self.until));
        write!(f, "{:>3}  {from:>9.3} s to {until:>9.3} s  ", self.number)?;
        match &self.fault {
            Fault::Crash { node, machine } => {
                let what = if *machine { "machine" } else { "process" };
                write!(f, "the {what} of node {node} dies")
            }
            Fault::Pause(node) => write!(f, "node {node} is stopped"),
            Fault::Leave(node) => write!(f, "node {node} leaves"),
            Fault::Cut(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(a, b)| format!("{a}>{b}")).collect();
                write!(f, "cut {}", pairs.join(" "))
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl FaultPlan {
    /// The outages of this plan, in order of time.
    #[must_use]
    pub fn outages(&self) -> Vec<Outage> {
        let heal = self.faults.last().map_or(Instant::ZERO, |(at, _)| *at);
        let mut taken = BTreeSet::new();
        let mut outages = Vec::new();
        for (place, (from, fault)) in self.faults.iter().enumerate() {
            let Some(ends) = end_of(fault) else { continue };
            let later = self.faults.iter().enumerate().skip(place + 1);
            let end = later
                .filter(|(place, (_, fault))| *fault == ends && !taken.contains(place))
                .map(|(place, (at, _))| (place, *at))
                .next();
            taken.extend(end.map(|(place, _)| place));
            outages.push(Outage {
                number: outages.len(),
                from: *from,
                until: end.map_or(heal, |(_, at)| at),
                fault: fault.clone(),
                places: [Some(place), end.map(|(place, _)| place)],
            });
        }
        outages
    }

    /// The same plan with only the outages that have these numbers.
    #[must_use]
    pub fn only(mut self, numbers: &[usize]) -> Self {
        let outages = self.outages();
        let dropped = outages
            .iter()
            .filter(|outage| !numbers.contains(&outage.number));
        let places: BTreeSet<usize> = dropped.flat_map(|one| one.places).flatten().collect();
        let mut place = 0..;
        self.faults
            .retain(|_| place.next().is_some_and(|place| !places.contains(&place)));
        self
    }

    /// The same plan, healed at this time already: what would happen later does not.
    #[must_use]
    pub fn healed_at(mut self, heal: Instant) -> Self {
        self.faults.retain(|(at, _)| *at < heal);
        self.faults.push((heal, Fault::Heal));
        self
    }
}

/// What ends a fault that begins an outage.
fn end_of(fault: &Fault) -> Option<Fault> {
    match fault {
        Fault::Crash { node, .. } | Fault::Leave(node) => Some(Fault::Start(*node)),
        Fault::Pause(node) => Some(Fault::Resume(*node)),
        Fault::Cut(pairs) => Some(Fault::Mend(pairs.clone())),
        Fault::Start(_) | Fault::Resume(_) | Fault::Mend(_) | Fault::Heal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::seed::Seed;

    fn plan(seed: u64) -> FaultPlan {
        let scenario = Scenario::named("register").unwrap();
        FaultPlan::draw(Seed::new(seed), &scenario.fault_space(8))
    }

    #[test]
    fn every_fault_belongs_to_one_outage() {
        for seed in 0..100 {
            let plan = plan(seed);
            let outages = plan.outages();
            assert_eq!(plan.faults.len(), 2 * outages.len() + 1, "and the heal");
            assert!(outages.iter().all(|outage| outage.from <= outage.until));
            let all: Vec<usize> = (0..outages.len()).collect();
            assert_eq!(plan.clone().only(&all), plan);
            assert_eq!(plan.only(&[]).faults.len(), 1);
        }
    }

    #[test]
    fn what_is_kept_happens_when_it_did() {
        let plan = (0..).map(plan).find(|plan| plan.outages().len() > 4);
        let plan = plan.unwrap();
        let kept = plan.clone().only(&[1, 3]).outages();
        let before = plan.outages();
        for (now, then) in kept.iter().zip([&before[1], &before[3]]) {
            assert_eq!((now.from, now.until), (then.from, then.until));
            assert_eq!(now.fault, then.fault);
        }
        let heal = before[2].until;
        let early = plan.healed_at(heal);
        assert!(early.faults.iter().all(|(at, _)| *at <= heal));
        assert!(matches!(early.faults.last(), Some((_, Fault::Heal))));
    }
}

//! Mutants: each rule of the cores broken on purpose, and whether the sweep notices. A mutant
//! that survives says that the tests do not look where that rule matters.
//!
//! Source: DeMillo, Lipton and Sayward, "Hints on test data selection" (1978).

use std::fmt;

use serde::Serialize;

use crate::mutant::Mutant;
use crate::run::Plan;
use crate::scenario::{Scenario, ScenarioError};

/// Seeds within which a mutant must be noticed.
pub const SEEDS_MAX: u64 = 1_000;

/// Whether a mutant was noticed, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The mutant's name.
    pub name: String,
    /// Whether it was noticed.
    pub caught: bool,
    /// Seeds that were run until then, or in all.
    pub seeds: u64,
    /// The scenario.
    pub scenario: &'static str,
    /// The core test that notices it, where no scenario does.
    pub left_to: Option<&'static str>,
    /// The invariant that did not hold.
    pub invariant: Option<&'static str>,
}

/// Runs seeds from 0 on, `jobs` at a time, until one notices the mutant.
///
/// # Errors
/// [`ScenarioError`], if a scenario that comes with the package cannot be read.
pub fn judge(mutant: Mutant, seeds: u64, jobs: usize) -> Result<Verdict, ScenarioError> {
    let scenario = mutant.scenario();
    let mut plan = Plan::new(scenario, Scenario::named(scenario)?);
    plan.mutant = Some(mutant);
    let mut first: Option<(u64, &'static str)> = None;
    let seeds = if mutant.left_to().is_some() { 0 } else { seeds };
    plan.sweep(0, seeds, jobs, |report| {
        if let Some(failure) = report.failure {
            let found = (report.seed, failure.invariant);
            first = Some(first.map_or(found, |before| before.min(found)));
        }
        first.is_none()
    });
    Ok(Verdict {
        name: mutant.name(),
        caught: first.is_some(),
        seeds: first.map_or(seeds, |(seed, _)| seed + 1),
        scenario,
        left_to: mutant.left_to(),
        invariant: first.map(|(_, invariant)| invariant),
    })
}

impl Verdict {
    /// Whether something notices the mutant.
    #[must_use]
    pub const fn is_noticed(&self) -> bool {
        self.caught || self.left_to.is_some()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seeds, .. } = self;
        match self.invariant {
            Some(invariant) => write!(f, "{name:<22} caught   {seeds:>5}  {invariant}"),
            None => match self.left_to {
                Some(test) => write!(f, "{name:<22} left to         {test}"),
                None => write!(f, "{name:<22} SURVIVED {seeds:>5}"),
            },
        }
    }
}

//! Names made by several nodes at once: one object each time, whatever happens meanwhile.

use std::collections::BTreeMap;

use simulations::invariants::{names_unique, no_orphans};
use simulations::names::{self, Mutant};
use simulations::run::Plan;
use simulations::scenario::Scenario;
use simulations::seed::Seed;

/// Seeds of four names each.
const SEEDS: u64 = 250;

#[test]
fn a_thousand_names_made_at_one_moment_are_one_object_each() {
    let plan = Plan::new("names", Scenario::named("names").unwrap());
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failed = None;
    plan.sweep(0, SEEDS, 2, |report| {
        for (counter, count) in &report.counters {
            *totals.entry(counter).or_default() += count;
        }
        if report.failure.is_some() {
            failed.get_or_insert(report);
        }
        failed.is_none()
    });
    if let Some(failed) = failed {
        panic!("\n{failed}");
    }
    let total = |counter: &str| totals.get(counter).copied().unwrap_or_default();
    assert_eq!(total("names contested"), 4 * SEEDS);
    for (counter, least) in [
        ("names judged", 900),
        ("names won", 900),
        // Two of three creators make an object of their own and lose it to the first one.
        ("names lost in the race", 1_000),
        ("names found", 100),
        ("creators that ended", 10),
        ("objects without a name deleted", 1_000),
        ("takeovers", 100),
    ] {
        let count = total(counter);
        assert!(count >= least, "only {count} {counter}: {totals:#?}");
    }
}

/// The invariant that the first failure violates, within this many seeds.
fn caught(mutant: Mutant, seeds: u64) -> &'static str {
    let scenario = Scenario::named("names").unwrap();
    let violated = (0..seeds).find_map(|number| {
        let seed = Seed::new(number).child("names");
        let nodes = scenario.draw_nodes(seed);
        let world = names::run(&scenario, nodes, seed, 0, Some(mutant));
        let violation = world.kernel.violation().cloned();
        violation.inspect(|one| println!("{mutant:?}: seed {number}: {one}"))
    });
    let violation = violated.unwrap_or_else(|| panic!("{mutant:?} survived {seeds} seeds"));
    violation.invariant
}

#[test]
fn a_binding_that_does_not_compare_is_caught() {
    assert_eq!(caught(Mutant::LastWriterWins, 20), names_unique::NAME);
}

#[test]
fn losers_that_keep_their_objects_are_caught() {
    assert_eq!(caught(Mutant::LosersKeep, 20), no_orphans::NAME);
}

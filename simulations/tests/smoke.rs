//! The smoke scenario, and 500 seeds of each core.

use simulations::run::Plan;
use simulations::scenario::Scenario;

/// Runs seeds of a scenario, in which these things must have happened, besides faults.
fn sweep(name: &str, seeds: u64, reached: &[&str]) {
    let plan = Plan::new(name, Scenario::named(name).unwrap());
    let mut reports = Vec::new();
    plan.sweep(0, seeds, 2, |report| {
        reports.push(report);
        reports
            .last()
            .is_some_and(|report| report.failure.is_none())
    });
    if let Some(failed) = reports.iter().find(|report| report.failure.is_some()) {
        panic!("\n{failed}");
    }
    assert_eq!(reports.len() as u64, seeds);
    for needed in ["crashes", "pauses", "leaves"].iter().chain(reached) {
        let total: u64 = reports
            .iter()
            .filter_map(|report| report.counters.get(*needed))
            .sum();
        assert!(total > seeds / 10, "only {total} {needed} in {seeds} seeds");
    }
}

#[test]
fn smoke() {
    sweep("smoke", 20, &[]);
}

#[test]
fn membership() {
    sweep("membership", 500, &[]);
}

#[test]
fn register() {
    let reached = ["deltas", "replays", "replays that differed", "expired"];
    sweep("register", 300, &reached);
}

#[test]
fn replication() {
    let reached = ["cuts", "takeovers", "reconfigurations"];
    sweep("replication", 300, &reached);
}

#[test]
fn directory() {
    sweep("directory", 500, &[]);
}

//! The smoke scenario, and 500 seeds of each core.

use simulations::coverage;
use simulations::run::Plan;
use simulations::scenario::Scenario;
use simulations::summary::Summary;

/// Runs seeds of a scenario, in which these things must have happened, besides faults of all kinds.
fn disturb(name: &str, seeds: u64, reached: &[&str]) -> Summary {
    sweep(
        name,
        seeds,
        &[&["crashes", "pauses", "leaves"], reached].concat(),
    )
}

/// Runs seeds of a scenario, in which these things must have happened.
fn sweep(name: &str, seeds: u64, reached: &[&str]) -> Summary {
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
    let mut summary = Summary::new(name);
    reports.iter().for_each(|report| summary.add(report));
    for needed in reached {
        let total = summary.counters.get(*needed).copied().unwrap_or_default();
        assert!(total > seeds / 10, "only {total} {needed} in {seeds} seeds");
    }
    summary
}

#[test]
fn smoke() {
    disturb("smoke", 20, &[]);
}

#[test]
fn membership() {
    disturb("membership", 500, &[]);
}

#[test]
fn register() {
    let reached = ["deltas", "replays", "replays that differed", "expired"];
    disturb("register", 300, &reached);
}

#[test]
fn replication() {
    let reached = ["cuts", "takeovers", "reconfigurations"];
    let summary = disturb("replication", 300, &reached);
    let unreached: Vec<&str> = coverage::ALL
        .into_iter()
        .filter(|name| summary.coverage.get(name).copied().unwrap_or_default() == 0)
        .collect();
    assert!(unreached.is_empty(), "never reached: {unreached:?}");
    let searched = summary.counters.get("histories searched");
    assert!(searched.is_some_and(|count| *count > 10), "{searched:?}");
    let given_up = summary.counters.get("searches given up");
    assert_eq!(given_up, None, "searches that came to no end");
}

#[test]
fn takeovers() {
    sweep("takeovers", 300, &["crashes", "takeovers", "deltas"]);
}

#[test]
fn directory() {
    disturb("directory", 500, &[]);
}

//! Rules that are broken on purpose must be caught, or the sweep proves nothing.

use objects_proto::register::Mutation;
use simulations::report::Report;
use simulations::run::Plan;
use simulations::scenario::Scenario;

/// The first failure of a register with this rule broken, within this many seeds.
fn caught(mutation: Mutation, seeds: u64) -> Report {
    let mut plan = Plan::new("register", Scenario::named("register").unwrap());
    plan.mutation = Some(mutation);
    plan.arguments = format!(" (with {mutation:?})");
    let mut failed = None;
    plan.sweep(0, seeds, 2, |report| {
        if report.failure.is_some() {
            failed.get_or_insert(report);
        }
        failed.is_none()
    });
    let report = failed.unwrap_or_else(|| panic!("{mutation:?} survived {seeds} seeds"));
    println!(
        "{mutation:?}: seed {}: {}",
        report.seed,
        report.failure.as_ref().unwrap()
    );
    report
}

fn invariant(report: &Report) -> &'static str {
    report
        .failure
        .as_ref()
        .map_or("", |failure| failure.invariant)
}

#[test]
fn a_quorum_of_one_less_is_caught() {
    let report = caught(Mutation::QuorumOneLess, 500);
    assert_ne!(
        invariant(&report),
        "serves_after_heal",
        "a safety rule was broken"
    );
}

#[test]
fn failures_that_are_not_shipped_are_caught() {
    caught(Mutation::FailuresUnshipped, 500);
}

#[test]
fn repeated_calls_that_run_again_are_caught() {
    let report = caught(Mutation::RepeatsRun, 500);
    assert_eq!(invariant(&report), "one_effect_per_call");
}

#[test]
fn reads_that_ask_nobody_are_caught() {
    let report = caught(Mutation::ReadsUnchecked, 500);
    assert_eq!(invariant(&report), "no_stale_read");
}

#[test]
fn a_grant_that_ends_with_a_link_is_caught() {
    leases_broken(Mutation::LinkEndsGrant);
}

#[test]
fn a_lease_of_an_older_generation_is_caught() {
    leases_broken(Mutation::GenerationIgnored);
}

#[test]
fn a_promise_in_spite_of_a_grant_is_caught() {
    leases_broken(Mutation::GrantNotHonoured);
}

#[test]
fn a_lease_that_counts_from_its_receipt_is_caught() {
    leases_broken(Mutation::LeaseFromReceipt);
}

#[test]
fn a_lease_that_outlives_a_seal_is_caught() {
    leases_broken(Mutation::LeaseOutlivesSeal);
}

/// A reader was replaced and did not know it, or a client saw what such a one answered.
fn leases_broken(mutation: Mutation) {
    let report = caught(mutation, 1_000);
    let found = invariant(&report);
    assert!(
        ["leases_respected", "no_stale_read"].contains(&found),
        "{found}"
    );
}

#[test]
fn differences_that_are_not_checked_are_caught() {
    caught(Mutation::DeltasUnchecked, 1_000);
}

#[test]
fn backups_that_answer_before_they_compare_are_caught() {
    caught(Mutation::ReplayAnswersFirst, 1_000);
}

#[test]
fn what_is_forgotten_and_not_shipped_is_caught() {
    let report = caught(Mutation::ExpiryUnshipped, 1_000);
    assert_eq!(invariant(&report), "equal_copies");
}

#[test]
fn calls_that_run_under_an_unknown_session_are_caught() {
    caught(Mutation::UnknownSessionsRun, 1_000);
}

#[test]
fn tombstones_that_are_forgotten_without_a_floor_are_caught() {
    caught(Mutation::FloorNotRaised, 1_000);
}

#[test]
fn a_floor_that_is_ignored_is_caught() {
    caught(Mutation::FloorIgnored, 1_000);
}

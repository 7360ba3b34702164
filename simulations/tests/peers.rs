//! Whole peers under churn: what befalls shared objects whose hosts come, go and die.

use simulations::overrides::Overrides;
use simulations::report::Report;
use simulations::run::Plan;
use simulations::scenario::Scenario;

fn counted(report: &Report, counter: &str) -> f64 {
    report.counters.get(counter).copied().unwrap_or_default() as f64
}

/// Few peers, and half an object for each.
fn small(name: &str) -> Plan {
    let mut scenario = Scenario::named(name).expect("it comes with the package");
    scenario.fault_seconds = 900;
    let load = scenario.objects.as_mut().expect("it has objects");
    load.pace_seconds = 5.0;
    Plan::new(name, scenario).with(Overrides {
        peers: Some(80),
        objects: Some(40),
        ..Overrides::default()
    })
}

#[test]
fn nothing_acknowledged_is_lost_and_objects_are_found_under_churn() {
    for name in ["churn-objects", "kill20-objects"] {
        let report = small(name).run(1);
        assert!(report.failure.is_none(), "\n{report}");
        assert!(counted(&report, "crashes") > 0.0, "{name}: nobody died");
        assert!(counted(&report, "operations checked") > 5_000.0, "{report}");
        let found = counted(&report, "objects found by their id");
        let missed = counted(&report, "objects not found within 10 s");
        assert!(found > 1_000.0, "{report}");
        assert!(missed <= 0.001 * found, "{report}");
    }
}

/// So many crashes that sets do lose their majority, and often enough to be counted.
const STORMY: &str = r#"
description = "peers die after three minutes, and never say goodbye"
workload = "peers"
nodes = [100, 100]
calm_seconds = 60
fault_seconds = 600
heal_seconds = 60
faults = []
conditions = "lan"
budget = "one"
period_ms = 10000
outage_ms = [100, 5000]

[churn]
sessions = "exponential"
median_minutes = 3
graceful = 0.0
away_seconds = [5, 20]

[objects]
count = 400
pace_seconds = 60
lookups_per_second = 0.5
"#;

#[test]
fn majorities_are_lost_as_often_as_the_formula_says() {
    let scenario = Scenario::parse("stormy", STORMY).expect("a scenario");
    let report = Plan::new("stormy", scenario).run(1);
    assert!(report.failure.is_none(), "\n{report}");
    let lost = counted(&report, "objects whose majority was lost");
    let formula = counted(&report, "majorities lost by the formula, thousandths") / 1e3;
    let ratio = lost / formula;
    assert!(lost >= 50.0, "too few to be compared\n{report}");
    assert!((0.8..=1.25).contains(&ratio), "{ratio:.2}\n{report}");
}

#[test]
fn replicas_even_out_when_ten_peers_join_five_and_no_call_notices() {
    let scenario = Scenario::named("growth-objects").expect("it comes with the package");
    for seed in 1..=3 {
        let report = Plan::new("growth-objects", scenario.clone()).run(seed);
        assert!(report.failure.is_none(), "\n{report}");
        let served = [
            "calls returned",
            "calls failed",
            "objects found by their id",
        ];
        let served: f64 = served.iter().map(|one| counted(&report, one)).sum();
        assert!(served > 10_000.0, "{report}");
        // Whoever leaves takes the answers of its own last calls with it.
        let unanswered = counted(&report, "calls") - served;
        assert!(unanswered <= counted(&report, "leaves"), "{report}");
        assert!(counted(&report, "replicas") == 900.0, "{report}");
        assert!(counted(&report, "members moved") > 300.0, "{report}");
        assert!(
            counted(&report, "replicas at the fullest host") <= 90.0,
            "{report}"
        );
        assert!(
            counted(&report, "replicas at the emptiest host") >= 30.0,
            "{report}"
        );
        assert!(
            counted(&report, "members moved after the heal") == 0.0,
            "{report}"
        );
    }
}

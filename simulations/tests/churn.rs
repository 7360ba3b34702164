//! Churn scenarios, with few peers.

use simulations::overrides::Overrides;
use simulations::run::Plan;
use simulations::scenario::Scenario;

#[test]
fn views_converge_after_churn_of_every_kind() {
    let scenarios = [
        "churn",
        "kill20",
        "weibull",
        "heavy-tail",
        "flash-crowd",
        "rolling-restart",
    ];
    for name in scenarios {
        let mut scenario = Scenario::named(name).expect("it comes with the package");
        scenario.fault_seconds = 600;
        let overrides = Overrides {
            peers: Some(40),
            ..Overrides::default()
        };
        let report = Plan::new(name, scenario).with(overrides).run(1);
        assert!(report.failure.is_none(), "\n{report}");
        let ended = ["crashes", "leaves"].map(|one| report.counters.get(one));
        let ended: u64 = ended.into_iter().flatten().sum();
        assert!(ended > 0, "{name}: nothing happened");
    }
}

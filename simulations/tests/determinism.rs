//! The same seed is the same run: twice in one process, and in two processes.

use std::process::Command;

use simulations::overrides::Overrides;
use simulations::run::Plan;
use simulations::scenario::Scenario;

/// Churn is made for many peers and hours; a few and minutes show the same.
const FEW: [&str; 6] = ["--peers", "20", "--hours", "0.1", "--objects", "10"];

fn plan(name: &str) -> Plan {
    let scenario = Scenario::named(name).unwrap();
    let few = scenario.churn.is_some().then(|| Overrides {
        peers: Some(20),
        hours: Some(0.1),
        objects: Some(10),
        ..Overrides::default()
    });
    Plan::new(name, scenario).with(few.unwrap_or_default())
}

#[test]
fn equal_in_one_process() {
    for name in Scenario::names() {
        for seed in 0..5 {
            let first = plan(name).run(seed);
            assert_eq!(first, plan(name).run(seed), "{name} seed {seed}");
            assert_ne!(
                first.hash,
                plan(name).run(seed + 1_000).hash,
                "{name} seed {seed}"
            );
        }
    }
}

#[test]
fn equal_in_two_processes() {
    for name in Scenario::names() {
        let is_churn = Scenario::named(name).unwrap().churn.is_some();
        let few = if is_churn { &FEW[..] } else { &[] };
        let outputs: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                let output = Command::new(env!("CARGO_BIN_EXE_sim"))
                    .args(["run", name, "--seed", "7", "--json"])
                    .args(few)
                    .output()
                    .unwrap();
                assert!(!output.stdout.is_empty());
                output.stdout
            })
            .collect();
        assert_eq!(outputs[0], outputs[1], "{name}");
        let here = plan(name).run(7);
        let printed = String::from_utf8_lossy(&outputs[0]).into_owned();
        assert!(
            printed.contains(&here.hash),
            "{name}: {} not in {printed}",
            here.hash
        );
    }
}

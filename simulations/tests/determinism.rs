//! The same seed is the same run: twice in one process, and in two processes.

use std::process::Command;

use simulations::run::Plan;
use simulations::scenario::Scenario;

fn plan(name: &str) -> Plan {
    Plan::new(name, Scenario::named(name).unwrap())
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
        let outputs: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                let output = Command::new(env!("CARGO_BIN_EXE_sim"))
                    .args(["run", name, "--seed", "7", "--json"])
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

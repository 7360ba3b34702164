//! The command `sim`: what it prints, and the exit code that it gives.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use objects_proto::mutation::Mutation;
use serde_json::Value;
use simulations::mutant::Mutant;
use simulations::overrides::Overrides;
use simulations::run::Plan;
use simulations::scenario::Scenario;
use simulations::shrink::shrink;

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(arguments)
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

/// A file of this test.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn a_run_is_replayed_to_the_same_hash() {
    let run = sim(&["run", "smoke", "--seed", "5", "--json"]);
    assert_eq!(run.status.code(), Some(0), "{}", told(&run));
    let report = json(&run);
    assert_eq!(report["command"], "sim run smoke --seed 5");
    let hash = report["hash"].as_str().unwrap();
    let saved = file("replayed.json");
    std::fs::write(&saved, &run.stdout).unwrap();
    let saved = saved.to_str().unwrap();
    let line = "REPRODUCE: sim run smoke --seed 5";
    for again in [&["smoke", "5"][..], &[line], &[saved]] {
        let replay = sim(&[&["replay"], again].concat());
        assert_eq!(replay.status.code(), Some(0), "{}", told(&replay));
        assert!(printed(&replay).contains(hash));
        assert!(told(&replay).contains("the same hash came out"));
    }
    let other = sim(&["replay", "smoke", "5", "--hash", "0"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(told(&other).contains("another hash came out"));
}

#[test]
fn what_is_wrong_with_the_command_line_is_told() {
    for (arguments, words) in [
        (&["run", "regster"][..], "did you mean `register`?"),
        (&["run", "nothing.toml"], "nothing.toml"),
        (&["run", "smoke", "--peers", "0"], "--peers"),
        (&["run", "smoke", "--plot", "plot.gif"], ".svg or .html"),
        (&["replay", "smoke"], "is not a line"),
        (&["shrink", "smoke", "5"], "nothing to shrink"),
        (&["compare", "absent.json"], "absent.json"),
    ] {
        let output = sim(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(told(&output).contains(words), "{}", told(&output));
    }
}

#[test]
fn a_scenario_of_ones_own_runs() {
    let scenario = include_str!("../scenarios/smoke.toml").replace("[5, 5]", "[3, 3]");
    let path = file("own.toml");
    std::fs::write(&path, scenario).unwrap();
    let run = sim(&["run", path.to_str().unwrap(), "--json", "--faults", "none"]);
    assert_eq!(run.status.code(), Some(0), "{}", told(&run));
    assert_eq!(json(&run)["nodes"], 3);
    let counters = json(&run)["counters"].clone();
    for fault in ["crashes", "cuts", "pauses"] {
        assert_eq!(counters[fault].as_u64().unwrap_or_default(), 0);
    }
}

#[test]
fn a_figure_that_became_worse_is_found() {
    let run = sim(&["sweep", "smoke", "--seeds", "2", "--first", "3", "--json"]);
    let mut baseline = json(&run);
    let path = file("baseline.json");
    std::fs::write(&path, baseline.to_string()).unwrap();
    let same = sim(&["compare", path.to_str().unwrap()]);
    assert_eq!(same.status.code(), Some(0), "{}", printed(&same));
    let bytes = baseline["counters"]["message bytes"].as_u64().unwrap();
    baseline["counters"]["message bytes"] = (bytes / 2).into();
    std::fs::write(&path, baseline.to_string()).unwrap();
    let worse = sim(&["compare", path.to_str().unwrap(), "--json"]);
    assert_eq!(worse.status.code(), Some(1));
    assert_eq!(json(&worse)["worse"], 1);
    let tolerated = sim(&["compare", path.to_str().unwrap(), "--tolerance", "1.5"]);
    assert_eq!(tolerated.status.code(), Some(0));
}

#[test]
fn a_plot_is_well_formed_and_has_every_panel() {
    for (scenario, ending) in [("smoke", "svg"), ("register", "html")] {
        let path = file(&format!("{scenario}.{ending}"));
        let run = sim(&["run", scenario, "--json", "--plot", path.to_str().unwrap()]);
        assert_eq!(run.status.code(), Some(0), "{}", told(&run));
        let plot = std::fs::read_to_string(&path).unwrap();
        well_formed(&plot);
        let hash = json(&run)["hash"].as_str().unwrap().to_owned();
        for words in [
            hash.as_str(),
            "seed 1",
            "Live peers",
            "Bytes per peer",
            "(s)",
        ] {
            assert!(plot.contains(words), "{words}");
        }
        let panels = if scenario == "register" { 4 } else { 2 };
        assert_eq!(plot.matches("class=\"panel\"").count(), panels);
        assert!(!plot.contains("NaN") && !plot.contains("inf"));
    }
}

/// Panics unless every element is closed in order.
fn well_formed(text: &str) {
    let mut open = Vec::new();
    for tag in text.split('<').skip(1) {
        let (tag, words) = tag.split_once('>').unwrap();
        assert!(!words.contains('>') || words.contains("}"), "{words}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '\n', '/'])
            .next()
            .unwrap();
        match tag {
            _ if tag.starts_with(['?', '!']) || tag.ends_with('/') => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            _ => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn progress_is_told_when_asked_and_changes_nothing() {
    let quiet = sim(&["sweep", "smoke", "--seeds", "3", "--json"]);
    let loud = sim(&["sweep", "smoke", "--seeds", "3", "--json", "--progress"]);
    assert_eq!(printed(&quiet), printed(&loud));
    assert!(told(&quiet).is_empty());
    assert!(told(&loud).contains("3/3 seeds"));
}

/// A seed of the register that fails with one vote too few counted as a majority.
fn broken() -> (Plan, u64) {
    let mut plan = Plan::new("register", Scenario::named("register").unwrap());
    plan.mutant = Some(Mutant::Replication(Mutation::QuorumOneLess));
    let fails = |seed: &u64| plan.run_plainly(*seed).failure.is_some();
    let seed = (0..500).find(fails).unwrap();
    (plan, seed)
}

#[test]
fn a_failing_run_is_made_smaller_and_fails_in_the_same_way() {
    let (plan, seed) = broken();
    let before = plan.run(seed).failure.unwrap();
    let shrunk = shrink(&plan, seed, 200, |_| {}).unwrap();
    assert!(shrunk.faults[1] < shrunk.faults[0], "{:?}", shrunk.faults);
    assert_eq!(shrunk.plan.outages(seed).len(), shrunk.faults[1]);
    let after = shrunk.report.failure.unwrap();
    assert_eq!(after.invariant, before.invariant);
    assert!(after.reproduce.contains("--faults"), "{}", after.reproduce);
    let again = shrunk.plan.run_plainly(seed);
    assert_eq!(again.hash, shrunk.report.hash);
    assert_ne!(shrunk.plan.overrides, Overrides::default());
    let line = sim(&["replay", &after.reproduce]);
    assert_eq!(line.status.code(), Some(1), "{}", told(&line));
    assert!(printed(&line).contains(&again.hash));
}

#[test]
fn a_failure_tells_the_last_events_of_the_object_concerned() {
    let (plan, seed) = broken();
    let report = plan.run(seed);
    let failure = report.failure.as_ref().unwrap();
    let subject = failure.subject.clone();
    let subject = subject.unwrap_or_else(|| panic!("of what? {failure}"));
    assert!(!report.last_events.is_empty());
    assert!(
        report
            .last_events
            .iter()
            .all(|event| event.contains(&subject))
    );
    let words = report.to_string();
    for part in [
        "VIOLATED: ",
        "CONCERNS: ",
        "REPRODUCE: sim run register --seed ",
    ] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_of_the_program() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_sim"))
        .arg("list")
        .stdout(writer)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stderr.is_empty(), "{output:?}");
}

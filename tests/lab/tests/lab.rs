//! A short run of the lab: every promise holds under real faults.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::{Options, Outcome};

#[test]
fn every_promise_holds_under_real_faults() {
    let options = Options {
        seconds: 60,
        seed: None,
        peers: 7,
        folder: Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lab")),
        json: false,
    };
    match lab::run(&options, Path::new(env!("CARGO_BIN_EXE_lab"))) {
        Ok(Outcome::Ran(report)) => {
            println!("{report}");
            assert!(report.violations.is_empty(), "\n{report}");
            assert!(report.enough_faults(), "\n{report}");
            assert!(report.ops >= 3_000, "\n{report}");
        }
        Ok(Outcome::Skipped(why)) => skipped(&why),
        Ok(Outcome::Interrupted) => panic!("interrupted"),
        Err(problem) => panic!("{problem}"),
    }
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let id = lab.id();
    let said = BufReader::new(lab.stderr.take().expect("a pipe"));
    let faults = ["kill", "stop", "cut", "mute", "deaf", "split", "leave"];
    let mut begun = said.lines().map_while(Result::ok);
    if !begun.any(|line| faults.iter().any(|fault| line.ends_with(fault))) {
        let output = lab.wait_with_output().expect("it ends");
        let why = String::from_utf8_lossy(&output.stdout);
        assert!(why.starts_with("skipped"), "{:?}: {why}", output.status);
        return skipped(&why);
    }
    assert!(!leftovers(id).is_empty(), "its peers run");
    let pid = rustix::process::Pid::from_child(&lab);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(lab.wait().expect("it ends").code(), Some(130));
    let deadline = Instant::now() + GONE_WITHIN;
    while !leftovers(id).is_empty() {
        assert!(Instant::now() < deadline, "left: {:?}", leftovers(id));
        std::thread::yield_now();
    }
}

/// How long the system may take to end processes that were killed.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// The network namespaces, folders and processes of the lab with this process id.
fn leftovers(id: u32) -> Vec<String> {
    let named = format!("pydo-lab-{id}");
    let mut left = Vec::new();
    for folder in [PathBuf::from("/var/run/netns"), std::env::temp_dir()] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        left.extend(names.filter(|name| {
            let rest = name.strip_prefix(&named);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        }));
    }
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let cluster = format!("lab-{id}");
        if line
            .split(|byte| *byte == 0)
            .any(|word| word == cluster.as_bytes())
        {
            left.push(format!("process {}", process.file_name().to_string_lossy()));
        }
    }
    left
}

fn skipped(why: &str) {
    let required = std::env::var_os("PYDO_TEST_TAP").is_some();
    assert!(!required, "the lab can be run here, but: {why}");
    println!("skipped: {why}");
}

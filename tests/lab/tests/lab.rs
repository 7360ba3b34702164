//! A short run of the lab: every promise holds under real faults.

use std::path::{Path, PathBuf};

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
        Ok(Outcome::Skipped(why)) => {
            let required = std::env::var_os("PYDO_TEST_TAP").is_some();
            assert!(!required, "the lab can be run here, but: {why}");
            println!("skipped: {why}");
        }
        Ok(Outcome::Interrupted) => panic!("interrupted"),
        Err(problem) => panic!("{problem}"),
    }
}

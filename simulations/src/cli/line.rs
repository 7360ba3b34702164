//! Reads what was run from the line that a failure prints, or from a JSON report.

use std::path::Path;

use clap::Parser;
use serde_json::Value;

use super::run::Run;

/// A run that was made, and the hash that came out if it is known.
#[derive(Debug)]
pub struct Made {
    /// The run.
    pub run: Run,
    /// Its hash, in hexadecimal.
    pub hash: Option<String>,
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: Run,
}

/// Reads a line such as `sim run register --seed 3`, with or without a word before it.
///
/// # Errors
/// What is wrong with it.
pub fn read(line: &str) -> Result<Run, String> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "run");
    if words.next().is_none() {
        return Err(format!(
            "`{line}` is not a line such as `sim run SCENARIO --seed N`"
        ));
    }
    let words = std::iter::once("sim run").chain(words);
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    Ok(line.run)
}

/// Reads the first JSON object of a file that tells the command that was run.
///
/// # Errors
/// What is wrong with the file.
pub fn report(path: &Path) -> Result<Value, String> {
    let named = |problem: String| format!("{}: {problem}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let objects = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let objects: Result<Vec<Value>, _> = objects.collect();
    let mut objects = objects.map_err(|error| named(error.to_string()))?;
    objects.retain(|object| object.get("command").is_some());
    // After the failures of a sweep come its sums.
    let last = objects.pop();
    last.ok_or_else(|| named("holds no report of `sim run --json` or `sim sweep --json`".into()))
}

/// The run that a failure's line, the file of a JSON report, or a scenario and a seed name.
///
/// # Errors
/// What is wrong with them.
pub fn made(what: &str, seed: Option<u64>) -> Result<Made, String> {
    if what.ends_with(".json") {
        let report = report(Path::new(what))?;
        let line = report["command"].as_str().unwrap_or_default();
        let hash = report["hash"].as_str().map(str::to_owned);
        return Ok(Made {
            run: read(line)?,
            hash,
        });
    }
    let line = match seed {
        Some(seed) => format!("run {what} --seed {seed}"),
        None => what.to_owned(),
    };
    Ok(Made {
        run: read(&line)?,
        hash: None,
    })
}

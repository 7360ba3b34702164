//! The same calls in Python, where it is present.

use std::process::Command;

const SCRIPT: &str = include_str!("calls.py");

/// A codec's times: milliseconds by number of calls.
type Line = (String, Vec<(f64, f64)>);

/// Runs the script; a codec that this Python does not have is left out with a note.
pub(crate) fn timed(calls: &[usize], rounds: usize) -> Result<Vec<Line>, String> {
    let numbers = calls.iter().map(usize::to_string);
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(rounds.to_string())
        .args(numbers)
        .output()
        .map_err(|error| format!("python3 cannot be run: {error}"))?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err("the script failed".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<Line> = Vec::new();
    for row in text.lines() {
        let mut fields = row.split(',');
        let mut field = || fields.next().ok_or_else(|| format!("not a row: {row}"));
        let name = field()?.to_owned();
        let mut number = || {
            field()?
                .parse()
                .map_err(|_| format!("not a number in {row}"))
        };
        let point: (f64, f64) = (number()?, number()?);
        match lines.last_mut().filter(|(last, _)| *last == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name, vec![point])),
        }
    }
    Ok(lines)
}

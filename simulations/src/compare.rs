//! Compares the figures of two runs of the same seeds, before and after a change.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Whether more of a figure is better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// More is better.
    More,
    /// Less is better.
    Less,
    /// Neither: it is only shown.
    Neither,
}

/// One figure in two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Its name: the path in the JSON.
    pub name: String,
    /// In the baseline.
    pub before: f64,
    /// Now.
    pub after: f64,
    /// Which way is good.
    pub better: Better,
    /// Whether it became worse by more than the tolerance.
    pub worse: bool,
}

impl Change {
    /// Now over then; none if it was zero.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.before != 0.0).then(|| self.after / self.before)
    }
}

/// Parts of names that tell which way is good. The first that occurs decides.
const MORE: &[&str] = &[
    "availability",
    "correct",
    "served",
    "judged",
    "success",
    "answered",
    "completed",
];
const LESS: &[&str] = &[
    "lost",
    "bytes",
    "messages",
    "failed",
    "failure",
    "violation",
    "stuck",
    "staleness",
    "hops",
    "latency",
    "failover",
    "p50",
    "p99",
    " ms",
    "ms ",
    "_ms",
    "timeout",
    "timed out",
    "cannot",
    "never created",
    "duplicat",
    "without majority",
    "buried",
];

/// Which way is good, by the figure's name.
#[must_use]
pub fn better(name: &str) -> Better {
    let name = name.to_lowercase();
    // A call that its method refuses is part of the load.
    if ["simulated_ms", "calls failed"].contains(&name.as_str()) || name.ends_with("at_ms") {
        return Better::Neither;
    }
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(LESS) {
        Better::Less
    } else if has(MORE) {
        Better::More
    } else {
        Better::Neither
    }
}

/// The figures that two JSON reports share, and which of them became worse by more than
/// `tolerance`, a share of the old value. What was zero and ought to be little is worse as soon
/// as it is more.
#[must_use]
pub fn compare(before: &Value, after: &Value, tolerance: f64) -> Vec<Change> {
    let (before, after) = (figures(before), figures(after));
    let shared = before.into_iter().filter_map(|(name, before)| {
        let after = *after.get(&name)?;
        let better = better(&name);
        let margin = before.abs() * tolerance;
        let worse = match better {
            Better::More => after < before - margin,
            Better::Less => after > before + margin,
            Better::Neither => false,
        };
        Some(Change {
            name,
            before,
            after,
            better,
            worse,
        })
    });
    shared.collect()
}

/// Every number of a report but those that tell the run itself, and those in lists.
fn figures(report: &Value) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    collect("", report, &mut found);
    for name in ["seed", "first", "seeds"] {
        found.remove(name);
    }
    found
}

fn collect(path: &str, value: &Value, found: &mut BTreeMap<String, f64>) {
    match value {
        Value::Number(number) => {
            found.extend(number.as_f64().map(|number| (path.to_owned(), number)));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = matches!(path, "" | "counters" | "figures");
                let path = if inner {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(&path, value, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_became_worse_is_found_and_a_better_one_is_not() {
        let before = serde_json::json!({
            "seed": 1, "counters": {"message bytes": 100, "calls judged": 50, "lost writes": 0},
            "figures": {"failover": {"p99_ms": 2_000.0}}, "nodes": 5,
        });
        let after = serde_json::json!({
            "seed": 2, "counters": {"message bytes": 90, "calls judged": 40, "lost writes": 1},
            "figures": {"failover": {"p99_ms": 2_100.0}}, "nodes": 9,
        });
        let changes = compare(&before, &after, 0.1);
        let worse: Vec<&str> = changes
            .iter()
            .filter(|change| change.worse)
            .map(|change| change.name.as_str())
            .collect();
        assert_eq!(worse, ["calls judged", "lost writes"]);
        assert!(
            changes
                .iter()
                .any(|change| change.name == "failover.p99_ms")
        );
        assert!(
            compare(&before, &before, 0.0)
                .iter()
                .all(|change| !change.worse)
        );
    }
}

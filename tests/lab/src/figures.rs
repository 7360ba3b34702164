//! Figures out of histories: how calls ended, and how long objects were without service.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::faults::{Fault, Happened};
use crate::history::{Class, Line};
use crate::task::Role;

/// How many calls ended how.
pub(crate) fn outcomes(lines: &[Line]) -> BTreeMap<&'static str, u64> {
    let mut counted = BTreeMap::new();
    for line in lines {
        let name = match line {
            Line::Begun { .. } => "made",
            Line::Ended { class, .. } => match class {
                Class::Returned(..) => "returned",
                Class::NotExecuted => "not executed",
                Class::Failed => "failed",
                Class::Executed => "executed, result lost",
                Class::Indeterminate => "indeterminate",
            },
        };
        *counted.entry(name).or_default() += 1;
    }
    counted
}

/// How long an object was without service after its primary was killed or stopped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failover {
    /// The object's number among those of the run.
    pub object: usize,
    /// What it is.
    pub role: Role,
    /// What happened to its primary.
    pub fault: &'static str,
    /// When, seconds after the first fault.
    pub at_s: f64,
    /// Time until a call that was made after the fault returned, milliseconds.
    pub took_ms: f64,
    /// Time between the fault before it and this one, milliseconds.
    pub after_other_ms: Option<f64>,
    /// What the network was like.
    pub weather: String,
}

impl fmt::Display for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            role,
            fault,
            at_s,
            took_ms,
            weather,
            ..
        } = self;
        write!(
            f,
            "{took_ms:.0} ms: object {object}, {role:?}, {fault} at {at_s:.1} s, "
        )?;
        if let Some(other) = self.after_other_ms {
            write!(f, "{other:.0} ms after another fault, ")?;
        }
        write!(f, "network {weather}")
    }
}

/// One for each object whose primary was struck by `fault`, the slowest first.
pub(crate) fn failovers(
    fault: Fault,
    roles: &[Role],
    faults: &[Happened],
    lines: &[Line],
) -> Vec<Failover> {
    let returned = returned(lines);
    let begin = faults.first().map_or(0, |first| first.at);
    let mut found = Vec::new();
    for (index, happened) in faults.iter().enumerate() {
        if happened.fault != fault {
            continue;
        }
        let before = index.checked_sub(1).and_then(|index| faults.get(index));
        for object in &happened.primaries {
            let calls = returned.get(object).into_iter().flatten();
            let after = calls.filter(|(made, _)| *made >= happened.at);
            let first = after.map(|(_, at)| *at).min();
            let (Some(first), Some(role)) = (first, roles.get(*object)) else {
                continue;
            };
            found.push(Failover {
                object: *object,
                role: *role,
                fault: fault.name(),
                at_s: millis(begin, happened.at) / 1e3,
                took_ms: millis(happened.at, first),
                after_other_ms: before.map(|before| millis(before.at, happened.at)),
                weather: happened.weather.to_string(),
            });
        }
    }
    found.sort_by(|a, b| b.took_ms.total_cmp(&a.took_ms));
    found
}

/// By object: when each call that returned was made, and when it returned.
fn returned(lines: &[Line]) -> BTreeMap<usize, Vec<(u64, u64)>> {
    let mut begun = BTreeMap::new();
    let mut returned: BTreeMap<usize, Vec<(u64, u64)>> = BTreeMap::new();
    for line in lines {
        match line {
            Line::Begun { id, object, at, .. } => {
                begun.insert(*id, (*object, *at));
            }
            Line::Ended { id, at, class, .. } => {
                if let (Some((object, made)), Class::Returned(..)) = (begun.get(id), class) {
                    returned.entry(*object).or_default().push((*made, *at));
                }
            }
        }
    }
    returned
}

fn millis(from: u64, to: u64) -> f64 {
    (to - from) as f64 / 1e3
}

/// The value that 99 of 100 do not exceed; of fewer than 100 the largest.
pub(crate) fn p99(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * 99).div_ceil(100);
    sorted.get(place.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::What;
    use crate::weather::Way;

    #[test]
    fn a_failover_ends_with_the_first_call_made_after_it() {
        let call = |id, object, made, at, class| {
            let begun = Line::Begun {
                id,
                object,
                handle: 1,
                what: What::Write,
                at: made,
            };
            let ended = Line::Ended {
                id,
                at,
                class,
                witness: None,
            };
            [begun, ended]
        };
        let lines = [
            // On its way already.
            call(1, 0, 900, 1_100, Class::Returned(1, 0)),
            call(2, 0, 1_500, 2_000, Class::Indeterminate),
            call(3, 0, 1_200, 4_000, Class::Returned(2, 0)),
            call(4, 0, 1_300, 3_000, Class::Returned(3, 0)),
            call(5, 1, 1_300, 1_400, Class::Returned(1, 0)),
        ]
        .concat();
        let fault = Happened {
            fault: Fault::Kill,
            at: 1_000,
            primaries: vec![0],
            weather: Way::default(),
        };
        let found = failovers(Fault::Kill, &[Role::Log, Role::Log], &[fault], &lines);
        let took: Vec<(usize, f64)> = found.iter().map(|one| (one.object, one.took_ms)).collect();
        assert_eq!(took, [(0, 2.0)]);
    }

    #[test]
    fn p99_of_few_is_the_largest() {
        assert_eq!(p99(&[]), None);
        assert_eq!(p99(&[3.0, 1.0, 2.0]), Some(3.0));
        let many: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(p99(&many), Some(198.0));
    }
}

//! Figures out of histories: how calls ended, and how long objects were without service.

use std::collections::BTreeMap;

use crate::faults::{Fault, Happened};
use crate::history::{Class, Line};

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

/// For each kill and each stop of an object's primary, how long it took until a call that was
/// made after it returned, milliseconds.
pub(crate) fn failovers(faults: &[Happened], lines: &[Line]) -> BTreeMap<Fault, Vec<f64>> {
    let mut begun = BTreeMap::new();
    // By object: when each call that returned was made, and when it returned.
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
    let mut took: BTreeMap<Fault, Vec<f64>> = BTreeMap::new();
    let counts = |one: &&Happened| matches!(one.fault, Fault::Kill | Fault::Stop);
    for fault in faults.iter().filter(counts) {
        for object in &fault.primaries {
            let calls = returned.get(object).into_iter().flatten();
            let after = calls.filter(|(made, _)| *made >= fault.at);
            if let Some(first) = after.map(|(_, at)| *at).min() {
                let millis = (first - fault.at) as f64 / 1e3;
                took.entry(fault.fault).or_default().push(millis);
            }
        }
    }
    took
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
        };
        assert_eq!(failovers(&[fault], &lines)[&Fault::Kill], [2.0]);
    }

    #[test]
    fn p99_of_few_is_the_largest() {
        assert_eq!(p99(&[]), None);
        assert_eq!(p99(&[3.0, 1.0, 2.0]), Some(3.0));
        let many: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(p99(&many), Some(198.0));
    }
}

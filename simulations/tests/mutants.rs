//! Rules that are broken on purpose must be noticed, or the sweep proves nothing.

use std::collections::BTreeMap;

use simulations::mutant::Mutant;
use simulations::mutants::{SEEDS_MAX, Verdict, judge};

/// Rules of safety by the invariants that may notice them; the others are free.
const NOTICED_BY: [(&str, &[&str]); 6] = [
    ("RepeatsRun", &["one_effect_per_call"]),
    ("ReadsUnchecked", &["no_stale_read"]),
    ("ExpiryUnshipped", &["equal_copies"]),
    ("GrantNotHonoured", &["leases_respected", "no_stale_read"]),
    ("LossUnreported", &["losses_reported"]),
    ("LastWriterWins", &["names_unique"]),
];

#[test]
fn every_mutant_is_noticed() {
    let verdicts: BTreeMap<String, Verdict> = Mutant::all()
        .map(|mutant| judge(mutant, SEEDS_MAX, 2).expect("its scenario is known"))
        .inspect(|verdict| println!("{verdict}"))
        .map(|verdict| (verdict.name.clone(), verdict))
        .collect();
    let survivors: Vec<&Verdict> = verdicts.values().filter(|one| !one.is_noticed()).collect();
    assert!(survivors.is_empty(), "{survivors:?}");
    let caught = verdicts.values().filter(|one| one.caught).count();
    assert!(caught >= 20, "{caught}");
    for (name, invariants) in NOTICED_BY {
        let found = verdicts[name].invariant.unwrap_or_default();
        assert!(invariants.contains(&found), "{name}: {found}");
    }
}

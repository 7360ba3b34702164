//! What a reply shows is not older than what any reply had shown before its call was made.
//!
//! Source: linearizability's order in real time (Herlihy and Wing, TOPLAS 1990), on the places
//! that replies claim; design section 3, promise 2.

use std::collections::BTreeMap;

use crate::oracle::{Anomaly, History};

/// The invariant's name in reports.
pub const NAME: &str = "no_stale_read";

/// A call made after another one returned claims a later version, a read the same or later; and
/// it is answered by the same replica set or a later one.
///
/// # Errors
/// The first call whose claim is older.
pub fn check<O, R>(history: &History<O, R>) -> Result<(), Anomaly> {
    let (mut version, mut epoch) = (None, None);
    let mut floors = BTreeMap::new();
    for (_, returned, call) in history.moments() {
        if !returned {
            floors.insert(call.id, (version, epoch));
            continue;
        }
        let Some(witness) = call.end.as_ref().and_then(|end| end.witness) else {
            continue;
        };
        let (old_version, old_epoch) = floors.get(&call.id).copied().unwrap_or_default();
        let stale = old_version.is_some_and(|(floor, _)| {
            witness.version < floor || call.write && witness.version == floor
        });
        if stale || old_epoch.is_some_and(|(floor, _)| witness.epoch < floor) {
            return Err(Anomaly::new(
                NAME,
                format!(
                    "call {} claims {witness:?}; before it was made, these had returned \
                     (version, call) {old_version:?} and (epoch, call) {old_epoch:?}",
                    call.id
                ),
            ));
        }
        version = version.max(Some((witness.version, call.id)));
        epoch = epoch.max(Some((witness.epoch, call.id)));
    }
    Ok(())
}

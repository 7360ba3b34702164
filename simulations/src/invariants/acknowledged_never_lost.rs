//! What was acknowledged is there in the end.
//!
//! Source: design section 3, promises 2 and 3; the client oracle of openraft's simulation tests.

use std::collections::BTreeMap;

use crate::oracle::{Anomaly, CallId, History};

/// The invariant's name in reports.
pub const NAME: &str = "acknowledged_never_lost";

/// Checks the places of the effects in the object's final log.
///
/// # Errors
/// The first acknowledged write that has none.
pub fn check<O, R>(
    history: &History<O, R>,
    places: &BTreeMap<CallId, usize>,
) -> Result<(), Anomaly> {
    let mut writes = history.calls().filter(|call| call.write);
    let lost = writes.find(|call| call.acknowledged() && !places.contains_key(&call.id));
    lost.map_or(Ok(()), |call| {
        let detail = format!("call {} was acknowledged and is not in the log", call.id);
        Err(Anomaly::new(NAME, detail))
    })
}

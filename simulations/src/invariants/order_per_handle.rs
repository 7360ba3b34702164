//! Calls through one handle take effect in the order made.
//!
//! Source: design section 3, promise 5; design review 1.8.

use std::collections::BTreeMap;

use crate::oracle::{Anomaly, CallId, History};

/// The invariant's name in reports.
pub const NAME: &str = "order_per_handle";

/// Checks the places of the effects. Ids of one handle's calls grow.
///
/// # Errors
/// The first call that took effect before an earlier one.
pub fn check<O, R>(
    history: &History<O, R>,
    places: &BTreeMap<CallId, usize>,
) -> Result<(), Anomaly> {
    let mut newest: BTreeMap<u64, (usize, CallId)> = BTreeMap::new();
    for call in history.calls() {
        let Some(&place) = places.get(&call.id) else {
            continue;
        };
        if let Some((before, earlier)) = newest.insert(call.handle, (place, call.id))
            && before > place
        {
            return Err(Anomaly::new(
                NAME,
                format!(
                    "handle {}: call {} took effect at {place}, before the earlier call \
                     {earlier} at {before}",
                    call.handle, call.id
                ),
            ));
        }
    }
    Ok(())
}

//! Every effect is that of one call that was made and not denied, and no call has two.
//!
//! Source: design section 3, promise 3; reliability research 4.1.

use std::collections::BTreeMap;

use crate::oracle::{Anomaly, Call, CallId, History};

/// The invariant's name in reports.
pub const NAME: &str = "one_effect_per_call";

/// Checks the object's final `log`, and gives the place of each effect in it. A call that is
/// `excused` may have an effect though it was denied.
///
/// # Errors
/// The first effect that is not one of a call, or a call's second.
pub fn check<O, R>(
    history: &History<O, R>,
    log: &[CallId],
    excused: impl Fn(&Call<O, R>) -> bool,
) -> Result<BTreeMap<CallId, usize>, Anomaly> {
    let broken = |detail| Err(Anomaly::new(NAME, detail));
    let mut places = BTreeMap::new();
    for (place, id) in log.iter().enumerate() {
        if let Some(first) = places.insert(*id, place) {
            return broken(format!(
                "call {id} took effect at {first} and again at {place}"
            ));
        }
        match history.call(*id) {
            None => return broken(format!("effect of call {id}, which nobody made")),
            Some(call) if !call.write => return broken(format!("read {id} took effect")),
            Some(call) if call.denied() && !excused(call) => {
                return broken(format!("call {id} took effect at {place} and was denied"));
            }
            Some(_) => {}
        }
    }
    Ok(places)
}

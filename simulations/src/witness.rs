//! The witness checker: is the history linearizable in the order that the replies claim?
//!
//! Source: reliability research, section 4.1. Linearizability is Herlihy and Wing's (TOPLAS
//! 1990); the claimed order makes its check O(n log n) and exact, where a search would be
//! exponential. A wrong claim is itself a bug.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::invariants::no_stale_read;
use crate::oracle::{Anomaly, Call, CallId, Class, History};

/// The sequential object that the calls must look like.
pub trait Model: Clone {
    /// What is called.
    type Operation;
    /// What comes back.
    type Output: PartialEq + Debug;

    /// Runs one call alone.
    fn apply(&mut self, operation: &Self::Operation) -> Self::Output;
}

/// Calls on a model.
pub type HistoryOf<M> = History<<M as Model>::Operation, <M as Model>::Output>;
/// A call on a model.
type CallOf<M> = Call<<M as Model>::Operation, <M as Model>::Output>;

/// Checks a history against `initial`, the model before the first call, and `log`, the ids of
/// the writes that took effect in order. The log should have passed
/// [`History::check_effects`].
///
/// # Errors
/// The first anomaly found.
pub fn check<M: Model>(initial: &M, history: &HistoryOf<M>, log: &[CallId]) -> Result<(), Anomaly> {
    versions_follow_the_log::<M>(history, log)?;
    no_stale_read::check(history)?;
    let states = replay(initial, history, log)?;
    let mut sweep = Sweep {
        places: log
            .iter()
            .zip(1..)
            .map(|(id, place)| (*id, place))
            .collect(),
        versions: known_versions::<M>(history, log),
        states,
    };
    sweep.run(history)
}

/// The state after each prefix of the log; the results of acknowledged writes must be the
/// model's.
fn replay<M: Model>(
    initial: &M,
    history: &HistoryOf<M>,
    log: &[CallId],
) -> Result<Vec<M>, Anomaly> {
    let mut states = vec![initial.clone()];
    let mut state = initial.clone();
    for id in log {
        let Some(call) = history.call(*id) else {
            continue;
        };
        let output = state.apply(&call.operation);
        if let Some(Class::Ok(claimed)) = call.end.as_ref().map(|end| &end.class)
            && *claimed != output
        {
            return Err(Anomaly::new(
                "results_of_the_model",
                format!("write {id} returned {claimed:?}, the model {output:?}"),
            ));
        }
        states.push(state.clone());
    }
    Ok(states)
}

/// The version of each write of the log that claims one, with its place from 1.
fn known_versions<M: Model>(history: &HistoryOf<M>, log: &[CallId]) -> BTreeMap<u64, usize> {
    log.iter()
        .zip(1..)
        .filter_map(|(id, place)| {
            let witness = history.call(*id)?.end.as_ref()?.witness?;
            Some((witness.version, place))
        })
        .collect()
}

/// Versions of writes grow along the log, and no version is claimed twice.
fn versions_follow_the_log<M: Model>(
    history: &HistoryOf<M>,
    log: &[CallId],
) -> Result<(), Anomaly> {
    let mut newest: Option<(CallId, u64)> = None;
    for id in log {
        let end = history.call(*id).and_then(|call| call.end.as_ref());
        let Some(witness) = end.and_then(|end| end.witness) else {
            continue;
        };
        if let Some((before, version)) = newest
            && witness.version <= version
        {
            return Err(Anomaly::new(
                "versions_follow_the_log",
                format!(
                    "write {id} claims version {}, after write {before} with version {version}",
                    witness.version
                ),
            ));
        }
        newest = Some((*id, witness.version));
    }
    Ok(())
}

/// The sweep by time: every call must fit between what had returned before it was made and
/// what was made after it returned.
struct Sweep<M> {
    /// Place of each write in the log, from 1.
    places: BTreeMap<CallId, usize>,
    /// Place of each version that is known.
    versions: BTreeMap<u64, usize>,
    /// The state after each place.
    states: Vec<M>,
}

impl<M: Model> Sweep<M> {
    fn run(&mut self, history: &HistoryOf<M>) -> Result<(), Anomaly> {
        let mut floor = 0;
        let mut floors = BTreeMap::new();
        for (_, returned, call) in history.moments() {
            if !returned {
                floors.insert(call.id, floor);
                self.check_write(call, floor)?;
                continue;
            }
            let made_at = floors.get(&call.id).copied().unwrap_or_default();
            let place = if call.write {
                if call.acknowledged() {
                    self.places.get(&call.id).copied()
                } else {
                    None
                }
            } else {
                self.place_of_read(call, made_at)?
            };
            floor = floor.max(place.unwrap_or_default());
        }
        Ok(())
    }

    /// A write takes effect after everything that had returned before it was made.
    fn check_write(&self, call: &CallOf<M>, floor: usize) -> Result<(), Anomaly> {
        match self.places.get(&call.id) {
            Some(place) if *place <= floor => Err(Anomaly::new(
                "real_time_order",
                format!(
                    "write {} took effect at {place}, though effect {floor} had been seen \
                     before it was made",
                    call.id
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The earliest place at which a read's result is the model's, not before `floor`.
    fn place_of_read(&self, call: &CallOf<M>, floor: usize) -> Result<Option<usize>, Anomaly> {
        let Some(end) = &call.end else {
            return Ok(None);
        };
        let Class::Ok(seen) = &end.class else {
            return Ok(None);
        };
        let last = self.states.len() - 1;
        let (low, high) = match end.witness {
            Some(witness) => {
                let low = self.versions.range(..=witness.version).next_back();
                let high = self.versions.range(witness.version + 1..).next();
                (
                    low.map_or(0, |(_, p)| *p),
                    high.map_or(last, |(_, p)| p.saturating_sub(1)),
                )
            }
            None => (0, last),
        };
        let fits = |place: &usize| self.states[*place].clone().apply(&call.operation) == *seen;
        if let Some(place) = (low.max(floor)..=high).find(fits) {
            return Ok(Some(place));
        }
        let property = if (low..=high).any(|p| fits(&p)) {
            no_stale_read::NAME
        } else {
            "results_of_the_model"
        };
        Err(Anomaly::new(
            property,
            format!(
                "read {} returned {seen:?}, which the object was at no place from {} to {high}",
                call.id,
                low.max(floor)
            ),
        ))
    }
}

#[cfg(test)]
mod tests;

//! What clients were promised: every call with its times and its end, and what must be true of
//! the object's effects afterwards.
//!
//! Source: the client oracle of openraft's simulation tests, over unique write serials; the
//! outcome classes are those of design section 3, promises 3 to 5.

use std::collections::BTreeMap;

use overlay_proto::Instant;

/// Names a call in one run.
pub type CallId = u64;

/// A place in an object's history, as a reply claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// The replica set that answered, as one number that grows.
    pub epoch: u64,
    /// The version that a write made, or that a read saw.
    pub version: u64,
}

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class<R> {
    /// It ran, with this result.
    Ok(R),
    /// It did not run and never will.
    NotExecuted,
    /// It ran and changed nothing.
    Failed,
    /// It took effect; the result is lost.
    Executed,
    /// It may have run, once at most.
    Indeterminate,
}

/// The end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<R> {
    /// When the caller got it.
    pub at: Instant,
    /// What it says.
    pub class: Class<R>,
    /// Where the call stands in the object's history, if the reply says so.
    pub witness: Option<Witness>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<O, R> {
    /// Its name; a write leaves it in the object's log of effects.
    pub id: CallId,
    /// Through which handle it was made.
    pub handle: u64,
    /// What was called.
    pub operation: O,
    /// Whether it may change the object.
    pub write: bool,
    /// When.
    pub invoked: Instant,
    /// How it ended; `None` while it is open, and for ever if the caller died.
    pub end: Option<End<R>>,
}

impl<O, R> Call<O, R> {
    /// Whether the caller knows that the call took effect.
    #[must_use]
    pub fn acknowledged(&self) -> bool {
        self.end
            .as_ref()
            .is_some_and(|end| matches!(end.class, Class::Ok(_) | Class::Executed))
    }

    /// Whether the caller knows that the call changed nothing and will not.
    #[must_use]
    pub fn denied(&self) -> bool {
        self.end
            .as_ref()
            .is_some_and(|end| matches!(end.class, Class::NotExecuted | Class::Failed))
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property}: {detail}")]
pub struct Anomaly {
    /// Which promise.
    pub property: &'static str,
    /// How.
    pub detail: String,
}

impl Anomaly {
    pub(crate) fn new(property: &'static str, detail: String) -> Self {
        Self { property, detail }
    }
}

/// The calls of all clients on one object.
#[derive(Clone, Debug)]
pub struct History<O, R> {
    calls: BTreeMap<CallId, Call<O, R>>,
}

impl<O, R> Default for History<O, R> {
    fn default() -> Self {
        Self {
            calls: BTreeMap::new(),
        }
    }
}

impl<O, R> History<O, R> {
    /// A call begins. Calls of one handle must be recorded in the order made.
    pub fn invoke(&mut self, call: Call<O, R>) {
        self.calls.insert(call.id, call);
    }

    /// A call ends.
    ///
    /// # Errors
    /// [`Anomaly`] if there is no such call, or it has ended before.
    pub fn finish(&mut self, id: CallId, end: End<R>) -> Result<(), Anomaly> {
        let property = "one_end_per_call";
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(Anomaly::new(
                property,
                format!("call {id} ended and never began"),
            ));
        };
        if call.end.is_some() {
            return Err(Anomaly::new(property, format!("call {id} ended twice")));
        }
        call.end = Some(end);
        Ok(())
    }

    /// A call.
    #[must_use]
    pub fn call(&self, id: CallId) -> Option<&Call<O, R>> {
        self.calls.get(&id)
    }

    /// All calls, by id.
    pub fn calls(&self) -> impl Iterator<Item = &Call<O, R>> {
        self.calls.values()
    }

    /// The same history with some calls only.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Call<O, R>) -> bool) -> Self
    where
        O: Clone,
        R: Clone,
    {
        let calls = self.calls.iter().filter(|(_, call)| wanted(call));
        Self {
            calls: calls.map(|(id, call)| (*id, call.clone())).collect(),
        }
    }

    /// Number of calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there was no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Invocations and returns in order of time; at equal times invocations come first, since
    /// the calls overlap then. True marks a return.
    #[must_use]
    pub fn moments(&self) -> Vec<(Instant, bool, &Call<O, R>)> {
        let mut moments: Vec<_> = self
            .calls()
            .flat_map(|call| {
                let returned = call.end.as_ref().map(|end| (end.at, true, call));
                [Some((call.invoked, false, call)), returned]
                    .into_iter()
                    .flatten()
            })
            .collect();
        moments.sort_by_key(|(at, returned, call)| (*at, *returned, call.id));
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(ends: &[(CallId, u64, Option<Class<u32>>)]) -> History<(), u32> {
        let mut history = History::default();
        for (id, handle, class) in ends {
            history.invoke(Call {
                id: *id,
                handle: *handle,
                operation: (),
                write: true,
                invoked: Instant::ZERO,
                end: None,
            });
            if let Some(class) = class {
                let end = End {
                    at: Instant::ZERO,
                    class: *class,
                    witness: None,
                };
                history.finish(*id, end).unwrap();
            }
        }
        history
    }

    #[test]
    fn catches_a_second_end() {
        let mut history = history(&[(1, 1, Some(Class::Ok(0)))]);
        let end = End {
            at: Instant::ZERO,
            class: Class::Failed,
            witness: None,
        };
        assert!(history.finish(1, end).is_err());
        assert!(history.finish(2, end).is_err());
    }
}

//! What the clients of a trial called, and how it ended.

use std::collections::BTreeMap;

use objects_proto::caller::{Completion, HandleId};
use objects_proto::object::ObjectId;
use objects_proto::outcome::Outcome;
use overlay_proto::{Instant, ProcessId};

use crate::oracle::{Anomaly, Call, CallId, Class, End, History, Witness};
use crate::witness::Model;

/// Calls whose results are not looked at: their place in the history is.
#[derive(Clone, Debug, Default)]
pub(super) struct Opaque;

impl Model for Opaque {
    type Operation = ();
    type Output = ();

    fn apply(&mut self, (): &()) {}
}

/// The calls of all clients, by object.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    histories: BTreeMap<ObjectId, History<(), ()>>,
    handles: BTreeMap<(ProcessId, HandleId), u64>,
    objects: BTreeMap<CallId, ObjectId>,
    anomaly: Option<Anomaly>,
}

impl Ledger {
    /// A call begins; its id.
    pub(super) fn begin(
        &mut self,
        at: Instant,
        object: ObjectId,
        (process, handle): (ProcessId, HandleId),
        write: bool,
    ) -> CallId {
        let id = self.objects.len() as CallId + 1;
        let fresh = self.handles.len() as u64;
        let handle = *self.handles.entry((process, handle)).or_insert(fresh);
        self.objects.insert(id, object);
        self.histories.entry(object).or_default().invoke(Call {
            id,
            handle,
            operation: (),
            write,
            invoked: at,
            end: None,
        });
        id
    }

    /// A call ends for its client.
    pub(super) fn finish(&mut self, at: Instant, id: CallId, completion: &Completion) {
        let class = match &completion.outcome {
            Outcome::Returned(_) => Class::Ok(()),
            Outcome::NotExecuted(_) => Class::NotExecuted,
            Outcome::Failed(_) => Class::Failed,
            Outcome::Executed => Class::Executed,
            Outcome::Indeterminate(_) => Class::Indeterminate,
        };
        let witness = completion.witness.map(|witness| Witness {
            epoch: witness.epoch.number,
            version: witness.version.0,
        });
        let end = End { at, class, witness };
        let object = self.objects.get(&id);
        if let Some(history) = object.and_then(|object| self.histories.get_mut(object))
            && let Err(anomaly) = history.finish(id, end)
        {
            self.anomaly.get_or_insert(anomaly);
        }
    }

    /// A call that ended twice.
    pub(super) fn anomaly(&self) -> Option<&Anomaly> {
        self.anomaly.as_ref()
    }

    /// Number of calls.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// The calls on an object.
    pub(super) fn history(&self, object: &ObjectId) -> History<(), ()> {
        self.histories.get(object).cloned().unwrap_or_default()
    }

    /// How many calls returned a value.
    pub(super) fn returned(&self) -> usize {
        let calls = self.histories.values().flat_map(History::calls);
        let returned = |call: &&Call<(), ()>| {
            let end = call.end.as_ref();
            end.is_some_and(|end| matches!(end.class, Class::Ok(())))
        };
        calls.filter(returned).count()
    }
}

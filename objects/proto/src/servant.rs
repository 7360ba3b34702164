//! Servants between executions: a bounded cache of decoded states.
//!
//! A servant is kept together with the bytes that encode it, and is used again only for an
//! execution whose epoch, ballot and state bytes are the same. Equal bytes make it right: it is
//! what decoding them would give, also if the state it had in between was never committed.
//! Epoch and ballot make it strict: a deposed primary's servant, with whatever it holds in
//! fields that are not encoded, is not used again. A servant whose call failed is not kept.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;
use core::ptr;

use bytes::Bytes;

use crate::caller::Caller;
use crate::execution::{Executed, Execution, ExecutionKey, ExecutionMode};
use crate::guard::PanicGuard;
use crate::kinds_table::{KindTable, Servant};
use crate::object::{Ballot, Epoch, ObjectId};
use crate::run::{Finished, Running};

/// How much the cache of servants may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServantLimits {
    /// Servants.
    pub count: usize,
    /// Bytes of their encoded states, which the decoded ones resemble in size.
    pub bytes: usize,
}

impl Default for ServantLimits {
    fn default() -> Self {
        Self {
            count: 4096,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// Runs executions on the kinds of a host.
///
/// A driver that runs executions on several threads keeps this behind a lock, takes a
/// [`Running`] out with [`start`](Self::start), runs it unlocked, and gives it back with
/// [`finish`](Self::finish).
pub struct Servants {
    kinds: Arc<KindTable>,
    node: Arc<dyn Caller>,
    limits: ServantLimits,
    cached: BTreeMap<ObjectId, Cached>,
    /// Objects by when their servants were put here: the first one is the first to go.
    order: BTreeMap<u64, ObjectId>,
    /// Bytes of the cached states.
    bytes: usize,
    clock: u64,
}

struct Cached {
    servant: Box<dyn Servant>,
    state: Bytes,
    epoch: Epoch,
    ballot: Ballot,
    since: u64,
}

impl Cached {
    /// Whether decoding `state` for `key` would give this servant.
    fn fits(&self, key: &ExecutionKey, state: &Bytes) -> bool {
        self.epoch == key.epoch
            && self.ballot == key.ballot
            && self.state.len() == state.len()
            && (ptr::eq(self.state.as_ptr(), state.as_ptr()) || self.state == *state)
    }
}

impl Servants {
    /// No servants yet. `node` is what the methods' contexts are bound to.
    #[must_use]
    pub fn new(kinds: Arc<KindTable>, node: Arc<dyn Caller>, limits: ServantLimits) -> Self {
        let (cached, order) = (BTreeMap::new(), BTreeMap::new());
        Self {
            kinds,
            node,
            limits,
            cached,
            order,
            bytes: 0,
            clock: 0,
        }
    }

    /// The kinds that executions can be run on.
    #[must_use]
    pub const fn kinds(&self) -> &Arc<KindTable> {
        &self.kinds
    }

    /// Takes the object's servant out, if it fits, and makes the execution ready to run.
    #[must_use]
    pub fn start(&mut self, execution: Execution) -> Running {
        let servant = if execution.mode == ExecutionMode::Snapshot {
            None
        } else {
            self.take(execution.object)
                .filter(|cached| cached.fits(&execution.key, &execution.state))
                .map(|cached| cached.servant)
        };
        Running {
            kind: self.kinds.get(&execution.kind).cloned(),
            node: self.node.clone(),
            servant,
            state: execution.state.clone(),
            execution,
        }
    }

    /// Keeps the servant of an execution that has ended, and gives its answer.
    pub fn finish(&mut self, finished: Finished) -> Executed {
        let Finished {
            executed,
            servant,
            state,
            mode,
        } = finished;
        if let Some(servant) = servant.filter(|_| mode != ExecutionMode::Snapshot) {
            self.keep(executed.object, &executed.key, servant, state);
        }
        executed
    }

    /// Runs an execution without a future; see [`Running::run_sync`].
    pub fn run_sync(&mut self, execution: Execution, guard: &dyn PanicGuard) -> Executed {
        let finished = self.start(execution).run_sync(guard);
        self.finish(finished)
    }

    /// Drops the object's servant: it is no longer hosted here, or was deleted.
    pub fn forget(&mut self, object: ObjectId) {
        drop(self.take(object));
    }

    /// How many servants are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cached.len()
    }

    /// Whether no servant is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cached.is_empty()
    }

    fn take(&mut self, object: ObjectId) -> Option<Cached> {
        let cached = self.cached.remove(&object)?;
        self.order.remove(&cached.since);
        self.bytes -= cached.state.len();
        Some(cached)
    }

    fn keep(
        &mut self,
        object: ObjectId,
        key: &ExecutionKey,
        servant: Box<dyn Servant>,
        state: Bytes,
    ) {
        self.forget(object);
        self.clock += 1;
        let since = self.clock;
        self.bytes += state.len();
        self.order.insert(since, object);
        let (epoch, ballot) = (key.epoch, key.ballot);
        self.cached.insert(
            object,
            Cached {
                servant,
                state,
                epoch,
                ballot,
                since,
            },
        );
        while self.cached.len() > self.limits.count || self.bytes > self.limits.bytes {
            let Some((_, oldest)) = self.order.first_key_value() else {
                return;
            };
            self.forget(*oldest);
        }
    }
}

impl fmt::Debug for Servants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servants({} of {} bytes)", self.cached.len(), self.bytes)
    }
}

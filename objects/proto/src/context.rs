//! What a method can ask of the node that runs it.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::call::{Call, DeferError};
use crate::caller::BoxFuture;
use crate::execution::{CallChain, Deferred};
use crate::handle::Handle;
use crate::outcome::Cause;
use crate::proxy::{Callable, Proxy};
use crate::reference::{RawRef, Ref};
use crate::scope::{Scope, Veto};

/// The run of one method: who calls, how long it may take, and how it reaches other objects.
///
/// A method asks for it with `cx: &Context` right after `self`; callers do not see it. Time and
/// randomness from here come from the node, so that the same method also runs in a simulation.
pub struct Context {
    scope: Arc<Scope>,
}

impl Context {
    /// The context of a run.
    pub(crate) const fn new(scope: Arc<Scope>) -> Self {
        Self { scope }
    }

    /// Who calls: the process that made this call, the node itself for calls between objects.
    #[must_use]
    pub fn caller(&self) -> ProcessId {
        self.scope.caller
    }

    /// When the caller stops waiting. An async method that still runs then is stopped.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.scope.deadline
    }

    /// What is left until the deadline; zero after it.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.scope.remaining()
    }

    /// The call's id in the object's history and the calls that wait for it.
    #[must_use]
    pub fn chain(&self) -> &CallChain {
        &self.scope.chain
    }

    /// The object that the method runs on, untyped.
    #[must_use]
    pub fn object(&self) -> RawRef {
        RawRef::bare(self.scope.object, &self.scope.kind)
    }

    /// A reference to the object that the method runs on; `K` is the method's own type.
    #[must_use]
    pub fn me<K>(&self) -> Ref<K> {
        Ref::from_raw(self.object())
    }

    /// Binds a reference for calls from inside this method.
    ///
    /// Such calls wait at most as long as this method may. What they change elsewhere stays
    /// changed when this method fails; see [`after_commit`](Self::after_commit).
    #[must_use]
    pub fn get<K: Callable>(&self, reference: Ref<K>) -> K::Proxy {
        K::Proxy::from_handle(Handle::nested(reference.into_raw(), &self.scope))
    }

    /// Makes a call once the change made by this method is safe: it is recorded with the
    /// object's state, then delivered exactly once, also across failover. If this method
    /// fails, the call is not made. Its result goes nowhere.
    ///
    /// At most [`DEFERRED_MAX`](crate::scope::DEFERRED_MAX) calls per method. One too many, or
    /// one whose arguments cannot be encoded, ends the method's own call with `NotExecuted`. A
    /// read has nothing to commit: used there, it ends the call like a panic.
    pub fn after_commit<T, E>(&self, call: Call<T, E>) {
        let scope = &self.scope;
        if !scope.write {
            return scope.forbid(Veto::Misuse(format!(
                "`{}` takes `&self`: a read commits nothing, so there is no `after_commit` in it",
                scope.method
            )));
        }
        let recorded = match call.into_deferred() {
            Ok(deferred) => self.record(deferred),
            Err(DeferError::Refused(cause)) => Err(Veto::Refused(cause)),
            Err(DeferError::Sent) => Err(Veto::Misuse(format!(
                "`{}` gave `after_commit` a call that was sent already",
                scope.method
            ))),
        };
        if let Err(veto) = recorded {
            scope.forbid(veto);
        }
    }

    fn record(&self, deferred: Deferred) -> Result<(), Veto> {
        self.scope
            .deferred
            .push(deferred)
            .map_err(|cause: Cause| Veto::Refused(cause))
    }

    /// The node's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.scope.node.now()
    }

    /// Waits for `duration` of the node's clock. The object takes no other write meanwhile.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.scope.node.sleep(duration)
    }

    /// A random number. The result of the method is replicated, not the method, so it may use it.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.scope.node.random()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope {
            kind,
            method,
            object,
            ..
        } = &*self.scope;
        write!(f, "Context({kind}.{method} of {object})")
    }
}

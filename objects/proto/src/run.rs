//! Runs the calls of one execution on one servant.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::mem;
use core::sync::atomic::AtomicU32;
use core::task::Poll;

use bytes::Bytes;
use once_cell::race::OnceBox;

use crate::arguments::Arguments;
use crate::caller::{BoxFuture, Caller};
use crate::context::Context;
use crate::execution::{Executed, Execution, ExecutionCall, ExecutionMode, Ran};
use crate::guard::{PanicGuard, guarded};
use crate::kinds_table::{Kind, Servant, method_of};
use crate::method::Method;
use crate::outcome::{Cause, Failure};
use crate::reply::{Dispatch, Reply};
use crate::scope::{Deferrals, Scope};

/// Largest encoded result or error of one call, bytes. A write whose result exceeds it is not
/// executed.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// Longest panic message that is kept, bytes.
pub const PANIC_BYTES_MAX: usize = 1024;

/// An execution under way, with its servant. Dropping it drops the servant: the next execution
/// decodes the state again.
pub struct Running {
    pub(crate) execution: Execution,
    pub(crate) kind: Option<Arc<dyn Kind>>,
    pub(crate) node: Arc<dyn Caller>,
    /// The decoded `state`; `None` until it is needed, and after a call that spoilt it.
    pub(crate) servant: Option<Box<dyn Servant>>,
    /// The state after the last write that succeeded: where a failed one is put back to.
    pub(crate) state: Bytes,
}

/// An execution that has ended, with its servant.
pub struct Finished {
    pub(crate) executed: Executed,
    pub(crate) servant: Option<Box<dyn Servant>>,
    pub(crate) state: Bytes,
    pub(crate) mode: ExecutionMode,
}

/// A call that is ready to start.
struct Prepared<'c> {
    method: &'static Method,
    arguments: Arguments<'c>,
    context: Context,
    scope: Arc<Scope>,
}

/// How a method ended that was started: a reply, a panic, or its deadline.
type Ended = Result<Reply, Failure>;

impl Running {
    /// Whether no call of the execution can wait, so that [`run_sync`](Self::run_sync) runs it.
    #[must_use]
    pub fn is_synchronous(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| {
            let waits = |call: &ExecutionCall| {
                method_of(kind, call.method).is_ok_and(|method| method.asynchronous)
            };
            !self.execution.calls.iter().any(waits)
        })
    }

    /// Runs the calls in order, without a future. An async method is stopped where it would
    /// first wait, and fails.
    #[must_use]
    pub fn run_sync(mut self, guard: &dyn PanicGuard) -> Finished {
        let calls = mem::take(&mut self.execution.calls);
        let ran = calls
            .iter()
            .map(|call| self.run_call_sync(call, guard))
            .collect();
        self.finish(ran)
    }

    /// Runs the calls in order. Every poll of a method goes through `guard`; an async method
    /// that still runs when its budget is spent is stopped.
    pub async fn run(mut self, guard: &dyn PanicGuard) -> Finished {
        let calls = mem::take(&mut self.execution.calls);
        let mut ran = Vec::with_capacity(calls.len());
        for call in &calls {
            ran.push(self.run_call(call, guard).await);
        }
        self.finish(ran)
    }

    fn finish(self, ran: Vec<Ran>) -> Finished {
        let Execution {
            object, key, mode, ..
        } = self.execution;
        let executed = Executed { object, key, ran };
        Finished {
            executed,
            servant: self.servant,
            state: self.state,
            mode,
        }
    }

    fn run_call_sync(&mut self, call: &ExecutionCall, guard: &dyn PanicGuard) -> Ran {
        let prepared = match self.prepare(call) {
            Ok(prepared) => prepared,
            Err(cause) => return Ran::Refused(cause),
        };
        let servant = match self.servant(guard) {
            Ok(servant) => servant,
            Err(cause) => return Ran::Refused(cause),
        };
        let Prepared {
            method,
            arguments,
            context,
            scope,
        } = prepared;
        let ended = match guarded(guard, || servant.dispatch(arguments, &context)) {
            Ok(Dispatch::Done(reply)) => Ok(reply),
            Ok(Dispatch::Running(waiting)) => {
                drop(waiting);
                Err(Failure::Panicked(String::from(
                    "an async method ran where none can wait",
                )))
            }
            Err(message) => Err(Failure::Panicked(shortened(message))),
        };
        self.settle(method, &scope, ended, guard)
    }

    async fn run_call(&mut self, call: &ExecutionCall, guard: &dyn PanicGuard) -> Ran {
        let prepared = match self.prepare(call) {
            Ok(prepared) => prepared,
            Err(cause) => return Ran::Refused(cause),
        };
        let servant = match self.servant(guard) {
            Ok(servant) => servant,
            Err(cause) => return Ran::Refused(cause),
        };
        let Prepared {
            method,
            arguments,
            context,
            scope,
        } = prepared;
        let ended = match guarded(guard, || servant.dispatch(arguments, &context)) {
            Ok(Dispatch::Done(reply)) => Ok(reply),
            Ok(Dispatch::Running(waiting)) => {
                let alarm = scope.node.sleep(call.budget);
                wait(waiting, alarm, guard).await
            }
            Err(message) => Err(Failure::Panicked(shortened(message))),
        };
        self.settle(method, &scope, ended, guard)
    }

    /// Everything that can be wrong with a call before the servant is touched.
    fn prepare<'c>(&self, call: &'c ExecutionCall) -> Result<Prepared<'c>, Cause> {
        let kind = self
            .kind
            .as_deref()
            .ok_or_else(|| Cause::UnknownKind(self.execution.kind.to_string()))?;
        let method = method_of(kind, call.method)?;
        let unfit = match self.execution.mode {
            ExecutionMode::Batch => None,
            ExecutionMode::Snapshot => {
                (method.write).then_some("a write does not run on a snapshot")
            }
            ExecutionMode::Replay => {
                (!method.deterministic).then_some("only a deterministic method is run again")
            }
        };
        if let Some(unfit) = unfit {
            return Err(Cause::Arguments(String::from(unfit)));
        }
        if call.budget.is_zero() {
            return Err(Cause::Deadline);
        }
        let arguments = Arguments::open(method, call.codec, &call.arguments)?;
        let scope = Arc::new(Scope {
            node: self.node.clone(),
            object: self.execution.object,
            kind: self.execution.kind.clone(),
            method: method.name,
            write: method.write,
            caller: call.caller,
            chain: call.chain.clone(),
            deadline: self.node.now() + call.budget,
            nested: AtomicU32::new(0),
            deferred: Deferrals::default(),
            veto: OnceBox::new(),
        });
        Ok(Prepared {
            method,
            arguments,
            context: Context::new(scope.clone()),
            scope,
        })
    }

    /// The servant, decoded from the last good state if need be.
    fn servant(&mut self, guard: &dyn PanicGuard) -> Result<&mut Box<dyn Servant>, Cause> {
        let unknown = || Cause::UnknownKind(self.execution.kind.to_string());
        let servant = match self.servant.take() {
            Some(servant) => servant,
            None => {
                let kind = self.kind.as_deref().ok_or_else(unknown)?;
                guarded(guard, || kind.decode(&self.state))
                    .unwrap_or_else(|problem| Err(panicked_state(kind, problem)))?
            }
        };
        Ok(self.servant.insert(servant))
    }

    /// What the call came to. A write that did not succeed leaves no servant behind.
    fn settle(
        &mut self,
        method: &Method,
        scope: &Scope,
        ended: Ended,
        guard: &dyn PanicGuard,
    ) -> Ran {
        let spoilt = match &ended {
            Err(_) => true,
            Ok(Reply::Refused(_)) => false,
            Ok(_) => method.write,
        };
        match self.judge(method, scope, ended, guard) {
            Ok(ran) => ran,
            Err(ran) => {
                if spoilt {
                    let dropped = self.servant.take();
                    let _a_panicking_drop_changes_nothing = guarded(guard, || drop(dropped));
                }
                ran
            }
        }
    }

    /// `Ok` if the call succeeded, and then its new state is the one to go back to.
    fn judge(
        &mut self,
        method: &Method,
        scope: &Scope,
        ended: Ended,
        guard: &dyn PanicGuard,
    ) -> Result<Ran, Ran> {
        let result = match ended.map_err(Ran::Failed)? {
            Reply::Returned(result) => result,
            Reply::Failed(error) => {
                within_limit(&error).map_err(Ran::Refused)?;
                return Err(Ran::Failed(Failure::Returned(error)));
            }
            Reply::Refused(cause) => return Err(Ran::Refused(cause)),
            Reply::Unencodable(problem) => {
                return Err(Ran::Failed(Failure::Panicked(shortened(problem))));
            }
        };
        within_limit(&result).map_err(Ran::Refused)?;
        if let Some(veto) = scope.veto.get() {
            return Err(match veto.clone().into_failure() {
                Ok(failure) => Ran::Failed(failure),
                Err(cause) => Ran::Refused(cause),
            });
        }
        let state = if method.write {
            Some(self.encode(guard).map_err(Ran::Refused)?)
        } else {
            None
        };
        Ok(Ran::Returned {
            result,
            state,
            after_commit: scope.deferred.to_vec(),
        })
    }

    fn encode(&mut self, guard: &dyn PanicGuard) -> Result<Bytes, Cause> {
        let (Some(servant), Some(kind)) = (self.servant.as_deref(), self.kind.as_deref()) else {
            return Err(Cause::UnknownKind(self.execution.kind.to_string()));
        };
        let state = guarded(guard, || servant.encode())
            .unwrap_or_else(|problem| Err(panicked_state(kind, problem)))?;
        self.state = state.clone();
        Ok(state)
    }
}

/// Polls a method under the guard until it ends, or the alarm goes off.
async fn wait(
    waiting: BoxFuture<'_, Reply>,
    mut alarm: BoxFuture<'static, ()>,
    guard: &dyn PanicGuard,
) -> Ended {
    let mut waiting = Some(waiting);
    let ended = poll_fn(|cx| {
        let Some(method) = waiting.as_mut() else {
            return Poll::Ready(Err(Failure::Deadline));
        };
        match guarded(guard, || method.as_mut().poll(cx)) {
            Ok(Poll::Ready(reply)) => return Poll::Ready(Ok(reply)),
            Ok(Poll::Pending) => {}
            Err(message) => return Poll::Ready(Err(Failure::Panicked(shortened(message)))),
        }
        alarm.as_mut().poll(cx).map(|()| Err(Failure::Deadline))
    })
    .await;
    let _a_panicking_drop_changes_nothing = guarded(guard, || drop(waiting.take()));
    ended
}

fn within_limit(result: &Bytes) -> Result<(), Cause> {
    if result.len() <= RESULT_BYTES_MAX {
        return Ok(());
    }
    Err(Cause::TooLarge {
        what: String::from("the result"),
        bytes: result.len() as u64,
        limit: RESULT_BYTES_MAX as u64,
    })
}

fn panicked_state(kind: &dyn Kind, problem: String) -> Cause {
    Cause::BadState {
        kind: kind.name().to_string(),
        problem: shortened(problem),
    }
}

fn shortened(mut message: String) -> String {
    let mut end = message.len().min(PANIC_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    message
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Running({} {:?})",
            self.execution.kind, self.execution.object
        )
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Finished({:?})", self.executed)
    }
}

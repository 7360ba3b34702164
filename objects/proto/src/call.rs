//! A call that can be awaited, given a timeout, sent one way, or dropped.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use overlay_proto::Duration;

use crate::arguments::Encoder;
use crate::caller::{BoxFuture, Completion, Invocation};
use crate::error::{CallError, MethodFailure, Never};
use crate::execution::{Codec, Deferred};
use crate::handle::{Bound, Handle};
use crate::method::Method;
use crate::outcome::{Cause, Failure, Outcome, Witness};
use crate::wire::{self, Wire};

/// How long a call waits for its outcome unless [`Call::timeout`] says otherwise.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// A call of a remote method: a future of its result.
///
/// The arguments are encoded when the call is made, so it borrows nothing. It takes its place
/// in the order of its handle when it is first polled or sent; one that is dropped before has
/// not happened. Dropped later, it is withdrawn if it has not started, and otherwise runs to
/// its end: then nobody learns its outcome.
#[must_use = "a call does nothing until it is awaited: add `.await`, or `.send()` to forget it"]
pub struct Call<T, E = Never> {
    stage: Stage,
    result: PhantomData<fn() -> Result<T, E>>,
}

enum Stage {
    /// Not sent yet.
    Made(Made),
    /// Its arguments could not be encoded.
    Refused(Cause),
    /// Under way; the handle stays open until the outcome is there.
    Sent {
        outcome: BoxFuture<'static, Completion>,
        _handle: Arc<Bound>,
    },
    /// Its outcome was given.
    Ended,
}

struct Made {
    bound: Arc<Bound>,
    method: &'static Method,
    arguments: Bytes,
    timeout: Duration,
}

/// A call's outcome and where in the object's history it stands.
pub type Traced<T, E = Never> = (Result<T, CallError<E>>, Option<Witness>);

impl<T, E> Call<T, E> {
    /// Makes a call, for generated proxies.
    pub fn new(handle: &Handle, method: &'static Method, arguments: Encoder) -> Self {
        let stage = match arguments.finish() {
            Ok(arguments) => Stage::Made(Made {
                bound: handle.bound().clone(),
                method,
                arguments,
                timeout: TIMEOUT_DEFAULT,
            }),
            Err(cause) => Stage::Refused(cause),
        };
        Self {
            stage,
            result: PhantomData,
        }
    }

    /// Waits at most `timeout` for the outcome, instead of [`TIMEOUT_DEFAULT`]. What happens
    /// at the deadline depends on how far the call came: it has not run
    /// ([`CallError::NotExecuted`]), was stopped ([`CallError::Failed`]), or nobody knows
    /// ([`CallError::Indeterminate`]). No effect on a call that is under way.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Stage::Made(made) = &mut self.stage {
            made.timeout = timeout;
        }
        self
    }

    /// Sends the call and waits for nothing: it takes effect at most once, and whether it did
    /// is not told. It keeps its place in the order of its handle.
    pub fn send(mut self) {
        if let Stage::Made(made) = mem::replace(&mut self.stage, Stage::Ended) {
            drop(made.invoke(true));
        }
    }

    /// Waits like the call itself, and also tells where in the object's history it stands.
    pub fn traced(self) -> Tracing<T, E> {
        Tracing { call: self }
    }

    /// The call as a record that is shipped with a state; `Err` says why it cannot be one.
    pub(crate) fn into_deferred(mut self) -> Result<Deferred, DeferError> {
        match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Made(made) => Ok(Deferred {
                target: made.bound.reference.clone(),
                method: made.method.id,
                name: String::from(made.method.name),
                arguments: made.arguments,
            }),
            Stage::Refused(cause) => Err(DeferError::Refused(cause)),
            Stage::Sent { .. } | Stage::Ended => Err(DeferError::Sent),
        }
    }

    fn poll_completion(&mut self, cx: &mut Context<'_>) -> Poll<Completion> {
        if let Stage::Made(made) = &self.stage {
            self.stage = match made.invoke(false) {
                Ok(outcome) => Stage::Sent {
                    outcome,
                    _handle: made.bound.clone(),
                },
                Err(cause) => Stage::Refused(cause),
            };
        }
        let completion = match &mut self.stage {
            Stage::Sent { outcome, .. } => ready!(outcome.as_mut().poll(cx)),
            Stage::Refused(cause) => {
                let outcome = Outcome::NotExecuted(cause.clone());
                Completion {
                    outcome,
                    witness: None,
                }
            }
            Stage::Made(_) | Stage::Ended => return Poll::Pending,
        };
        self.stage = Stage::Ended;
        Poll::Ready(completion)
    }
}

impl Made {
    fn invoke(&self, one_way: bool) -> Result<BoxFuture<'static, Completion>, Cause> {
        let (parent, timeout) = match &self.bound.scope {
            None => (None, self.timeout),
            Some(scope) => {
                let left = self.timeout.min(scope.remaining());
                if left.is_zero() {
                    return Err(Cause::Deadline);
                }
                (Some(scope.parent()?), left)
            }
        };
        Ok(self.bound.node.invoke(Invocation {
            handle: self.bound.id(),
            target: self.bound.reference.clone(),
            method: self.method.id,
            write: self.method.write,
            codec: Codec::Cbor,
            arguments: self.arguments.clone(),
            timeout,
            one_way,
            parent,
        }))
    }
}

/// Why a call cannot be deferred.
pub(crate) enum DeferError {
    /// Its arguments could not be encoded.
    Refused(Cause),
    /// It is under way already.
    Sent,
}

impl<T: Wire, E: Wire> Future for Call<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let completion = ready!(self.poll_completion(cx));
        Poll::Ready(typed(completion.outcome))
    }
}

/// The future of a call's outcome and its place in the object's history.
#[must_use = "a call does nothing until it is awaited"]
#[derive(Debug)]
pub struct Tracing<T, E = Never> {
    call: Call<T, E>,
}

impl<T: Wire, E: Wire> Future for Tracing<T, E> {
    type Output = Traced<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let completion = ready!(self.call.poll_completion(cx));
        Poll::Ready((typed(completion.outcome), completion.witness))
    }
}

/// An outcome in the types of its method. A result that cannot be read is a lost one.
fn typed<T: Wire, E: Wire>(outcome: Outcome) -> Result<T, CallError<E>> {
    match outcome {
        Outcome::Returned(bytes) => wire::decode_cbor(&bytes).map_err(|_| CallError::Executed),
        Outcome::NotExecuted(cause) => Err(CallError::NotExecuted(cause)),
        Outcome::Failed(failure) => Err(CallError::Failed(typed_failure(failure))),
        Outcome::Executed => Err(CallError::Executed),
        Outcome::Indeterminate(cause) => Err(CallError::Indeterminate(cause)),
    }
}

fn typed_failure<E: Wire>(failure: Failure) -> MethodFailure<E> {
    match failure {
        Failure::Returned(bytes) => match wire::decode_cbor(&bytes) {
            Ok(error) => MethodFailure::Returned(error),
            Err(problem) => MethodFailure::Unreadable(problem),
        },
        Failure::Panicked(message) => MethodFailure::Panicked(message),
        Failure::Deadlock => MethodFailure::Deadlock,
        Failure::Deadline => MethodFailure::Deadline,
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::Made(made) => {
                let reference = &made.bound.reference;
                write!(
                    f,
                    "Call({}.{} of {})",
                    reference.kind, made.method.name, reference.id
                )
            }
            Stage::Refused(cause) => write!(f, "Call(refused: {cause})"),
            Stage::Sent { .. } => f.write_str("Call(under way)"),
            Stage::Ended => f.write_str("Call(ended)"),
        }
    }
}

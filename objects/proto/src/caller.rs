//! What a proxy needs from the node, or the simulated world, that it is bound to.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;

use bytes::Bytes;
use overlay_proto::{Duration, Instant};

use crate::execution::{CallChain, Codec};
use crate::object::MethodId;
use crate::outcome::{Outcome, Witness};
use crate::reference::RawRef;

/// A future as the driver gives it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One handle: calls through it take effect in the order made. Unique within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandleId(pub u64);

/// One call, ready to be sent.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The handle that it goes through.
    pub handle: HandleId,
    /// The object.
    pub target: RawRef,
    /// Which method.
    pub method: MethodId,
    /// Whether it may change the object: decides on session and retry, checked by the host.
    pub write: bool,
    /// How `arguments` and the result are encoded.
    pub codec: Codec,
    /// The encoded arguments.
    pub arguments: Bytes,
    /// When the caller stops waiting, counted from now.
    pub timeout: Duration,
    /// Nobody waits for the outcome.
    pub one_way: bool,
    /// Set inside a method: the call that this one is nested in.
    pub parent: Option<Parent>,
}

/// The call that a nested call is made from.
#[derive(Clone, Debug)]
pub struct Parent {
    /// The parent's chain, its own object appended to `holds`.
    pub chain: CallChain,
    /// Which nested call of the parent this is, from 0.
    pub ordinal: u32,
}

/// A call's end and where in the object's history it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// How it ended.
    pub outcome: Outcome,
    /// Its place in the object's history, where there is one.
    pub witness: Option<Witness>,
}

/// The node, or the simulated world, that proxies are bound to.
pub trait Caller: Send + Sync {
    /// A fresh handle.
    fn open_handle(&self) -> HandleId;

    /// The handle is dropped; calls under way go on.
    fn release_handle(&self, handle: HandleId);

    /// Makes a call. It is numbered and sent now, whether or not the future is polled;
    /// dropping the future withdraws it only if it has not been started. A one-way call's
    /// future is dropped at once, which withdraws nothing.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Completion>;

    /// The node's clock.
    fn now(&self) -> Instant;

    /// Ends after `duration` of the node's clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// A random number.
    fn random(&self) -> u64;
}

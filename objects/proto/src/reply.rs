//! What a method came to, encoded.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;

use bytes::Bytes;

use crate::caller::BoxFuture;
use crate::execution::Codec;
use crate::method::Method;
use crate::outcome::Cause;
use crate::wire::{self, Passer};

/// What a method came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Its result, encoded.
    Returned(Bytes),
    /// Its own error, encoded.
    Failed(Bytes),
    /// It was not run.
    Refused(Cause),
    /// It ran, but what it returned cannot be encoded.
    Unencodable(String),
}

impl Reply {
    /// The reply with this result.
    pub fn value<T>(codec: Codec, passer: Passer<T>, value: &T) -> Self {
        Self::returned((passer.answer)(codec, value))
    }

    /// The reply with this string.
    #[must_use]
    pub fn text(codec: Codec, value: &str) -> Self {
        Self::returned(wire::encode(codec, value))
    }

    /// The reply with this list.
    pub fn slice<T>(codec: Codec, passer: Passer<T>, value: &[T]) -> Self {
        Self::returned((passer.answer_slice)(codec, value))
    }

    /// The reply with this error.
    pub fn error<E>(codec: Codec, passer: Passer<E>, error: &E) -> Self {
        match (passer.answer)(codec, error) {
            Ok(bytes) => Self::Failed(Bytes::from(bytes)),
            Err(problem) => Self::Unencodable(format!("its error: {problem}")),
        }
    }

    fn returned(encoded: Result<Vec<u8>, String>) -> Self {
        match encoded {
            Ok(bytes) => Self::Returned(Bytes::from(bytes)),
            Err(problem) => Self::Unencodable(format!("its result: {problem}")),
        }
    }
}

/// A method that was started.
pub enum Dispatch<'a> {
    /// A plain one: it has ended.
    Done(Reply),
    /// An async one: it borrows the servant until it ends.
    Running(BoxFuture<'a, Reply>),
}

impl<'a> Dispatch<'a> {
    /// An async method under way.
    pub fn running(method: impl Future<Output = Reply> + Send + 'a) -> Self {
        Self::Running(Box::pin(method))
    }

    /// A call of a method that the kind does not have.
    #[must_use]
    pub fn unknown(kind: &str, method: &Method) -> Self {
        Self::refused(Cause::UnknownMethod {
            kind: String::from(kind),
            method: String::from(method.name),
        })
    }

    /// A call that is not run.
    #[must_use]
    pub const fn refused(cause: Cause) -> Self {
        Self::Done(Reply::Refused(cause))
    }
}

/// What a method that returns a type named `Result` must return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named `Result` but is not a `Result`",
    label = "a remote method that returns a `Result` returns `core::result::Result<T, E>`"
)]
pub trait Fallible {
    /// The result of a method that succeeded.
    type Value;
    /// The method's own error.
    type Error;
    /// The value itself.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

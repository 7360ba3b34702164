//! How a call failed, in the types of its method.

use alloc::string::String;
use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::outcome::Cause;

/// The error of a method that returns none: it has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Never {}

/// Why a call gave no result. Every variant says whether the call ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E = Never> {
    /// It did not run and will not: it may be made again.
    NotExecuted(Cause),
    /// It ran and said no; the object's state is as it was.
    Failed(MethodFailure<E>),
    /// It took effect, once, but its result is lost.
    Executed,
    /// It may have run, once at most, or may still run.
    Indeterminate(Cause),
}

/// Why a call that ran said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodFailure<E = Never> {
    /// The method returned this error.
    Returned(E),
    /// The method panicked with this message.
    Panicked(String),
    /// The call would have waited for itself, directly or through other objects.
    Deadlock,
    /// The method was still running at the call's deadline and was stopped.
    Deadline,
    /// The method returned an error that this program's version of the kind cannot read.
    Unreadable(String),
}

impl<E> CallError<E> {
    /// Whether the object's state is certainly as if the call had not been made.
    #[must_use]
    pub const fn changed_nothing(&self) -> bool {
        matches!(self, Self::NotExecuted(_) | Self::Failed(_))
    }

    /// The error that the method itself returned.
    pub fn returned(self) -> Option<E> {
        match self {
            Self::Failed(MethodFailure::Returned(error)) => Some(error),
            _ => None,
        }
    }

    /// The same error with the method's own error converted.
    pub fn map<F>(self, convert: impl FnOnce(E) -> F) -> CallError<F> {
        match self {
            Self::NotExecuted(cause) => CallError::NotExecuted(cause),
            Self::Failed(failure) => CallError::Failed(failure.map(convert)),
            Self::Executed => CallError::Executed,
            Self::Indeterminate(cause) => CallError::Indeterminate(cause),
        }
    }
}

impl<E> MethodFailure<E> {
    /// The same failure with the method's own error converted.
    pub fn map<F>(self, convert: impl FnOnce(E) -> F) -> MethodFailure<F> {
        match self {
            Self::Returned(error) => MethodFailure::Returned(convert(error)),
            Self::Panicked(message) => MethodFailure::Panicked(message),
            Self::Deadlock => MethodFailure::Deadlock,
            Self::Deadline => MethodFailure::Deadline,
            Self::Unreadable(problem) => MethodFailure::Unreadable(problem),
        }
    }
}

impl<E: fmt::Debug> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotExecuted(cause) => {
                write!(f, "the call did not run: {cause}; {}", advice(cause))
            }
            Self::Failed(failure) => {
                write!(
                    f,
                    "the call ran and failed, the object is as it was: {failure}"
                )
            }
            Self::Executed => f.write_str(
                "the call took effect, but its result is lost; do not repeat it, read the object",
            ),
            Self::Indeterminate(cause) => write!(
                f,
                "the call may have run, at most once: {cause}; read the object before repeating it"
            ),
        }
    }
}

/// What a caller can do about a call that did not run.
const fn advice(cause: &Cause) -> &'static str {
    match cause {
        Cause::Arguments(_) | Cause::TooLarge { .. } => "correct the call and make it again",
        Cause::WrongKind { .. } | Cause::UnknownMethod { .. } | Cause::UnknownKind(_) => {
            "compare the versions of the two programs"
        }
        Cause::Deleted | Cause::NotFound => "make a new object",
        _ => "it may be made again",
    }
}

impl<E: fmt::Debug> fmt::Display for MethodFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(error) => write!(f, "{error:?}"),
            Self::Panicked(message) => write!(f, "the method panicked: {message}"),
            Self::Deadlock => f.write_str("it would have waited for itself; make it again"),
            Self::Deadline => f.write_str("it was still running at its deadline"),
            Self::Unreadable(problem) => write!(f, "an error that cannot be read: {problem}"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for CallError<E> {}
impl<E: fmt::Debug> core::error::Error for MethodFailure<E> {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl core::error::Error for Never {}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("an error of a method that returns none"))
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn every_error_says_whether_the_call_ran() {
        let errors: [(CallError<&str>, &str); 4] = [
            (CallError::NotExecuted(Cause::Deadline), "did not run"),
            (
                CallError::Failed(MethodFailure::Returned("short of money")),
                "ran and failed",
            ),
            (CallError::Executed, "took effect"),
            (CallError::Indeterminate(Cause::NoQuorum), "may have run"),
        ];
        for (error, words) in errors {
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn only_calls_that_changed_nothing_say_so() {
        assert!(CallError::<Never>::NotExecuted(Cause::Deadline).changed_nothing());
        assert!(CallError::<Never>::Failed(MethodFailure::Deadlock).changed_nothing());
        assert!(!CallError::<Never>::Executed.changed_nothing());
        assert!(!CallError::<Never>::Indeterminate(Cause::Deadline).changed_nothing());
    }
}

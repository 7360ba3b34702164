//! How naming fails, and whether anything was changed.

use alloc::string::String;

use crate::error::CallError;
use crate::naming::names::Unbound;
use crate::object::ObjectId;
use crate::outcome::Cause;

/// Why an object was not found by its name, or did not get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamingError {
    /// A call of the directory of names ended like this, or the object was not made.
    Call(CallError<Unbound>),
    /// The name belongs to another object.
    AlreadyExists(String),
    /// No object has this name.
    NotFound(String),
    /// The object is of another kind.
    WrongKind {
        /// The object's name.
        name: String,
        /// The kind asked for.
        expected: String,
        /// The kind that it has.
        found: String,
    },
    /// The name is empty or longer than [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX).
    BadName,
    /// The object was made, but it is not known whether it got its name.
    NameUnknown {
        /// The name.
        name: String,
        /// The object.
        object: ObjectId,
        /// Why not.
        cause: Cause,
    },
}

impl NamingError {
    /// Whether it is certain that no object has the name because of this.
    #[must_use]
    pub const fn changed_nothing(&self) -> bool {
        match self {
            Self::Call(error) => error.changed_nothing(),
            Self::NameUnknown { .. } => false,
            _ => true,
        }
    }
}

impl From<CallError<Unbound>> for NamingError {
    fn from(error: CallError<Unbound>) -> Self {
        Self::Call(error)
    }
}

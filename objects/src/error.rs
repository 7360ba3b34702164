//! What can go wrong, and whether the call ran.

use std::fmt;

use objects_proto::error::CallError;
use objects_proto::kinds_table::KindError;
use objects_proto::naming::{NAME_BYTES_MAX, NamingError};
use objects_proto::object::{MEMBERS_MAX, ObjectId};
use objects_proto::outcome::Cause;
use overlay_proto::ClusterId;

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that an operation of a node can fail with: every call error fits in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It did not run and will not: it may be repeated.
    #[error("not executed: {0}")]
    NotExecuted(Cause),
    /// The method ran and said no, in these words; the object's state is as it was.
    #[error("the call ran and failed, the object is as it was: {0}")]
    Failed(String),
    /// The call took effect, once, but its result is lost.
    #[error("the call took effect, but its result is lost")]
    Executed,
    /// It may have run, at most once, or may still run.
    #[error("it may have run, at most once: {0}")]
    Indeterminate(Cause),
    /// The name belongs to another object.
    #[error("the name `{0}` is taken")]
    AlreadyExists(String),
    /// No object has this name.
    #[error("no object is named `{0}`")]
    NotFound(String),
    /// The object is of another kind.
    #[error("`{name}` is a `{found}`, not a `{expected}`")]
    WrongKind {
        /// The object's name.
        name: String,
        /// The kind asked for.
        expected: String,
        /// The kind that it has.
        found: String,
    },
    /// The name is empty or too long.
    #[error("a name has 1 to {} bytes", NAME_BYTES_MAX)]
    BadName,
    /// Names need a cluster, none was found, and this node cannot found one.
    #[error(
        "names need a cluster: no peer of cluster `{cluster}` answered, and this node cannot \
         found one because it {reason}; start a peer that hosts something, or say where one is"
    )]
    NoCluster {
        /// The cluster's name.
        cluster: String,
        /// Why this node cannot found it.
        reason: &'static str,
    },
    /// Two established clusters of one name met; a name could mean two objects.
    #[error(
        "two clusters of one name met: {ours} (this node's) and {theirs}; each keeps its own \
         names, so restart the peers of one of them or give it another name"
    )]
    ClusterConflict {
        /// This node's cluster.
        ours: ClusterId,
        /// The other one.
        theirs: ClusterId,
    },
    /// No host of this kind is known, so its version is not.
    #[error("no host of the kind `{0}` is known")]
    UnknownKind(String),
    /// An object was made, but it is not known whether it got its name.
    #[error("it is not known whether object {object} got the name `{name}`: {cause}")]
    NameUnknown {
        /// The name.
        name: String,
        /// The object.
        object: ObjectId,
        /// Why not.
        cause: Cause,
    },
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two kinds have one name, or there are too many.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// The replication factor is out of range.
    #[error("a replication factor of {0} is not in 1 to {max}", max = MEMBERS_MAX)]
    Factor(u8),
    /// A client hosts nothing.
    #[error("a client hosts nothing: remove `client()` or `host()`")]
    ClientHosts,
    /// The overlay did not start.
    #[error(transparent)]
    Overlay(#[from] overlay::StartError),
    /// No thread for the methods of objects.
    #[error("no thread to run methods on: {0}")]
    Executor(std::io::Error),
}

/// Whether what failed had run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ran {
    /// It did not run: it may be repeated.
    No,
    /// It ran and said no: nothing was changed.
    Failed,
    /// It took effect and its result is lost, or it is not known whether it ran.
    Unknown,
}

impl Error {
    /// Whether what failed had run.
    #[must_use]
    pub const fn ran(&self) -> Ran {
        match self {
            Self::Failed(_) => Ran::Failed,
            Self::Executed | Self::Indeterminate(_) | Self::NameUnknown { .. } => Ran::Unknown,
            _ => Ran::No,
        }
    }

    /// Whether it is certain that nothing was changed.
    #[must_use]
    pub const fn changed_nothing(&self) -> bool {
        !matches!(self.ran(), Ran::Unknown)
    }
}

impl<E: fmt::Debug> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::NotExecuted(cause) => Self::NotExecuted(cause),
            CallError::Failed(failure) => Self::Failed(failure.to_string()),
            CallError::Executed => Self::Executed,
            CallError::Indeterminate(cause) => Self::Indeterminate(cause),
        }
    }
}

impl From<NamingError> for Error {
    fn from(error: NamingError) -> Self {
        match error {
            NamingError::Call(error) => error.into(),
            NamingError::AlreadyExists(name) => Self::AlreadyExists(name),
            NamingError::NotFound(name) => Self::NotFound(name),
            NamingError::WrongKind {
                name,
                expected,
                found,
            } => Self::WrongKind {
                name,
                expected,
                found,
            },
            NamingError::BadName => Self::BadName,
            NamingError::NameUnknown {
                name,
                object,
                cause,
            } => Self::NameUnknown {
                name,
                object,
                cause,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use objects_proto::error::MethodFailure;

    use super::*;

    #[test]
    fn every_call_error_says_whether_the_call_ran() {
        let errors: [(CallError<u8>, bool, &str); 4] = [
            (
                CallError::NotExecuted(Cause::Deadline),
                true,
                "not executed",
            ),
            (
                CallError::Failed(MethodFailure::Returned(7)),
                true,
                "ran and failed",
            ),
            (CallError::Executed, false, "took effect"),
            (
                CallError::Indeterminate(Cause::NoQuorum),
                false,
                "may have run",
            ),
        ];
        for (error, changed_nothing, words) in errors {
            let error = Error::from(error);
            assert_eq!(error.changed_nothing(), changed_nothing, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

//! Exit codes: a script learns from them whether its call ran.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The call ran and said no: its own error, a panic, a deadlock, its deadline.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// It did not run: nobody answered, nothing of that name, no quorum, overload.
    NotExecuted = 3,
    /// It may have run, or it ran and its answer is lost.
    Indeterminate = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

//! The history of one process: a line when a call is made, before anything is sent, and a line
//! when it ends. What was written stays when the process is killed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Line {
    /// A call is made.
    Begun {
        id: u64,
        /// The object's number among those of the run.
        object: usize,
        handle: u64,
        what: What,
        /// Microseconds of the machine's monotonic clock, which all processes share.
        at: u64,
    },
    /// It ended.
    Ended {
        id: u64,
        at: u64,
        class: Class,
        /// Epoch and version that the reply claims.
        witness: Option<(u64, u64)>,
    },
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// Appends the call's id to a log, or raises a counter by one.
    Write,
    /// Reads.
    Read,
    /// Moves so much money to the account with this number among the objects.
    Transfer { amount: u64, to: usize },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Class {
    /// It returned these numbers; the second is 0 where there is one.
    Returned(u64, u64),
    /// It did not run.
    NotExecuted,
    /// It ran and said no.
    Failed,
    /// It took effect, its result is lost.
    Executed,
    /// Nobody knows.
    Indeterminate,
}

/// Writes the history of one process.
pub(crate) struct Recorder(Mutex<File>);

impl Recorder {
    /// Into a new file.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::create(path)?)))
    }

    /// Writes a line, whole and at once.
    pub(crate) fn write(&self, line: &Line) {
        let Ok(mut text) = serde_json::to_string(line) else {
            return;
        };
        text.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(text.as_bytes()) {
            eprintln!("the history cannot be written: {error}");
        }
    }
}

/// Now, in microseconds of the monotonic clock.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}

/// Reads a history. A last line that was cut short by a kill is left out.
///
/// # Errors
/// If the file cannot be read, or a line before the last one is none.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))
}

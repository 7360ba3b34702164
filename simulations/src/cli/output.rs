//! Lines for whoever reads them.

use std::fmt;
use std::io::Write;

/// What a shell reports of a program whose reader went away.
const READER_GONE: i32 = 141;

/// Writes to the standard output. If nobody reads it any more (`| head`), there is nothing left
/// to do, and nothing to complain about.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    if std::io::stdout().lock().write_fmt(text).is_err() {
        std::process::exit(READER_GONE);
    }
}

/// Prints a line, like `println!`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::output::write(format_args!("{}\n", format_args!($($text)*)))
    };
}

pub(crate) use say;

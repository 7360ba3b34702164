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

/// The same for a program that serves others, whoever reads what it prints: it goes on.
pub(crate) fn write_if_read(text: fmt::Arguments<'_>) {
    let _nobody_reads = std::io::stdout().lock().write_fmt(text);
}

/// Prints a line, like `println!`.
macro_rules! say {
    () => {
        $crate::stdout::write(format_args!("\n"))
    };
    ($($text:tt)*) => {
        $crate::stdout::write(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Prints a line if anybody reads it.
macro_rules! mention {
    ($($text:tt)*) => {
        $crate::stdout::write_if_read(format_args!("{}\n", format_args!($($text)*)))
    };
}

pub(crate) use {mention, say};

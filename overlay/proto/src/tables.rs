//! How full the tables are that other processes can fill.

/// A collection that grows with what other processes send, and its limit.
///
/// Where there are many of one kind, as one queue per object, it is the fullest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// `part.field`, unique within one machine.
    pub name: &'static str,
    /// Entries in it.
    pub len: usize,
    /// Most entries that it may ever have.
    pub cap: usize,
}

impl Table {
    /// A table with `len` entries where at most `cap` are allowed.
    #[must_use]
    pub const fn new(name: &'static str, len: usize, cap: usize) -> Self {
        Self { name, len, cap }
    }

    /// Whether it keeps its limit.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.len <= self.cap
    }
}

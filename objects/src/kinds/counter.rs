//! A number that many processes raise.

use crate::shared;
use serde::{Deserialize, Serialize};

/// A number that many processes raise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counter {
    /// The number.
    pub count: u64,
}

#[shared]
impl Counter {
    /// Adds `by` and returns the new number; stays at the largest one instead of wrapping.
    pub fn increment(&mut self, by: u64) -> u64 {
        self.count = self.count.saturating_add(by);
        self.count
    }

    /// The number.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Starts again from zero and returns the number before.
    pub fn reset(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }
}

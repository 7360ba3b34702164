//! A map from text to text.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::shared;
use serde::{Deserialize, Serialize};

/// Most keys in one answer of [`Map::keys`].
pub const KEYS_MAX: u32 = 1_000;

/// A map from text to text, in the order of its keys.
///
/// The whole map is one object: each write ships all of it to the replicas. It suits settings and
/// small tables; use many objects where the entries are many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Map {
    /// The entries.
    pub entries: BTreeMap<String, String>,
}

#[shared]
impl Map {
    /// Sets the value of `key` and returns the one before.
    pub fn put(&mut self, key: &str, value: &str) -> Option<String> {
        self.entries.insert(key.to_owned(), value.to_owned())
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<String> {
        self.entries.get(key).cloned()
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.entries.remove(key)
    }

    /// How many keys there are.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys behind `after` (from the first one without it), at most `limit` and at most
    /// [`KEYS_MAX`].
    pub fn keys(&self, after: Option<String>, limit: Option<u32>) -> Vec<String> {
        let limit = limit.unwrap_or(KEYS_MAX).min(KEYS_MAX) as usize;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.entries.range((start, Bound::Unbounded));
        keys.take(limit).map(|(key, _)| key.clone()).collect()
    }

    /// Sets `key` to `new` (removes it for `None`) if its value is `expected` (absent for
    /// `None`); says whether it did.
    pub fn compare_and_set(
        &mut self,
        key: &str,
        expected: Option<String>,
        new: Option<String>,
    ) -> bool {
        let value = self.entries.get(key);
        let matches = match expected {
            Some(expected) => value.is_some_and(|value| *value == expected),
            None => value.is_none(),
        };
        if matches {
            match new {
                Some(new) => self.entries.insert(key.to_owned(), new),
                None => self.entries.remove(key),
            };
        }
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_and_set_takes_absence_for_a_value() {
        let mut map = Map::default();
        let text = |text: &str| Some(text.to_owned());
        assert!(map.compare_and_set("a", None, text("1")));
        assert!(!map.compare_and_set("a", None, text("2")));
        assert!(map.compare_and_set("a", text("1"), None));
        assert!(map.is_empty());
    }

    #[test]
    fn keys_come_in_pages() {
        let mut map = Map::default();
        for key in ["a", "b", "c"] {
            map.put(key, "");
        }
        let page = map.keys(None, Some(2));
        assert_eq!(page, ["a", "b"]);
        assert_eq!(map.keys(page.last().cloned(), None), ["c"]);
    }
}

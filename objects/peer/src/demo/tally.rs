//! The demo's kind: a counter that also remembers which calls made it count.

use std::collections::BTreeMap;

use objects::shared;
use serde::{Deserialize, Serialize};

/// Counts calls, and records whose they were.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    count: u64,
    duplicates: u64,
    clients: BTreeMap<u32, Vec<(u64, u64)>>,
}

/// What a tally recorded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// Calls counted.
    pub count: u64,
    /// Calls that took effect a second time.
    pub duplicates: u64,
    /// Per client, the numbers of its calls as inclusive ranges.
    pub clients: BTreeMap<u32, Vec<(u64, u64)>>,
}

impl Recorded {
    /// Whether the call took effect.
    #[must_use]
    pub fn contains(&self, client: u32, number: u64) -> bool {
        self.clients.get(&client).is_some_and(|ranges| {
            ranges
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&number))
        })
    }
}

#[shared(name = "pydo.Tally")]
impl Tally {
    /// Counts one call of a client; the client's numbers rise by one with each call.
    pub fn record(&mut self, client: u32, number: u64) -> u64 {
        let ranges = self.clients.entry(client).or_default();
        if ranges
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&number))
        {
            self.duplicates += 1;
        } else {
            match ranges.last_mut() {
                Some((_, to)) if *to + 1 == number => *to = number,
                _ => ranges.push((number, number)),
            }
        }
        self.count += 1;
        self.count
    }

    /// Everything recorded.
    pub fn recorded(&self) -> Recorded {
        Recorded {
            count: self.count,
            duplicates: self.duplicates,
            clients: self.clients.clone(),
        }
    }
}

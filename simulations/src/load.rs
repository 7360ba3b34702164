//! What is asked of shared objects in a world of whole peers.

use serde::{Deserialize, Serialize};

/// Objects, their callers and lookups.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Number of objects.
    #[serde(default = "count")]
    pub count: u32,
    /// Handles that are open on each object at one time.
    #[serde(default = "handles")]
    pub handles: u32,
    /// Mean time between two calls through one handle, seconds.
    #[serde(default = "pace")]
    pub pace_seconds: f64,
    /// Lookups per second in the whole world: somebody who knows an object's id and nothing else
    /// finds it and reads it.
    #[serde(default = "lookups")]
    pub lookups_per_second: f64,
}

fn count() -> u32 {
    300
}

fn handles() -> u32 {
    2
}

fn pace() -> f64 {
    10.0
}

fn lookups() -> f64 {
    2.0
}

impl Default for Load {
    fn default() -> Self {
        Self {
            count: count(),
            handles: handles(),
            pace_seconds: pace(),
            lookups_per_second: lookups(),
        }
    }
}

impl Load {
    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let rates = [self.pace_seconds, self.lookups_per_second];
        if !rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) {
            return Some("pace_seconds and lookups_per_second of [objects] must be above 0");
        }
        (!(1..=100_000).contains(&self.count)).then_some("count of [objects] must be 1 to 100000")
    }
}

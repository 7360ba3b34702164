//! How safe a kind's calls are, chosen by its author.

use alloc::string::String;

use bytes::Bytes;
use overlay_proto::Duration;
use serde::{Deserialize, Serialize};

use crate::object::{Lineage, Version};

/// Whether calls wait until a majority of the replicas holds what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// They wait: nothing acknowledged is lost while a majority lives, and there is one primary.
    #[default]
    Strong,
    /// The primary answers at once and ships afterwards, every 20 ms or 64 calls. Another replica
    /// takes over without a majority; where two went on side by side, the one that took over
    /// last wins when they meet, and what the other did alone is discarded as a whole and
    /// reported.
    ///
    /// Of the promises of a strong object these do not hold:
    ///
    /// * *one writer*: while the network is split, each side may have a primary;
    /// * *durable before visible*: a primary that dies takes with it what it answered in its
    ///   last 20 ms (and the time to send it); one that was cut off loses what it answered since,
    ///   at most for 10 s, after which it answers `Isolated`; a replica that is picked though
    ///   another, unreachable one holds more, loses the difference;
    /// * *one effect per call* holds within the line of primaries that survives. What was answered
    ///   by a line that lost, a failure too, is not true of the other: there the call has no
    ///   effect, or that of an attempt that arrived there. Calls that the lost line recorded with
    ///   `after_commit` may have been delivered;
    /// * *reads* see what their primary did, which may be a discarded line.
    ///
    /// A replica that learns of a later line drops its own copy before it has that line's: if the
    /// only process of that line dies in between, the object is gone until it is recovered.
    ///
    /// What a discarded line is known to have done is reported by each process that held it. What
    /// died with its only holder is reported by nobody.
    Weak,
}

/// When what happens to objects in weak mode (reliability research 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeakTimings {
    /// A primary ships what it answered this long after it last did, to the next tick.
    pub ship: Duration,
    /// A process that is silent is replaced after this time, unless another member hears it.
    pub wait: Duration,
    /// A candidate collects copies for so long; twice as long if it reaches a minority.
    pub collect: Duration,
    /// A primary that shipped and heard no other member for so long executes nothing any more:
    /// it may have been replaced. [`Duration::MAX`] to go on for ever.
    pub isolated: Duration,
}

impl Default for WeakTimings {
    fn default() -> Self {
        Self {
            ship: Duration::from_millis(20),
            wait: Duration::from_millis(200),
            collect: Duration::from_millis(200),
            isolated: Duration::from_secs(10),
        }
    }
}

/// What a discarded line had done, as one process held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The object's kind.
    pub kind: String,
    /// The line that was discarded.
    pub lineage: Lineage,
    /// Its last version that the object still has.
    pub since: Version,
    /// Its last version that this process held.
    pub until: Version,
    /// Whether this process was the primary that executed them.
    pub primary: bool,
    /// The encoded state that is discarded.
    pub state: Bytes,
}

impl Lost {
    /// How many versions: calls, and sessions opened or closed.
    #[must_use]
    pub const fn versions(&self) -> u64 {
        self.until.0.saturating_sub(self.since.0)
    }
}

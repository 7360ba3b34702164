//! How safe a kind's calls are, chosen by its author.

use serde::{Deserialize, Serialize};

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
    /// * *one effect per call* holds within the line of primaries that survives: a call that was
    ///   answered by a line that lost has no effect, and calls that it recorded with
    ///   `after_commit` may have been delivered;
    /// * *reads* see what their primary did, which may be a discarded line.
    ///
    /// What a discarded line is known to have done is reported by each process that held it. What
    /// died with its only holder is reported by nobody.
    Weak,
}

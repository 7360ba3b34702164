//! How a kind's reads are made sure to be current.

use serde::{Deserialize, Serialize};

/// What the reads of a kind cost, and what they promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reads {
    /// Each asks a majority, after it arrived, whether its primary still is one: one round trip.
    /// Rests on no clock.
    #[default]
    Quorum,
    /// A primary with leases from a majority answers without asking. As current as a quorum
    /// read as long as no two clocks of the cluster differ in *rate* by 1.5 % or more. A primary
    /// that dies is replaced only when its leases have run out.
    Lease,
    /// The primary answers what it last knew to be chosen, however old that is: a primary that
    /// was replaced and does not know it answers from the past. For kinds that asked for it.
    Stale,
}

//! What a sweep must have brought about, or it proves little: the turns of events in which the
//! rules of the replication matter. A scenario that does not reach one is to be extended.
//!
//! Source: design review, section 5.

use std::collections::BTreeMap;

/// A replica set that shares no process with an earlier set of its object.
pub const DISJOINT: &str = "disjoint replacements";
/// A backup that became primary on a value that was sealed already.
pub const SEALED: &str = "takeovers of a sealed epoch";
/// A process that died or stopped while another member of the same set was down.
pub const DOUBLE_FAILURE: &str = "double failures";
/// A stopped primary that went on after another one had taken its place.
pub const THAW: &str = "thaws after a takeover";
/// A member that was told by a majority of its set that they forgot its epoch.
pub const OUTLIVED: &str = "sleepers that outlived tombstones";
/// A takeover whose majority needed members that held a promise and no value.
pub const PROMISE_ONLY: &str = "takeovers with promise-only members";
/// An execution in which a call failed between two that changed the object.
pub const ERROR_IN_BATCH: &str = "errors in the middle of a batch";
/// A primary that had leases from a majority, had not, and had them again under one ballot.
pub const LEASE_RETURNED: &str = "leases that lapsed and returned";
/// A process that died after it became a learner and before its set was established, where the
/// set was growing.
pub const NEWCOMER_DIED: &str = "newcomers that died in the growth window";
/// A transfer that began while one was under way between the same objects, the other way.
pub const OPPOSITE: &str = "opposite transfers";
/// A takeover in a set with a member that hosts another version of the kind.
pub const MIXED_VERSIONS: &str = "takeovers among mixed kind versions";
/// A primary that rested while nothing was called, and was called again.
pub const WOKEN: &str = "primaries that rested and were called";

/// All of them.
pub const ALL: [&str; 12] = [
    DISJOINT,
    SEALED,
    DOUBLE_FAILURE,
    THAW,
    OUTLIVED,
    PROMISE_ONLY,
    ERROR_IN_BATCH,
    LEASE_RETURNED,
    NEWCOMER_DIED,
    OPPOSITE,
    MIXED_VERSIONS,
    WOKEN,
];

/// How often each of them was counted; empty of runs that count none of them.
#[must_use]
pub fn of(counters: &BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
    let counted = |name: &&'static str| Some((*name, *counters.get(*name)?));
    ALL.iter().filter_map(counted).collect()
}

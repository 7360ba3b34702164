//! What an object machine counted since its start.

/// Counters of one object machine. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times that this process became primary in place of another one.
    pub takeovers: u64,
    /// Replica sets that this process went on with as their first primary.
    pub reconfigurations: u64,
    /// Members that were replaced because another host had more room, as seen by the primary
    /// that moved them; those that it moved itself away with are not among them.
    pub moves: u64,
    /// Calls that the executor ran for this process.
    pub calls_executed: u64,
    /// Times that the directory was asked where an object is.
    pub lookups: u64,
    /// Times that the directory was told where an object is.
    pub publishes: u64,
    /// Objects that this process made.
    pub created: u64,
    /// Replicas installed here.
    pub installs: u64,
    /// Differences that were put on record here instead of whole states.
    pub deltas: u64,
    /// Steps whose calls were run here and came to what they came to at the primary.
    pub replays: u64,
    /// Steps with a call that is declared deterministic and came to something else here.
    pub replays_differed: u64,
    /// Sessions, answers and awaited calls that this process forgot as their primary.
    pub expired: u64,
    /// Idle primaries that rested and were called again.
    pub woken: u64,
    /// Queued calls that were ended because they waited for themselves.
    pub deadlocks: u64,
    /// Reads that this process answered as a primary without asking anybody.
    pub lease_reads: u64,
    /// Times that another process was told to wait until a lease has run out.
    pub leases_awaited: u64,
    /// Versions of weak objects that were discarded here because another line went on.
    pub versions_lost: u64,
    /// Outbox calls that came to a definite end.
    pub deliveries: u64,
    /// Tombstones forgotten, each with a raise of the install floor above it.
    pub tombstones_forgotten: u64,
    /// Replicas that ended because a majority of their set had forgotten their epoch.
    pub sleepers: u64,
}

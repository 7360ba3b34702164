//! Limits that an embedding program may change; all others are named constants.

/// How much of the machine a node may use for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. A partial mesh needs few; each costs up to 300 kB.
    pub connections: u32,
    /// Connections with one peer: more than one only while two dial each other.
    pub connections_per_peer: u32,
    /// Connections being set up, in each direction.
    pub pending_connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 8,
            pending_connections: 256,
        }
    }
}

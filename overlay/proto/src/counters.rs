//! What an overlay machine counted since its start.

/// Counters of one overlay machine. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Gossip messages handed to the driver.
    pub gossip_published: u64,
    /// Gossip messages received and decoded.
    pub gossip_received: u64,
    /// Membership events in received gossip.
    pub gossip_events_received: u64,
    /// Membership events in received gossip that were news.
    pub gossip_events_applied: u64,
    /// Members first learned of by gossip.
    pub joins_by_gossip: u64,
    /// Members first learned of by anti-entropy.
    pub joins_by_sync: u64,
    /// Members first learned of by a greeting on a link.
    pub joins_by_greeting: u64,
    /// Direct probes sent.
    pub probes_sent: u64,
    /// Direct probes that were not answered in time.
    pub probes_missed: u64,
    /// Requests for indirect probes sent.
    pub indirect_probes_sent: u64,
    /// Own suspicions.
    pub suspicions: u64,
    /// Own refutations.
    pub refutations: u64,
    /// Members declared dead here.
    pub deaths_declared: u64,
    /// Times that a storm held back a declaration.
    pub storms: u64,
    /// Anti-entropy exchanges started.
    pub syncs_started: u64,
    /// Records received by anti-entropy that were news.
    pub sync_records_applied: u64,
    /// Dials asked for.
    pub dials: u64,
    /// Links closed as surplus or idle.
    pub links_closed: u64,
    /// Inputs from the network that were refused: undecodable, forged or beyond a limit.
    pub refused: u64,
}

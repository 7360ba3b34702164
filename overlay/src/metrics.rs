//! What a node counts, for people and for tests.

use std::sync::atomic::{AtomicU64, Ordering};

use overlay_proto::Counters;

/// Counters that the driver's tasks raise.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) registry_calls: AtomicU64,
    pub(crate) registry_calls_after_join: AtomicU64,
    pub(crate) directory_writes: AtomicU64,
    pub(crate) directory_lookups: AtomicU64,
    pub(crate) directory_answers: AtomicU64,
    pub(crate) topic_messages: AtomicU64,
    pub(crate) links_opened: AtomicU64,
    pub(crate) links_lost: AtomicU64,
    pub(crate) frames_in: AtomicU64,
    pub(crate) frames_out: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) strangers: AtomicU64,
}

/// Raises a counter by one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What a node counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// What the overlay machine counted: gossip, probes, joins and more.
    pub overlay: Counters,
    /// Calls to registries.
    pub registry_calls: u64,
    /// Those of them after the first other member was in the view.
    pub registry_calls_after_join: u64,
    /// Directory records written by this node.
    pub directory_writes: u64,
    /// Directory lookups started.
    pub directory_lookups: u64,
    /// Directory records found by them.
    pub directory_answers: u64,
    /// Messages received on topics of the application.
    pub topic_messages: u64,
    /// Links up now.
    pub links: u64,
    /// Links that came up.
    pub links_opened: u64,
    /// Links that went down.
    pub links_lost: u64,
    /// Frames received on links.
    pub frames_in: u64,
    /// Frames taken for sending on links.
    pub frames_out: u64,
    /// Connections now.
    pub connections: u64,
    /// Peers found to be of another cluster or no node at all.
    pub strangers: u64,
}

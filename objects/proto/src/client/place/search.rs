//! What is known of a search that is under way.

use alloc::collections::BTreeSet;

use overlay_proto::{Instant, ProcessId};

/// A search for an object's primary.
#[derive(Debug)]
pub(in crate::client) struct Search {
    pub(in crate::client) began: Instant,
    /// Rounds so far.
    pub(in crate::client) rounds: u32,
    pub(in crate::client) next_at: Instant,
    /// A member has answered since the last round.
    pub(in crate::client) answered: bool,
    /// Asked through the view, and not heard since.
    pub(in crate::client) unheard: BTreeSet<ProcessId>,
    /// The directory is being asked.
    pub(in crate::client) looking_up: bool,
    /// The directory has no more than what it gave.
    pub(in crate::client) exhausted: bool,
    /// The process that left calls unanswered.
    pub(in crate::client) suspect: Option<ProcessId>,
}

impl Search {
    /// A search that begins now.
    pub(in crate::client) const fn new(now: Instant, suspect: Option<ProcessId>) -> Self {
        Self {
            began: now,
            rounds: 0,
            next_at: now,
            answered: false,
            unheard: BTreeSet::new(),
            looking_up: false,
            exhausted: false,
            suspect,
        }
    }
}

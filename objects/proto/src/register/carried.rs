//! What a new primary begins with.

use alloc::collections::BTreeSet;

use overlay_proto::Instant;

use crate::flat_map::FlatMap;
use crate::object::Ballot;
use crate::register::member_set::MemberSet;
use crate::register::queue::Queue;
use crate::session::SessionId;

/// What goes with a primary into the next replica set, or with a candidate into its primacy.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) queue: Queue,
    pub(crate) outbox_done: BTreeSet<u64>,
    pub(crate) used: FlatMap<SessionId, Instant>,
    /// Members that promised with the value to go on from, and its ballot.
    pub(crate) keepers: (MemberSet, Ballot),
}

impl Carried {
    /// Nothing but which members promised with the value to go on from, and its ballot.
    pub(crate) fn by(keepers: MemberSet, from: Ballot) -> Self {
        Self {
            keepers: (keepers, from),
            ..Self::default()
        }
    }

    /// What the primary of the set before had.
    pub(crate) fn of(
        queue: Queue,
        outbox_done: BTreeSet<u64>,
        used: FlatMap<SessionId, Instant>,
    ) -> Self {
        Self {
            queue,
            outbox_done,
            used,
            ..Self::default()
        }
    }
}

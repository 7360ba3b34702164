//! The membership view: the sorted list of members as one node sees it. A hint, never a vote.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{PeerId, ProcessId};
use crate::member::{MemberRecord, MemberState};

/// One entry of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the member says of itself.
    pub record: Arc<MemberRecord>,
    /// What this node thinks of it: [`MemberState::Alive`] or [`MemberState::Suspect`].
    pub state: MemberState,
}

/// The living members as one node sees them, itself included, sorted by peer id.
///
/// Cheap to clone. Two nodes' views may differ at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipView {
    /// Raised with every change at this node; not comparable between nodes.
    pub version: u64,
    members: Arc<[Member]>,
}

impl MembershipView {
    /// A view of these members, in any order.
    #[must_use]
    pub fn new(version: u64, mut members: Vec<Member>) -> Self {
        members.sort_by_key(|member| member.record.process.peer);
        Self {
            version,
            members: members.into(),
        }
    }

    /// All members, sorted by peer id.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The members that accept objects and are not leaving, sorted by peer id.
    pub fn hosts(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| member.record.is_host() && !member.record.leaving)
    }

    /// The member of this peer, whatever its incarnation.
    #[must_use]
    pub fn peer(&self, peer: &PeerId) -> Option<&Member> {
        let index = self
            .members
            .binary_search_by_key(peer, |m| m.record.process.peer)
            .ok()?;
        self.members.get(index)
    }

    /// The member that is exactly this process.
    #[must_use]
    pub fn process(&self, process: &ProcessId) -> Option<&Member> {
        self.peer(&process.peer)
            .filter(|member| member.record.process == *process)
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member, not even this node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

//! The membership view: the sorted list of members as one node sees it. A hint, never a vote.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;

use crate::entry::Entry;
use crate::id::{PeerId, ProcessId};
pub use crate::member::Member;
use crate::peer_map::PeerMap;

/// The living members as one node sees them, itself included, sorted by peer id.
///
/// Cheap to clone, and cheap to make: a view shares with the node's table, and with the views
/// before and after it, whatever they have in common. Two nodes' views may differ at any time.
#[derive(Clone, Default)]
pub struct MembershipView {
    /// Raised with every change at this node; not comparable between nodes.
    pub version: u64,
    living: usize,
    fingerprint: u64,
    known: PeerMap<Entry>,
    listed: Arc<OnceBox<Vec<Member>>>,
}

impl MembershipView {
    /// A view of these members, in any order.
    #[must_use]
    pub fn new(version: u64, members: Vec<Member>) -> Self {
        let mut known = PeerMap::default();
        for member in members {
            known.insert(Entry::shown(member));
        }
        let living = known.iter().filter(|entry| entry.is_living());
        let fingerprint = living.fold(0, |all, entry| all ^ entry.member.hash());
        let living = known.iter().filter(|entry| entry.is_living()).count();
        Self::of(version, known, living, fingerprint)
    }

    /// The view of all `known` members that live; `living` is their number, `fingerprint` the
    /// exclusive or of their hashes.
    pub(crate) fn of(version: u64, known: PeerMap<Entry>, living: usize, fingerprint: u64) -> Self {
        Self {
            version,
            living,
            fingerprint,
            known,
            listed: Arc::default(),
        }
    }

    /// All members, sorted by peer id, as a list that is made at the first call for this view
    /// and its clones.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.listed
            .get_or_init(|| Box::new(self.iter().cloned().collect()))
    }

    /// All members, sorted by peer id.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.known
            .iter()
            .filter(|entry| entry.is_living())
            .map(|entry| &entry.member)
    }

    /// The members that accept objects and are not leaving, sorted by peer id.
    pub fn hosts(&self) -> impl Iterator<Item = &Member> {
        self.iter()
            .filter(|member| member.record.is_host() && !member.record.leaving)
    }

    /// The member of this peer, whatever its incarnation.
    #[must_use]
    pub fn peer(&self, peer: &PeerId) -> Option<&Member> {
        let entry = self.known.get(peer)?;
        entry.is_living().then_some(&entry.member)
    }

    /// The member that is exactly this process.
    #[must_use]
    pub fn process(&self, process: &ProcessId) -> Option<&Member> {
        self.peer(&process.peer)
            .filter(|member| member.record.process == *process)
    }

    /// A hash of the members, their sequences and their states: equal for views that show the
    /// same, whichever node's they are, and otherwise different but for bad luck.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.living
    }

    /// Whether there is no member, not even this node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.living == 0
    }
}

impl PartialEq for MembershipView {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
            && self.fingerprint == other.fingerprint
            && self.iter().eq(other.iter())
    }
}

impl Eq for MembershipView {}

impl fmt::Debug for MembershipView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembershipView")
            .field("version", &self.version)
            .field("members", &self.members())
            .finish()
    }
}

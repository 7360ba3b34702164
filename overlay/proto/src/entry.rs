//! What is known of one member, living or not, and which of two words about it is newer.

use alloc::sync::Arc;

use bytes::Bytes;

use crate::hash::{hash_peer, mix};
use crate::id::{PeerId, ProcessId};
use crate::member::{Member, MemberRecord, MemberState, SignedRecord};
use crate::peer_map::OfPeer;
use crate::time::Instant;

/// One known member.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its newest record, and what this node thinks of it.
    pub member: Member,
    /// The record as it was signed.
    pub signed: SignedRecord,
    /// The highest sequence of which anything is known: that of the record, or of a death or
    /// goodbye whose record did not arrive.
    pub sequence: u64,
    /// Since when it is in this state.
    pub since: Instant,
    /// Whether gossip carried this record.
    pub gossiped: bool,
    /// Whether it takes part in anti-entropy: all but those dead for long.
    pub synced: bool,
}

impl Entry {
    /// An entry that takes part in anti-entropy.
    #[must_use]
    pub fn new(
        record: Arc<MemberRecord>,
        signed: SignedRecord,
        state: MemberState,
        since: Instant,
    ) -> Self {
        Self {
            sequence: record.sequence,
            member: Member { record, state },
            signed,
            since,
            gossiped: false,
            synced: true,
        }
    }

    /// An entry of a view made by hand: nothing is known of it but what the view shows.
    pub(crate) fn shown(member: Member) -> Self {
        let unsigned = SignedRecord::new(Bytes::new(), Bytes::new());
        let Member { record, state } = member;
        Self::new(record, unsigned, state, Instant::ZERO)
    }

    /// Who it is.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.member.record.process
    }

    /// Whether it is in the view.
    #[must_use]
    pub fn is_living(&self) -> bool {
        self.member.state.is_living()
    }

    /// Where it stands in the order of news about its peer.
    #[must_use]
    pub fn news(&self) -> News {
        News::new(self.process(), self.sequence, self.member.state)
    }

    /// A hash of its place in the order of news.
    pub(crate) fn hash(&self) -> u64 {
        let News {
            sequence,
            incarnation,
            rank,
        } = self.news();
        let seed = mix(sequence ^ mix(incarnation ^ u64::from(rank)));
        hash_peer(seed, &self.member.record.process.peer)
    }
}

impl OfPeer for Entry {
    fn peer(&self) -> &PeerId {
        &self.member.record.process.peer
    }
}

/// The total order of all that can be said of one peer: the greatest is the newest.
///
/// Because it is total, members that heard the same news in any order agree. A member raises
/// its sequence above all that it hears of its peer, so its own word wins in the end. A
/// process starts with a sequence from its clock, hence a later incarnation mostly starts
/// above an earlier one, and corrects itself where it does not. Suspicion is no news of its
/// own: it is an opinion with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct News {
    sequence: u64,
    incarnation: u64,
    rank: u8,
}

impl News {
    /// The place of this news.
    #[must_use]
    pub fn new(process: ProcessId, sequence: u64, state: MemberState) -> Self {
        let rank = match state {
            MemberState::Alive | MemberState::Suspect => 0,
            MemberState::Dead => 1,
            MemberState::Left => 2,
        };
        Self {
            sequence,
            incarnation: process.incarnation.0,
            rank,
        }
    }
}

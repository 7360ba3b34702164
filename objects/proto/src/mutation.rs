//! Rules of the replication that can be broken on purpose, so that a test can show that it would
//! be noticed. Never set in production, where each costs a comparison.
//!
//! Source: reliability research 4.4, design review sections 1 and 5.

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// A majority counts one vote less.
    QuorumOneLess,
    /// A majority is one of the members that were heard lately.
    QuorumOfTheLiving,
    /// A learner that stored a version counts as a vote.
    LearnersVote,
    /// A ballot below the promised one is accepted.
    PromiseForgotten,
    /// A member without a record answers a prepare and keeps none (review 1.2).
    PromiseWithoutRecord,
    /// A candidate goes on from its own value, whatever the others promised with theirs.
    OwnValueKept,
    /// A value is kept for a later ballot by its version alone, whoever made it.
    KeptByVersion,
    /// The next replica set is installed before a majority has the seal.
    SealUnchosen,
    /// A call that failed is answered at once and leaves no version (review 1.3).
    FailuresUnshipped,
    /// A call that fails takes the calls before it in its batch back (review 1.4).
    RollbackToCommitted,
    /// A replica set does not name the seal that made it.
    SealUnnamed,
    /// A repeated call runs again.
    RepeatsRun,
    /// That a call ran is not shipped with what it did.
    CallsUnremembered,
    /// A result is taken that was made for another state (review 1.5).
    OldResultsTaken,
    /// A call under a session that is not known runs (review 1.7).
    UnknownSessionsRun,
    /// What a primary forgets of its callers is not shipped.
    ExpiryUnshipped,
    /// A read is answered without a round.
    ReadsUnchecked,
    /// A lost link ends a grant.
    LinkEndsGrant,
    /// A lease counts for objects that were confirmed in an older generation (review 1.6).
    GenerationIgnored,
    /// A ballot is promised in spite of a grant.
    GrantNotHonoured,
    /// A holder counts its lease from when the answer came, and uses all of the term.
    LeaseFromReceipt,
    /// A primary that has shipped a seal goes on reading under its leases.
    LeaseOutlivesSeal,
    /// A difference is applied to whatever state is there, and its result is not checked.
    DeltasUnchecked,
    /// A backup answers before it has run the calls of a step, and compares nothing (review
    /// 1.13).
    ReplayAnswersFirst,
    /// Tombstones are forgotten and the install floor stays (review 1.1).
    FloorNotRaised,
    /// Memberships below the install floor are entered (review 1.1).
    FloorIgnored,
    /// A discarded line is not reported.
    LossUnreported,
    /// A primary in weak mode goes on though it hears nobody.
    NeverIsolated,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::QuorumOneLess,
        Self::QuorumOfTheLiving,
        Self::LearnersVote,
        Self::PromiseForgotten,
        Self::PromiseWithoutRecord,
        Self::OwnValueKept,
        Self::KeptByVersion,
        Self::SealUnchosen,
        Self::FailuresUnshipped,
        Self::RollbackToCommitted,
        Self::SealUnnamed,
        Self::RepeatsRun,
        Self::CallsUnremembered,
        Self::OldResultsTaken,
        Self::UnknownSessionsRun,
        Self::ExpiryUnshipped,
        Self::ReadsUnchecked,
        Self::LinkEndsGrant,
        Self::GenerationIgnored,
        Self::GrantNotHonoured,
        Self::LeaseFromReceipt,
        Self::LeaseOutlivesSeal,
        Self::DeltasUnchecked,
        Self::ReplayAnswersFirst,
        Self::FloorNotRaised,
        Self::FloorIgnored,
        Self::LossUnreported,
        Self::NeverIsolated,
    ];
}

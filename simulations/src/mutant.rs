//! A rule of the cores that is broken on purpose.

use objects_proto::mutation::Mutation;

use crate::names;

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// One of the replication.
    Replication(Mutation),
    /// One of naming.
    Naming(names::Mutant),
}

impl Mutant {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let naming = names::Mutant::ALL.map(Self::Naming);
        Mutation::ALL
            .into_iter()
            .map(Self::Replication)
            .chain(naming)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Replication(mutation) => format!("{mutation:?}"),
            Self::Naming(mutant) => format!("{mutant:?}"),
        }
    }

    /// The core test that notices it, where a scenario needs too many seeds to reach what it
    /// takes: an object that is sealed twice in one epoch, into the same members; two values at one
    /// version, of which a third candidate counts both (the sweep needs 1,070 seeds for it).
    #[must_use]
    pub const fn left_to(self) -> Option<&'static str> {
        match self {
            Self::Replication(Mutation::SealUnnamed) => Some(
                "register::tests::stories_moving::two_seals_are_not_told_apart_by_their_members",
            ),
            Self::Replication(Mutation::KeptByVersion) => {
                Some("register::record::tests::only_the_named_value_is_kept_for_a_later_ballot")
            }
            _ => None,
        }
    }

    /// The scenario that is to notice it.
    #[must_use]
    pub const fn scenario(self) -> &'static str {
        match self {
            // Runs long enough for a set to be replaced and forgotten as a whole.
            Self::Replication(Mutation::FloorNotRaised | Mutation::FloorIgnored) => "replication",
            Self::Replication(_) => "register",
            Self::Naming(_) => "names",
        }
    }
}

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

    /// The core test that notices it, where no scenario reaches what it takes: a set that is
    /// replaced and forgotten as a whole while a member sleeps, an install under way while two
    /// candidates stand.
    #[must_use]
    pub const fn left_to(self) -> Option<&'static str> {
        match self {
            Self::Replication(Mutation::PromiseWithoutRecord) => {
                Some("register::tests::stories::a_promise_without_a_record_loses_writes")
            }
            Self::Replication(Mutation::FloorIgnored) => Some(
                "register::tests::random::memberships_entered_below_the_install_floor_are_caught",
            ),
            Self::Replication(Mutation::FloorNotRaised) => {
                Some("host::tombstones::tests::what_is_forgotten_without_a_floor_is_let_in_again")
            }
            _ => None,
        }
    }

    /// The scenario that is to notice it.
    #[must_use]
    pub const fn scenario(self) -> &'static str {
        match self {
            Self::Replication(_) => "register",
            Self::Naming(_) => "names",
        }
    }
}

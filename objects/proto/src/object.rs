//! What an object is called, and where in its history something happened.

use alloc::vec::Vec;
use core::fmt;

use overlay_proto::ProcessId;
use serde::{Deserialize, Serialize};

/// Most members of one replica set.
pub const MEMBERS_MAX: usize = 9;

/// The identity of an object: 128 random bits. An id has exactly one first configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(pub u128);

/// A remote method: the FNV-1a hash of its name, unique within a kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MethodId(pub u32);

impl MethodId {
    /// The id of the method with this name.
    #[must_use]
    pub const fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash: u32 = 0x811c_9dc5;
        let mut index = 0;
        while index < bytes.len() {
            hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
            index += 1;
        }
        Self(hash)
    }
}

/// A line of replica sets. Only `recover`, by an operator, starts another one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lineage {
    /// How many recoveries came before.
    pub number: u32,
    /// Random, so that two operators at once start two lineages of which one wins.
    pub tag: u32,
}

/// Which replica set of an object: the higher one is the newer one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch {
    /// The line of replica sets that it belongs to.
    pub lineage: Lineage,
    /// Raised by each sealed change of the set, from 1.
    pub number: u64,
}

/// Which primary within an epoch. Rounds restart with each epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ballot {
    /// Raised by each attempt to become primary.
    pub round: u32,
    /// Index in the configuration of the member that stands.
    pub member: u8,
}

/// How many calls (or seals, or installs) an object has executed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version(pub u64);

impl Version {
    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One member of a replica set: a process, and which of its memberships this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Replica {
    /// The process that holds the replica.
    pub process: ProcessId,
    /// Issued by that process for this membership; below its install floor it installs
    /// nothing any more.
    pub stamp: u64,
}

/// A replica set: who votes, in the order that gives member indices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Configuration {
    /// Which set of the object this is.
    pub epoch: Epoch,
    /// The members; index 0 is the first primary. 1 to [`MEMBERS_MAX`].
    pub members: Vec<Replica>,
}

impl Configuration {
    /// How many members make a majority: floor(n/2)+1 of the configuration, never of a view.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// The index of this process, if it is a member.
    #[must_use]
    pub fn index_of(&self, process: &ProcessId) -> Option<u8> {
        let index = self
            .members
            .iter()
            .position(|member| member.process == *process)?;
        u8::try_from(index).ok()
    }

    /// The process at this index.
    #[must_use]
    pub fn process(&self, index: u8) -> Option<ProcessId> {
        self.members
            .get(usize::from(index))
            .map(|member| member.process)
    }

    /// The members' processes in order.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.members.iter().map(|member| member.process)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({:08x})", self.0 >> 96)
    }
}

impl fmt::Debug for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodId({:08x})", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lineage.number == 0 {
            write!(f, "{}", self.number)
        } else {
            write!(
                f,
                "{}.{:x}/{}",
                self.lineage.number, self.lineage.tag, self.number
            )
        }
    }
}

//! What an object is called, and where in its history something happened.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use overlay_proto::ProcessId;
use serde::{Deserialize, Serialize};

/// Most members of one replica set.
pub const MEMBERS_MAX: usize = 9;

/// Most forks that a replica set remembers: the newest.
pub const FORKS_MAX: usize = 8;

/// The identity of an object: the 16 bits of its slot, then 112 random ones. An id has exactly one
/// first configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(pub u128);

impl ObjectId {
    /// An id of this slot. Of `random` the lower 112 bits count.
    #[must_use]
    pub const fn in_slot(slot: Slot, random: u128) -> Self {
        Self(slot.first().0 | (random & (u128::MAX >> Slot::BITS)))
    }

    /// The slot that the object was dealt.
    #[must_use]
    pub const fn slot(self) -> Slot {
        Slot((self.0 >> (u128::BITS - Slot::BITS)) as u16)
    }
}

/// A part of the ids, which the directory has one record for. Creators deal their objects to the
/// slots in turn, and objects of one slot are placed alike.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Slot(pub u16);

impl Slot {
    /// Bits of an id that are its slot.
    const BITS: u32 = u16::BITS;
    /// How many slots there are.
    pub const COUNT: usize = 1 << Self::BITS;

    /// The slot that is dealt after this one; after the last the first.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// All ids of the slot: they are neighbours in the order of ids.
    #[must_use]
    pub const fn ids(self) -> RangeInclusive<ObjectId> {
        let first = self.first();
        RangeInclusive::new(first, ObjectId(first.0 | (u128::MAX >> Self::BITS)))
    }

    const fn first(self) -> ObjectId {
        ObjectId((self.0 as u128) << (u128::BITS - Self::BITS))
    }
}

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

/// Where the line of replica sets that an object goes on in left another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fork {
    /// The line that was left.
    pub lineage: Lineage,
    /// Its last version that is also one of this object's.
    pub version: Version,
}

/// Which version of the set before, by which primary, made a replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seal {
    /// The primary's ballot when it sealed the object.
    pub ballot: Ballot,
    /// The version that is the seal.
    pub version: Version,
}

/// A replica set: who votes, in the order that gives member indices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Configuration {
    /// Which set of the object this is.
    pub epoch: Epoch,
    /// The members; index 0 is the first primary. 1 to [`MEMBERS_MAX`]. Many objects have the same.
    pub members: Arc<[Replica]>,
    /// The lines that the object comes from, oldest first: one for each takeover in weak mode,
    /// and each recovery. At most [`FORKS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forks: Vec<Fork>,
    /// The seal that led to it. Two primaries may seal an object into the same members; only one
    /// of the seals is chosen, and a set says which. None of an object's first set, or of a line's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

impl Configuration {
    /// The forks of a line that leaves this one after `version`.
    #[must_use]
    pub fn forked_at(&self, version: Version) -> Vec<Fork> {
        let lineage = self.epoch.lineage;
        let mut forks = self.forks.clone();
        forks.push(Fork { lineage, version });
        let surplus = forks.len().saturating_sub(FORKS_MAX);
        forks.drain(..surplus);
        forks
    }

    /// The newest version, of those up to `version` in this line, that `other`'s line has too;
    /// 0 if none is known to be.
    #[must_use]
    pub fn shared_with(&self, version: Version, other: &Self) -> Version {
        let lineage = self.epoch.lineage;
        let newest = Fork { lineage, version };
        let mine = core::iter::once(&newest).chain(self.forks.iter().rev());
        for fork in mine {
            if fork.lineage == other.epoch.lineage {
                return fork.version;
            }
            let theirs = other.forks.iter().find(|one| one.lineage == fork.lineage);
            if let Some(theirs) = theirs {
                return fork.version.min(theirs.version);
            }
        }
        Version(0)
    }

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

    /// The other members, in the order in which they stand for primary when this one is gone. It
    /// begins at another one for each object, so that its objects are spread among those that had
    /// the same sets.
    pub(crate) fn successors(
        &self,
        object: ObjectId,
        of: &ProcessId,
    ) -> impl Iterator<Item = ProcessId> + '_ {
        let of = *of;
        let others = self.processes().filter(|one| *one != of).count().max(1);
        let begin = usize::try_from(object.0 % others as u128).unwrap_or_default();
        let order = move || self.processes().filter(move |one| *one != of);
        order().skip(begin).chain(order().take(begin))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tag: u32, forks: &[(u32, u64)]) -> Configuration {
        let lineage = |tag| Lineage { number: 0, tag };
        let forks = forks.iter().map(|(tag, version)| Fork {
            lineage: lineage(*tag),
            version: Version(*version),
        });
        Configuration {
            epoch: Epoch {
                lineage: lineage(tag),
                number: 1,
            },
            members: Arc::default(),
            forks: forks.collect(),
            seal: None,
        }
    }

    #[test]
    fn two_lines_share_what_came_before_they_parted() {
        let root = line(0, &[]);
        let (left, right) = (line(1, &[(0, 100)]), line(2, &[(0, 90)]));
        let later = line(3, &[(0, 100), (1, 150)]);
        let stranger = line(9, &[]);
        let shared = |of: &Configuration, version, with| of.shared_with(Version(version), with).0;
        assert_eq!(shared(&root, 120, &left), 100);
        assert_eq!(shared(&root, 80, &left), 80);
        assert_eq!(shared(&left, 130, &right), 90);
        assert_eq!(shared(&left, 170, &later), 150);
        assert_eq!(shared(&later, 200, &left), 150);
        assert_eq!(shared(&right, 130, &later), 90);
        assert_eq!(shared(&left, 130, &root), 100);
        assert_eq!(shared(&left, 130, &stranger), 0);
        assert_eq!(shared(&left, 130, &left), 130);
    }

    #[test]
    fn an_id_says_its_slot_and_lies_among_those_of_the_slot() {
        for slot in [Slot(0), Slot(1), Slot(0xab_cd), Slot(u16::MAX)] {
            for random in [0, 7, u128::MAX] {
                let id = ObjectId::in_slot(slot, random);
                assert_eq!(id.slot(), slot);
                assert!(slot.ids().contains(&id));
                assert!(!slot.next().ids().contains(&id));
            }
            assert_eq!(slot.ids().end().slot(), slot);
        }
        assert_eq!(Slot(u16::MAX).next(), Slot(0));
        assert_ne!(
            ObjectId::in_slot(Slot(1), 2),
            ObjectId::in_slot(Slot(1), 3),
            "the rest is random"
        );
    }

    #[test]
    fn the_oldest_forks_are_forgotten() {
        let mut set = line(0, &[]);
        for tag in 1..=20 {
            set = Configuration {
                forks: set.forked_at(Version(u64::from(tag))),
                seal: None,
                ..line(tag, &[])
            };
        }
        assert_eq!(set.forks.len(), FORKS_MAX);
        let newest = set.forks.last().map(|fork| fork.version);
        assert_eq!(newest, Some(Version(20)));
    }
}

//! A few members of a replica set, by their index.

/// Indices of members: below 16, of which a set has at most
/// [`MEMBERS_MAX`](crate::object::MEMBERS_MAX). Two bytes, so that every replica can have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberSet(u16);

/// An index that a set has room for and no member has.
pub(crate) const NO_MEMBER: u8 = 15;

impl MemberSet {
    /// None.
    pub(crate) const EMPTY: Self = Self(0);

    /// This member, and no other.
    pub(crate) fn of(index: u8) -> Self {
        Self(bit(index))
    }

    /// Adds a member. Whether it is a new one; an index that no member has is none.
    pub(crate) fn insert(&mut self, index: u8) -> bool {
        let with = self.0 | bit(index);
        core::mem::replace(&mut self.0, with) != with
    }

    /// Whether the member is among them.
    pub(crate) fn contains(self, index: u8) -> bool {
        self.0 & bit(index) != 0
    }

    /// How many they are.
    pub(crate) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }
}

fn bit(index: u8) -> u16 {
    1_u16.checked_shl(u32::from(index)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_once() {
        let mut set = MemberSet::default();
        assert!(set.insert(0) && set.insert(8) && !set.insert(8));
        assert!(set.contains(8) && !set.contains(1));
        assert!(!set.insert(16) && !set.contains(255), "no member's");
        assert_eq!(set.len(), 2);
    }
}

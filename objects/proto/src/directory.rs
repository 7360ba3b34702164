//! What the directory holds for a slot: hints who has its objects, believed only after contact.

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{ProcessId, codec};
use serde::{Deserialize, Serialize};

use crate::object::Slot;

/// Longest encoded record, bytes: one of [`HOLDERS_MAX`] holders fits.
pub const RECORD_BYTES_MAX: usize = 2 * 1024;

/// Most records that are looked at for one lookup's answer.
pub const RECORDS_MAX: usize = 32;

/// Most processes that a record names.
pub const HOLDERS_MAX: usize = 32;

/// Who held the objects of a slot when primaries of some of them said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The slot.
    pub slot: Slot,
    /// Members of its objects' replica sets, those that were named last in front. 1 to
    /// [`HOLDERS_MAX`].
    pub holders: Vec<ProcessId>,
}

impl SlotRecord {
    /// A record of these holders: each once, and the first [`HOLDERS_MAX`] only.
    #[must_use]
    pub fn new(slot: Slot, holders: impl IntoIterator<Item = ProcessId>) -> Self {
        let mut record = Self {
            slot,
            holders: Vec::new(),
        };
        record.add(holders);
        record
    }

    /// Takes over holders that another record of the slot names, behind its own, as long as there
    /// is room. Those that do not live are left out.
    pub fn merge(&mut self, other: &Self, lives: impl Fn(&ProcessId) -> bool) {
        let holders = other.holders.iter().copied();
        self.add(holders.filter(|process| lives(process)));
    }

    fn add(&mut self, holders: impl IntoIterator<Item = ProcessId>) {
        for process in holders {
            if self.holders.len() >= HOLDERS_MAX {
                return;
            }
            if !self.holders.contains(&process) {
                self.holders.push(process);
            }
        }
    }

    /// The record as the directory holds it; `None` if it would be too long.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        codec::encode(self)
            .ok()
            .filter(|bytes| bytes.len() <= RECORD_BYTES_MAX)
            .map(Bytes::from)
    }

    /// The record in `bytes`, if it is one of `slot` with a possible number of holders.
    #[must_use]
    pub fn decode(slot: Slot, bytes: &[u8]) -> Option<Self> {
        let record: Self = codec::decode_limited(bytes, RECORD_BYTES_MAX).ok()?;
        let possible = (1..=HOLDERS_MAX).contains(&record.holders.len());
        (record.slot == slot && possible).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(number: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(u64::MAX),
        }
    }

    /// Not by way of `new`, which knows the limit.
    fn record(holders: u8) -> SlotRecord {
        SlotRecord {
            slot: Slot(u16::MAX),
            holders: (0..holders).map(|number| process(!number)).collect(),
        }
    }

    #[test]
    fn the_largest_record_fits_and_survives() {
        let record = record(HOLDERS_MAX as u8);
        let bytes = record.encode().unwrap();
        assert_eq!(SlotRecord::decode(record.slot, &bytes), Some(record));
        assert_eq!(SlotRecord::decode(Slot(1), &bytes), None, "another slot's");
        assert_eq!(SlotRecord::decode(Slot(u16::MAX), &bytes[1..]), None);
    }

    #[test]
    fn impossible_records_and_giants_are_no_records() {
        for holders in [0, HOLDERS_MAX as u8 + 1] {
            let record = record(holders);
            let bytes = codec::encode(&record).unwrap();
            assert_eq!(SlotRecord::decode(record.slot, &bytes), None);
        }
        assert_eq!(record(200).encode(), None);
        let giant = vec![0xa0; RECORD_BYTES_MAX + 1];
        assert_eq!(SlotRecord::decode(Slot(1), &giant), None);
    }

    #[test]
    fn own_holders_come_first_and_those_that_live_follow_while_there_is_room() {
        let old = SlotRecord::new(Slot(7), [2, 3, 4].map(process));
        let mut own = SlotRecord::new(Slot(7), [1, 2, 1].map(process));
        own.merge(&old, |one| *one != process(3));
        assert_eq!(own.holders, [1, 2, 4].map(process));
        let mut crowd = SlotRecord::new(Slot(7), (100..130).map(process));
        crowd.merge(&own, |_| true);
        assert_eq!(crowd.holders.len(), HOLDERS_MAX);
        assert_eq!(crowd.holders[30..], [1, 2].map(process));
        let surplus = SlotRecord::new(Slot(7), (0..200).map(process));
        assert_eq!(surplus.holders.len(), HOLDERS_MAX);
    }
}

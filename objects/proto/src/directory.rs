//! What the directory holds for an object: a hint where it is, believed only after contact.

use alloc::string::String;

use bytes::Bytes;
use overlay_proto::codec;
use serde::{Deserialize, Serialize};

use crate::object::{Configuration, FORKS_MAX, MEMBERS_MAX, ObjectId};

/// Longest encoded record, bytes.
pub const RECORD_BYTES_MAX: usize = 2 * 1024;

/// Most records that are looked at for one lookup's answer.
pub const RECORDS_MAX: usize = 32;

/// Where an object was when one of its primaries said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRecord {
    /// The object.
    pub object: ObjectId,
    /// The name of its kind; empty where the publisher did not say.
    #[serde(default)]
    pub kind: String,
    /// Its replica set.
    pub configuration: Configuration,
}

impl DirectoryRecord {
    /// The record as the directory holds it; `None` if it would be too long.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        codec::encode(self)
            .ok()
            .filter(|bytes| bytes.len() <= RECORD_BYTES_MAX)
            .map(Bytes::from)
    }

    /// The record in `bytes`, if it is one of `object` with a possible replica set.
    #[must_use]
    pub fn decode(object: ObjectId, bytes: &[u8]) -> Option<Self> {
        let record: Self = codec::decode_limited(bytes, RECORD_BYTES_MAX).ok()?;
        let members = record.configuration.members.len();
        let forks = record.configuration.forks.len();
        let possible = (1..=MEMBERS_MAX).contains(&members) && forks <= FORKS_MAX;
        (record.object == object && possible).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use overlay_proto::{Incarnation, PeerId, ProcessId};

    use super::*;
    use crate::object::{Ballot, Epoch, Fork, Lineage, Replica, Seal, Version};

    fn record(members: usize) -> DirectoryRecord {
        let process = ProcessId {
            peer: PeerId([255; 32]),
            incarnation: Incarnation(u64::MAX),
        };
        let member = Replica {
            process,
            stamp: u64::MAX,
        };
        DirectoryRecord {
            object: ObjectId(u128::MAX),
            kind: String::from("shop.Counter"),
            configuration: Configuration {
                epoch: Epoch::default(),
                members: vec![member; members].into(),
                forks: vec![
                    Fork {
                        lineage: Lineage::default(),
                        version: Version(u64::MAX)
                    };
                    FORKS_MAX
                ],
                seal: Some(Seal {
                    ballot: Ballot {
                        round: u32::MAX,
                        member: u8::MAX,
                    },
                    version: Version(u64::MAX),
                }),
            },
        }
    }

    #[test]
    fn the_largest_set_fits_and_survives() {
        let record = record(MEMBERS_MAX);
        let bytes = record.encode().unwrap();
        assert_eq!(
            DirectoryRecord::decode(record.object, &bytes),
            Some(record.clone())
        );
        assert_eq!(
            DirectoryRecord::decode(ObjectId(1), &bytes),
            None,
            "another object's"
        );
        assert_eq!(DirectoryRecord::decode(record.object, &bytes[1..]), None);
    }

    #[test]
    fn impossible_sets_and_giants_are_no_records() {
        for members in [0, MEMBERS_MAX + 1] {
            let record = record(members);
            let bytes = codec::encode(&record).unwrap();
            assert_eq!(DirectoryRecord::decode(record.object, &bytes), None);
        }
        assert_eq!(record(200).encode(), None);
        let giant = vec![0xa0; RECORD_BYTES_MAX + 1];
        assert_eq!(DirectoryRecord::decode(ObjectId(1), &giant), None);
    }
}

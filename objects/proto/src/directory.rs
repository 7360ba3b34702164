//! What the directory holds for an object: a hint where it is, believed only after contact.

use alloc::string::String;

use bytes::Bytes;
use overlay_proto::codec;
use serde::{Deserialize, Serialize};

use crate::object::{Configuration, MEMBERS_MAX, ObjectId};

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
        (record.object == object && (1..=MEMBERS_MAX).contains(&members)).then_some(record)
    }
}

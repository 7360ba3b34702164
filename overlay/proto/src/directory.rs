//! The directory: records in a distributed hash table that say where an object is.
//!
//! A record is a hint by its signer, believed only after contact with a member that it names.
//! No record is believed for the epoch that it claims, and none pushes those of other signers
//! aside: a store keeps a few of different signers per object, and a lookup tries them all.
//! Written in the background; no call ever waits for it.

mod lookup;
mod publications;
mod store;

pub use lookup::Lookup;
pub use publications::{Publication, Publications, TooManyObjects};
pub use store::{Store, StoreError};

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::id::PeerId;
use crate::member::Keys;

/// Longest encoded directory record, bytes.
pub const DIRECTORY_RECORD_BYTES_MAX: usize = 2 * 1024;
/// Records of different signers kept per object.
pub const SIGNERS_MAX: usize = 4;
/// Longest encoded bundle, bytes.
pub const BUNDLE_BYTES_MAX: usize = SIGNERS_MAX * (DIRECTORY_RECORD_BYTES_MAX + 256);

/// The key of an object in the directory: its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// What one peer says of an object's whereabouts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRecord {
    /// The object.
    pub object: ObjectKey,
    /// Its epoch, opaque here.
    pub epoch: Bytes,
    /// Its members, opaque here.
    pub value: Bytes,
    /// Raised by the signer with each record of this object.
    pub sequence: u64,
    /// Who says it.
    pub signer: PeerId,
}

/// A directory record as its signer signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDirectoryRecord {
    /// The CBOR of a [`DirectoryRecord`].
    pub body: Bytes,
    /// The signer's signature over `body`.
    pub signature: Bytes,
}

/// Why a directory record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryRecordError {
    /// Not a directory record, or too long.
    #[error("not a directory record: {0}")]
    Decode(#[from] DecodeError),
    /// The signature is not the signer's.
    #[error("the directory record is not signed by the peer that it names")]
    Signature,
}

impl SignedDirectoryRecord {
    /// Signs `record` with the keys of the signer that it names.
    #[must_use]
    pub fn sign(record: &DirectoryRecord, keys: &dyn Keys) -> Self {
        let body = Bytes::from(codec::encode(record).unwrap_or_default());
        let signature = Bytes::from(keys.sign(&body));
        Self { body, signature }
    }

    /// The record, if it is well formed and signed by the peer that it names.
    ///
    /// # Errors
    /// [`DirectoryRecordError`].
    pub fn open(&self, keys: &dyn Keys) -> Result<DirectoryRecord, DirectoryRecordError> {
        let record: DirectoryRecord =
            codec::decode_limited(&self.body, DIRECTORY_RECORD_BYTES_MAX)?;
        if keys.verify(&record.signer, &self.body, &self.signature) {
            Ok(record)
        } else {
            Err(DirectoryRecordError::Signature)
        }
    }
}

/// The value under an object's key in the hash table: records of different signers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// At most [`SIGNERS_MAX`].
    pub records: Vec<SignedDirectoryRecord>,
}

impl Bundle {
    /// Encodes the bundle as CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self).unwrap_or_default()
    }

    /// Decodes a bundle, refusing one beyond its limits.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bundle: Self = codec::decode_limited(bytes, BUNDLE_BYTES_MAX)?;
        if bundle.records.len() > SIGNERS_MAX {
            return Err(DecodeError::TooLong {
                got: bundle.records.len(),
                limit: SIGNERS_MAX,
            });
        }
        Ok(bundle)
    }
}

#[cfg(test)]
mod tests;

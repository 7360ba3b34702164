//! The records that this node stores for others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Bundle, DirectoryRecordError, ObjectKey, SIGNERS_MAX, SignedDirectoryRecord};
use crate::config::DirectoryConfig;
use crate::id::PeerId;
use crate::member::Keys;
use crate::time::Instant;

#[derive(Debug)]
struct Stored {
    signer: PeerId,
    sequence: u64,
    expires: Instant,
    record: SignedDirectoryRecord,
}

/// Records by object, a few of different signers each.
#[derive(Debug)]
pub struct Store {
    config: DirectoryConfig,
    objects: BTreeMap<ObjectKey, Vec<Stored>>,
    signers: BTreeMap<PeerId, usize>,
    records: usize,
}

/// Why a record was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Malformed or not signed by its signer.
    #[error(transparent)]
    Record(#[from] DirectoryRecordError),
    /// The record is of another object than the key says.
    #[error("the record belongs to another key")]
    Key,
    /// The same signer said something as new or newer.
    #[error("the signer's newer record is stored")]
    Stale,
    /// The store is full.
    #[error("the store is full")]
    Full,
    /// The signer has as many records here as one may have.
    #[error("the signer has too many records here")]
    SignerFull,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(config: DirectoryConfig) -> Self {
        let (objects, signers) = (BTreeMap::new(), BTreeMap::new());
        Self {
            config,
            objects,
            signers,
            records: 0,
        }
    }

    /// Stores one record under `key`. A newer record of the same signer replaces its older one;
    /// a record of one signer too many replaces the one that expires first. Epochs play no
    /// part.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub fn put(
        &mut self,
        now: Instant,
        key: ObjectKey,
        signed: SignedDirectoryRecord,
        keys: &dyn Keys,
    ) -> Result<(), StoreError> {
        let record = signed.open(keys)?;
        if record.object != key {
            return Err(StoreError::Key);
        }
        let (signer, sequence) = (record.signer, record.sequence);
        let stored = self
            .objects
            .get(&key)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let replaced = match stored.iter().position(|other| other.signer == signer) {
            Some(place) if stored.get(place).is_some_and(|o| o.sequence >= sequence) => {
                return Err(StoreError::Stale);
            }
            Some(place) => Some(place),
            None if stored.len() >= SIGNERS_MAX => {
                (0..stored.len()).min_by_key(|place| stored.get(*place).map(|o| o.expires))
            }
            None => None,
        };
        let same_signer = stored.iter().any(|other| other.signer == signer);
        let used = self.signers.get(&signer).copied().unwrap_or_default();
        if !same_signer && used >= self.config.stored_per_signer_max {
            return Err(StoreError::SignerFull);
        }
        if replaced.is_none() && self.records >= self.config.stored_max {
            return Err(StoreError::Full);
        }
        let entry = self.objects.entry(key).or_default();
        if let Some(place) = replaced {
            let old = entry.swap_remove(place);
            self.records = self.records.saturating_sub(1);
            release(&mut self.signers, &old.signer);
        }
        let expires = now + self.config.ttl;
        entry.push(Stored {
            signer,
            sequence,
            expires,
            record: signed,
        });
        self.records += 1;
        *self.signers.entry(signer).or_default() += 1;
        Ok(())
    }

    /// What is stored under `key` and not expired, the latest first.
    #[must_use]
    pub fn get(&self, now: Instant, key: &ObjectKey) -> Option<Bundle> {
        let stored = self.objects.get(key)?;
        let records: Vec<SignedDirectoryRecord> = stored
            .iter()
            .rev()
            .filter(|other| other.expires > now)
            .map(|other| other.record.clone())
            .collect();
        (!records.is_empty()).then_some(Bundle { records })
    }

    /// Drops expired records.
    pub fn expire(&mut self, now: Instant) {
        let (signers, records) = (&mut self.signers, &mut self.records);
        self.objects.retain(|_, stored| {
            stored.retain(|other| {
                let kept = other.expires > now;
                if !kept {
                    *records = records.saturating_sub(1);
                    release(signers, &other.signer);
                }
                kept
            });
            !stored.is_empty()
        });
    }

    /// Drops everything stored under `key`.
    pub fn remove(&mut self, key: &ObjectKey) {
        for old in self.objects.remove(key).unwrap_or_default() {
            self.records = self.records.saturating_sub(1);
            release(&mut self.signers, &old.signer);
        }
    }

    /// Records stored, the expired ones that were not dropped yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether nothing is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }
}

fn release(signers: &mut BTreeMap<PeerId, usize>, signer: &PeerId) {
    if let Some(used) = signers.get_mut(signer) {
        *used = used.saturating_sub(1);
        if *used == 0 {
            signers.remove(signer);
        }
    }
}

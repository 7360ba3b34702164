//! The state of a registry: who registered, until when, from where.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Answer, LEASE_MAX, LEASE_MIN, LIST_BYTES, LIST_MAX, Request};
use crate::cluster::ClusterRecord;
use crate::codec::{self, DecodeError};
use crate::id::PeerId;
use crate::member::{Keys, MemberRecord, SignedRecord};
use crate::time::{Duration, Instant};

/// Limits of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasesConfig {
    /// Records in all.
    pub records_max: usize,
    /// Records registered from one network address, so that one machine cannot fill it.
    pub records_per_origin_max: usize,
}

impl Default for LeasesConfig {
    fn default() -> Self {
        Self {
            records_max: 20_000,
            records_per_origin_max: 1_024,
        }
    }
}

/// Why a request changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The record is malformed, beyond its limits or not signed by its owner.
    #[error("the record is malformed or not signed by its owner")]
    Record,
    /// An equally new or newer record of that peer is registered.
    #[error("a newer record of the peer is registered")]
    Stale,
    /// The registry is full.
    #[error("the registry is full")]
    Full,
    /// Too many records came from this address.
    #[error("too many records were registered from this address")]
    OriginFull,
}

#[derive(Clone, Debug)]
struct Lease {
    signed: SignedRecord,
    sequence: u64,
    origin: String,
    until: Instant,
}

/// Signed records with leases. Pure state: the caller brings the time and the keys.
#[derive(Debug)]
pub struct Leases {
    config: LeasesConfig,
    leases: BTreeMap<PeerId, Lease>,
    origins: BTreeMap<String, usize>,
    cluster: Option<ClusterRecord>,
    rng: ChaCha8Rng,
}

impl Leases {
    /// Nobody is registered. `seed` chooses who is listed to whom.
    #[must_use]
    pub fn new(config: LeasesConfig, seed: u64) -> Self {
        Self {
            config,
            leases: BTreeMap::new(),
            origins: BTreeMap::new(),
            cluster: None,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Answers a request that came from the network address `origin` (without its port).
    pub fn answer(
        &mut self,
        now: Instant,
        origin: &str,
        request: &Request,
        keys: &dyn Keys,
    ) -> Answer {
        self.expire(now);
        match request {
            Request::Register {
                record,
                lease_s,
                cluster,
                limit,
            } => {
                let lease = Duration::from_secs(u64::from(*lease_s)).clamp(LEASE_MIN, LEASE_MAX);
                match self.register(now, origin, record, lease, keys) {
                    Ok(peer) => {
                        if let Some(cluster) = cluster {
                            self.remember(cluster);
                        }
                        Answer::Registered {
                            lease_s: u32::try_from(lease.as_secs()).unwrap_or_default(),
                            records: self.list(*limit, Some(&peer)),
                            cluster: self.cluster.clone(),
                        }
                    }
                    Err(refusal) => Answer::Refused(refusal),
                }
            }
            Request::List { limit } => Answer::List {
                records: self.list(*limit, None),
                cluster: self.cluster.clone(),
            },
            Request::Leave { record } => match self.leave(record, keys) {
                Ok(()) => Answer::Left,
                Err(refusal) => Answer::Refused(refusal),
            },
        }
    }

    /// Drops leases that ran out.
    pub fn expire(&mut self, now: Instant) {
        let origins = &mut self.origins;
        self.leases.retain(|_, lease| {
            let kept = lease.until > now;
            if !kept {
                release(origins, &lease.origin);
            }
            kept
        });
    }

    /// Records registered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether nobody is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// The registered records, sorted by peer.
    pub fn records(&self) -> impl Iterator<Item = &SignedRecord> {
        self.leases.values().map(|lease| &lease.signed)
    }

    /// The cluster, if anybody told.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterRecord> {
        self.cluster.as_ref()
    }

    /// Remembers a cluster: the first one told, the newest hint of it, and of two the one
    /// that wins.
    pub fn remember(&mut self, theirs: &ClusterRecord) {
        let newer = self.cluster.as_ref().is_none_or(|ours| {
            if ours.id == theirs.id {
                theirs.root_version > ours.root_version
            } else {
                theirs.wins_over(ours)
            }
        });
        if newer && theirs.within_limits() {
            self.cluster = Some(theirs.clone());
        }
    }

    /// Everything worth keeping over a restart. Leases start anew when it is read.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let snapshot = Snapshot {
            format: SNAPSHOT_FORMAT,
            records: self
                .leases
                .values()
                .map(|lease| (lease.origin.clone(), lease.signed.clone()))
                .collect(),
            cluster: self.cluster.clone(),
        };
        codec::encode(&snapshot).unwrap_or_default()
    }

    /// Reads a snapshot into this state, giving each record a lease of [`LEASE_MAX`]. Records
    /// that are not valid or do not fit are skipped. Returns how many were taken.
    ///
    /// # Errors
    /// [`SnapshotError`]; then nothing was changed.
    pub fn restore(
        &mut self,
        now: Instant,
        bytes: &[u8],
        keys: &dyn Keys,
    ) -> Result<usize, SnapshotError> {
        let snapshot: Snapshot = codec::decode(bytes)?;
        if snapshot.format != SNAPSHOT_FORMAT {
            return Err(SnapshotError::Format(snapshot.format));
        }
        if let Some(cluster) = &snapshot.cluster {
            self.remember(cluster);
        }
        let taken = snapshot
            .records
            .iter()
            .filter(|(origin, record)| self.register(now, origin, record, LEASE_MAX, keys).is_ok());
        Ok(taken.count())
    }

    fn register(
        &mut self,
        now: Instant,
        origin: &str,
        signed: &SignedRecord,
        lease: Duration,
        keys: &dyn Keys,
    ) -> Result<PeerId, Refusal> {
        let record = open(signed, keys)?;
        let peer = record.process.peer;
        match self.leases.get(&peer) {
            Some(known) if known.sequence > record.sequence => return Err(Refusal::Stale),
            None if self.leases.len() >= self.config.records_max => return Err(Refusal::Full),
            _ => {}
        }
        let moves = self
            .leases
            .get(&peer)
            .is_none_or(|known| known.origin != origin);
        let used = self.origins.get(origin).copied().unwrap_or_default();
        if moves && used >= self.config.records_per_origin_max {
            return Err(Refusal::OriginFull);
        }
        if let Some(before) = self.leases.remove(&peer) {
            release(&mut self.origins, &before.origin);
        }
        *self.origins.entry(origin.into()).or_default() += 1;
        let (sequence, until) = (record.sequence, now + lease);
        let lease = Lease {
            signed: signed.clone(),
            sequence,
            origin: origin.into(),
            until,
        };
        self.leases.insert(peer, lease);
        Ok(peer)
    }

    fn leave(&mut self, signed: &SignedRecord, keys: &dyn Keys) -> Result<(), Refusal> {
        let record = open(signed, keys)?;
        let peer = record.process.peer;
        let stale = |known: &Lease| known.sequence > record.sequence;
        if self.leases.get(&peer).is_some_and(stale) {
            return Err(Refusal::Stale);
        }
        if let Some(lease) = self.leases.remove(&peer) {
            release(&mut self.origins, &lease.origin);
        }
        Ok(())
    }

    /// Some records, from a random place on, so that newcomers spread over the members.
    fn list(&mut self, limit: u32, except: Option<&PeerId>) -> Vec<SignedRecord> {
        let mut start = [0; 32];
        self.rng.fill_bytes(&mut start);
        let start = PeerId(start);
        let mut bytes = 0;
        self.leases
            .range(start..)
            .chain(self.leases.range(..start))
            .filter(|(peer, _)| Some(*peer) != except)
            .take(usize::try_from(limit.min(LIST_MAX)).unwrap_or_default())
            .map(|(_, lease)| lease.signed.clone())
            .take_while(|record| {
                bytes += record.size();
                bytes <= LIST_BYTES
            })
            .collect()
    }
}

fn open<'a>(signed: &'a SignedRecord, keys: &dyn Keys) -> Result<&'a MemberRecord, Refusal> {
    signed
        .open(keys)
        .map(|record| &**record)
        .map_err(|_| Refusal::Record)
}

fn release(origins: &mut BTreeMap<String, usize>, origin: &str) {
    if let Some(used) = origins.get_mut(origin) {
        *used = used.saturating_sub(1);
        if *used == 0 {
            origins.remove(origin);
        }
    }
}

/// Version of the snapshot's format.
const SNAPSHOT_FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Snapshot {
    format: u32,
    records: Vec<(String, SignedRecord)>,
    cluster: Option<ClusterRecord>,
}

/// Why a snapshot was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not a snapshot, or damaged.
    #[error("the snapshot is damaged: {0}")]
    Decode(#[from] DecodeError),
    /// Written by a version that this one does not know.
    #[error("the snapshot has format {0}, which this version does not know")]
    Format(u32),
}

#[cfg(test)]
mod tests;

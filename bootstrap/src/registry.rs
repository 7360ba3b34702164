//! The state of a registry: one set of leases per cluster name.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use overlay::Identity;
use overlay::proto::registry::{Answer, Call, Leases, LeasesConfig, Refusal, Request};
use overlay::proto::{Instant, codec};
use serde::{Deserialize, Serialize};

/// Cluster names that one registry serves; calls for a further one are refused.
pub const CLUSTERS_MAX: usize = 64;

/// Leases by cluster name, and the keys that check signatures.
pub struct Registry {
    config: LeasesConfig,
    keys: Identity,
    clusters: Mutex<BTreeMap<String, Leases>>,
}

/// One cluster's part of a snapshot.
#[derive(Serialize, Deserialize)]
struct Saved {
    cluster_name: String,
    leases: Vec<u8>,
}

impl Registry {
    /// A registry that knows nobody.
    #[must_use]
    pub fn new(config: LeasesConfig) -> Self {
        Self {
            config,
            keys: Identity::generate(),
            clusters: Mutex::default(),
        }
    }

    /// Answers a call that came from this address.
    pub fn answer(&self, now: Instant, origin: IpAddr, call: &Call) -> Answer {
        let Ok(mut clusters) = self.clusters.lock() else {
            return Answer::Refused(Refusal::Full);
        };
        if !clusters.contains_key(&call.cluster_name) {
            if !matches!(call.request, Request::Register { .. }) {
                return Answer::List {
                    records: Vec::new(),
                    cluster: None,
                };
            }
            clusters.retain(|_, leases| {
                leases.expire(now);
                !leases.is_empty()
            });
            if clusters.len() >= CLUSTERS_MAX {
                return Answer::Refused(Refusal::Full);
            }
        }
        let leases = clusters.entry(call.cluster_name.clone());
        let leases = leases.or_insert_with(|| Leases::new(self.config.clone(), now.as_micros()));
        leases.answer(now, &origin.to_string(), &call.request, &self.keys)
    }

    /// Records registered now, over all clusters.
    pub fn records(&self) -> usize {
        self.clusters
            .lock()
            .map_or(0, |clusters| clusters.values().map(Leases::len).sum())
    }

    /// Everything worth keeping over a restart.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let saved: Vec<Saved> = self.clusters.lock().map_or_else(
            |_| Vec::new(),
            |clusters| {
                let saved = clusters.iter().map(|(name, leases)| Saved {
                    cluster_name: name.clone(),
                    leases: leases.snapshot(),
                });
                saved.collect()
            },
        );
        codec::encode(&saved).unwrap_or_default()
    }

    /// Takes a snapshot in. Returns how many records it brought; parts that cannot be read are
    /// left out.
    ///
    /// # Errors
    /// The bytes are no snapshot; nothing was changed.
    pub fn restore(&self, now: Instant, bytes: &[u8]) -> Result<usize, codec::DecodeError> {
        let saved: Vec<Saved> = codec::decode(bytes)?;
        let Ok(mut clusters) = self.clusters.lock() else {
            return Ok(0);
        };
        let mut taken = 0;
        for part in saved.into_iter().take(CLUSTERS_MAX) {
            let mut leases = Leases::new(self.config.clone(), now.as_micros());
            match leases.restore(now, &part.leases, &self.keys) {
                Ok(records) => taken += records,
                Err(error) => {
                    tracing::warn!(cluster = part.cluster_name, %error, "left out of the snapshot");
                }
            }
            clusters.insert(part.cluster_name, leases);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use fuzz::{dice, noisy, seeds, swollen};
    use overlay::proto::member::{Keys, MemberRecord, SignedRecord};
    use overlay::proto::{Incarnation, ProcessId};

    use super::*;

    fn register(cluster_name: &str, number: u64) -> Call {
        let keys = Identity::generate();
        let record = MemberRecord {
            process: ProcessId {
                peer: keys.peer(),
                incarnation: Incarnation(number),
            },
            sequence: number,
            addresses: vec![String::from("/ip4/127.0.0.1/tcp/4001")],
            kinds: Vec::new(),
            capacity: 0,
            load: 0,
            primaries: 0,
            labels: Vec::new(),
            leaving: false,
            stamp: 1,
        };
        Call {
            cluster_name: cluster_name.to_owned(),
            request: Request::Register {
                record: SignedRecord::sign(&record, &keys),
                lease_s: 60,
                cluster: None,
                limit: 8,
            },
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_read_in_part() {
        let now = Instant::from_micros(1);
        let registry = Registry::new(LeasesConfig::default());
        for number in 1..9 {
            let name = if number % 2 == 0 { "even" } else { "odd" };
            registry.answer(now, Ipv4Addr::LOCALHOST.into(), &register(name, number));
        }
        assert_eq!(registry.records(), 8);
        let snapshot = [registry.snapshot()];
        for seed in seeds(100) {
            let mut dice = dice(seed);
            for bytes in [noisy(&mut dice, &snapshot), swollen(&mut dice, &snapshot)] {
                let restored = Registry::new(LeasesConfig::default());
                let taken = restored.restore(now, &bytes).unwrap_or_default();
                assert_eq!(taken, restored.records());
                assert!(taken <= 8);
            }
        }
    }
}

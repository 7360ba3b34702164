//! Which cluster this node is in, and where the cluster keeps its names.
//!
//! The directory of names is a shared object whose id is the cluster's. The founder of the
//! cluster makes it; everybody else finds it by the hint that travels with the cluster's record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use objects_proto::caller::Caller;
use objects_proto::handle::Handle;
use objects_proto::kinds_table::encode_state;
use objects_proto::machine::{Command, Creation};
use objects_proto::naming::{Names, NamesProxy};
use objects_proto::object::{Configuration, Epoch, ObjectId, Replica};
use objects_proto::proxy::Proxy;
use objects_proto::reference::RawRef;
use objects_proto::shared::SharedObject;
use overlay_proto::{ClusterId, ClusterRecord, Duration, codec};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::pending;
use crate::shard::Shard;
use crate::waiting::Created;

/// Replicas of the directory of names, at least.
const NAMES_FACTOR: u8 = 3;
/// How long a name waits for a cluster, and for the founder to make the directory.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before another attempt to make the directory of names.
const FOUND_PAUSE: Duration = Duration::from_secs(1);
/// How long the directory of names may take to be made.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// The cluster as one node sees it.
pub(crate) struct Cluster {
    shard: Arc<Shard>,
    overlay: overlay::Node,
    caller: Arc<dyn Caller>,
    record: watch::Receiver<Option<ClusterRecord>>,
    /// Why this node cannot hold the directory of names, if it cannot.
    unfit: Option<&'static str>,
    factor: u8,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    bound: Option<Bound>,
    conflict: Option<(ClusterId, ClusterId)>,
}

/// The directory of names as it was bound last.
struct Bound {
    cluster: ClusterId,
    root_version: u64,
    names: Arc<NamesProxy>,
}

impl Cluster {
    /// For a node that is up.
    pub(crate) fn new(
        shard: Arc<Shard>,
        overlay: overlay::Node,
        caller: Arc<dyn Caller>,
        record: watch::Receiver<Option<ClusterRecord>>,
        unfit: Option<&'static str>,
        factor: u8,
    ) -> Self {
        let factor = factor.max(NAMES_FACTOR);
        Self {
            shard,
            overlay,
            caller,
            record,
            unfit,
            factor,
            known: Mutex::default(),
        }
    }

    /// Whether this node knows neither a cluster nor anybody who may: then there are no names.
    pub(crate) fn is_alone(&self) -> bool {
        let me = self.overlay.process();
        let view = self.overlay.view();
        let others = view
            .members()
            .iter()
            .any(|member| member.record.process != me);
        !others && self.record.borrow().is_none()
    }

    /// The cluster's identity, if it is known.
    pub(crate) fn id(&self) -> Option<ClusterId> {
        self.record.borrow().as_ref().map(|record| record.id)
    }

    fn record(&self) -> Option<ClusterRecord> {
        self.record.borrow().clone()
    }

    /// The directory of names. Founds a cluster if there is none.
    ///
    /// # Errors
    /// [`Error::ClusterConflict`], or [`Error::NoCluster`] if none was found nor founded.
    pub(crate) async fn names(&self) -> Result<Arc<NamesProxy>> {
        if let Some((ours, theirs)) = self.known().conflict {
            return Err(Error::ClusterConflict { ours, theirs });
        }
        let record = match self.record() {
            Some(record) if !record.root.is_empty() => record,
            _ => self.rooted().await?,
        };
        let mut known = self.known();
        let bound = known.bound.as_ref().filter(|bound| {
            bound.cluster == record.id && bound.root_version >= record.root_version
        });
        if let Some(bound) = bound {
            return Ok(bound.names.clone());
        }
        let names = Arc::new(self.bind(&record));
        known.bound = Some(Bound {
            cluster: record.id,
            root_version: record.root_version,
            names: names.clone(),
        });
        Ok(names)
    }

    /// A proxy for the names of a cluster, also of one that was given up.
    pub(crate) fn bind(&self, record: &ClusterRecord) -> NamesProxy {
        NamesProxy::from_handle(Handle::new(root_of(record), self.caller.clone()))
    }

    /// Waits for a cluster whose founder has made the directory of names.
    async fn rooted(&self) -> Result<ClusterRecord> {
        let found = async {
            self.overlay.need_cluster().await.ok()?;
            let mut record = self.record.clone();
            let rooted = |record: &Option<ClusterRecord>| {
                record
                    .as_ref()
                    .is_some_and(|record| !record.root.is_empty())
            };
            record.wait_for(rooted).await.ok()?.clone()
        };
        let found = tokio::time::timeout(CLUSTER_TIMEOUT, found)
            .await
            .ok()
            .flatten();
        let record = found
            .or_else(|| self.record())
            .ok_or_else(|| Error::NoCluster {
                cluster: self.overlay.cluster_name().to_owned(),
                reason: self.unfit.unwrap_or("did not hear from one in time"),
            })?;
        if record.root.is_empty() && record.founder == self.overlay.process() {
            let reason = self
                .unfit
                .unwrap_or("could not make the directory of names");
            return Err(Error::NoCluster {
                cluster: self.overlay.cluster_name().to_owned(),
                reason,
            });
        }
        Ok(record)
    }

    /// Makes the directory of names whenever this node founds a cluster. Runs for ever.
    pub(crate) async fn found(&self) {
        let mut records = self.record.clone();
        let own = |record: &Option<ClusterRecord>| {
            record.as_ref().is_some_and(|record| {
                record.root.is_empty() && record.founder == self.overlay.process()
            })
        };
        while let Ok(record) = records.wait_for(own).await.map(|record| record.clone()) {
            let Some(record) = record.filter(|_| self.unfit.is_none()) else {
                return;
            };
            match self.make_names(&record).await {
                Ok(RawRef {
                    configuration: Some(configuration),
                    ..
                }) => {
                    self.set_root(&record, &configuration).await;
                    let _another_record = records.changed().await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the directory of names was not made");
                    tokio::time::sleep(FOUND_PAUSE).await;
                }
            }
        }
    }

    async fn make_names(&self, record: &ClusterRecord) -> Created {
        let creation = Creation {
            kind: Names::KIND.to_owned(),
            kind_version: Names::VERSION,
            mode: Names::MODE,
            state: encode_state(&Names::default())?,
            factor: self.factor,
            id: Some(ObjectId(record.id.0)),
            members: Some(vec![self.overlay.process()]),
            handle: self.shard.open_handle(),
            timeout: CREATE_TIMEOUT,
        };
        let handle = creation.handle;
        let created =
            pending::ask(&self.shard, |ticket| Command::Create { ticket, creation }).await;
        self.caller.release_handle(handle);
        created
    }

    /// Tells the cluster where its names are, if this object is their directory.
    pub(crate) async fn moved(&self, object: ObjectId, configuration: &Configuration) {
        let record = self.record().filter(|record| record.id.0 == object.0);
        if let Some(record) = record {
            self.set_root(&record, configuration).await;
        }
    }

    async fn set_root(&self, record: &ClusterRecord, configuration: &Configuration) {
        let root_version = root_version(configuration.epoch);
        if root_version <= record.root_version {
            return;
        }
        let Ok(root) = codec::encode(configuration) else {
            return;
        };
        let root = Bytes::from(root);
        let record = ClusterRecord {
            root_version,
            root,
            ..record.clone()
        };
        let _the_node_ends = self.overlay.update_cluster(record).await;
    }

    /// Two established clusters met: names are refused from now on.
    pub(crate) fn conflicts(&self, ours: ClusterId, theirs: ClusterId) {
        self.known().conflict = Some((ours, theirs));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Orders hints: a later epoch has a higher version, never 0.
fn root_version(epoch: Epoch) -> u64 {
    (u64::from(epoch.lineage.number) << 40) | epoch.number.min((1 << 40) - 1)
}

/// A reference to the names of a cluster. Without a hint that can be read, the founder is asked.
fn root_of(record: &ClusterRecord) -> RawRef {
    let configuration = codec::decode(&record.root).unwrap_or_else(|_| Configuration {
        epoch: Epoch::default(),
        members: Arc::new([Replica {
            process: record.founder,
            stamp: 0,
        }]),
        forks: Vec::new(),
        seal: None,
    });
    RawRef {
        id: ObjectId(record.id.0),
        kind: Arc::from(Names::KIND),
        configuration: Some(Arc::new(configuration)),
    }
}

#[cfg(test)]
mod tests {
    use objects_proto::object::Lineage;
    use overlay_proto::{Incarnation, PeerId, ProcessId};

    use super::*;

    fn record(root: Bytes) -> ClusterRecord {
        let founder = ProcessId {
            peer: PeerId([7; 32]),
            incarnation: Incarnation(1),
        };
        ClusterRecord {
            id: ClusterId(9),
            founder,
            founded_at_ms: 0,
            root_version: 0,
            root,
        }
    }

    #[test]
    fn hints_of_later_epochs_have_higher_versions() {
        let epoch = |lineage, number| {
            root_version(Epoch {
                lineage: Lineage {
                    number: lineage,
                    tag: 0,
                },
                number,
            })
        };
        assert!(0 < epoch(0, 1));
        assert!(epoch(0, 1) < epoch(0, 2));
        assert!(epoch(0, 900) < epoch(1, 2));
    }

    #[test]
    fn without_a_readable_hint_the_founder_is_asked() {
        for root in [Bytes::new(), Bytes::from_static(b"junk")] {
            let record = record(root);
            let root = root_of(&record);
            let first = root.configuration.and_then(|set| set.process(0));
            assert_eq!((root.id, first), (ObjectId(9), Some(record.founder)));
        }
    }
}

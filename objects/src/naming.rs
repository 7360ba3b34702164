//! The node as naming sees it.

use std::sync::Arc;

use objects_proto::caller::{BoxFuture, Caller, Completion};
use objects_proto::machine::{Command, Creation};
use objects_proto::message::Description;
use objects_proto::naming::{self, Named, NamesProxy, NamingNode};
use objects_proto::object::ObjectId;
use objects_proto::outcome::{Cause, Outcome};
use objects_proto::reference::RawRef;
use overlay_proto::{ClusterRecord, Duration};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::events::{Event, EventSource};
use crate::pending;
use crate::shard::Shard;

/// How long operations other than calls wait for their end.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the names of a cluster that is given up may take to be read, page by page.
const MERGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects without a name that are deleted side by side, and that wait for that; further ones
/// are left where they are.
pub(crate) const DISCARDS_MAX: usize = 64;

/// Makes, names, describes and deletes objects for a node, which it does not keep alive.
#[derive(Clone)]
pub(crate) struct Namer {
    pub(crate) shard: Arc<Shard>,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) discards: mpsc::Sender<RawRef>,
}

impl NamingNode for Namer {
    type Error = Error;

    fn names(&self) -> BoxFuture<'_, Result<Arc<NamesProxy>>> {
        Box::pin(self.cluster.names())
    }

    fn caller(&self) -> &Arc<dyn Caller> {
        &self.caller
    }

    fn create(&self, creation: Creation) -> BoxFuture<'static, Result<RawRef, Cause>> {
        let command = |ticket| Command::Create { ticket, creation };
        Box::pin(pending::ask(&self.shard, command))
    }

    fn delete(&self, target: RawRef) -> BoxFuture<'static, Outcome> {
        let timeout = OPERATION_TIMEOUT;
        let command = |ticket| Command::Delete {
            ticket,
            target,
            timeout,
        };
        let deleted = pending::ask::<Completion>(&self.shard, command);
        Box::pin(async { deleted.await.outcome })
    }

    fn inspect(
        &self,
        target: RawRef,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Description, Cause>> {
        let command = |ticket| Command::Inspect {
            ticket,
            target,
            timeout,
        };
        Box::pin(pending::ask(&self.shard, command))
    }

    fn discard(&self, target: RawRef) {
        if let Err(error) = self.discards.try_send(target) {
            tracing::warn!(%error, "an object that nobody knows is left behind");
        }
    }
}

impl Namer {
    /// Takes the names of an object away, if it can have any.
    pub(crate) async fn unbind(&self, object: ObjectId) -> Result<()> {
        if self.cluster.is_alone() {
            return Ok(());
        }
        match self.cluster.names().await {
            Ok(names) => Ok(naming::unbind(&names, object).await?),
            Err(Error::NoCluster { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Registers the names of a cluster that was given up with the one that won. Every node of
    /// the lost side does it: binding an object that has the name already changes nothing.
    pub(crate) async fn merge(
        &self,
        lost: &ClusterRecord,
        won: &ClusterRecord,
        events: &EventSource,
    ) {
        let old = self.cluster.bind(lost);
        let conflict = |Named { name, reference }| {
            let object = reference.id;
            events.tell(Event::NameConflict { name, object });
        };
        let merging = naming::merge(self, &old, conflict);
        match tokio::time::timeout(MERGE_TIMEOUT, merging).await {
            Ok(Ok(())) => events.tell(Event::ClusterMerged {
                lost: lost.id,
                won: won.id,
            }),
            Ok(Err(error)) => tracing::warn!(%error, "names of the given-up cluster are lost"),
            Err(_) => tracing::warn!("names of the given-up cluster took too long to be merged"),
        }
    }
}

/// Deletes objects that nobody knows. Runs for ever.
pub(crate) async fn run_discards(namer: Namer, mut unused: mpsc::Receiver<RawRef>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(target) = unused.recv(), if running.len() < DISCARDS_MAX => {
                let namer = namer.clone();
                running.spawn(async move {
                    if !naming::discard(&namer, &target).await {
                        tracing::warn!(object = %target.id, "an unused object was not deleted");
                    }
                });
            }
            Some(_) = running.join_next() => {}
            else => return,
        }
    }
}

//! What a node does with names.

use objects_proto::error::{CallError, MethodFailure};
use objects_proto::object::ObjectId;
use objects_proto::outcome::Cause;
use objects_proto::reference::RawRef;
use overlay_proto::{ClusterRecord, Duration};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::events::{Event, EventSource};
use crate::names::{LISTING_MAX, Named, NamesProxy, Unbound};

/// How long the names of a cluster that is given up may take to be read, page by page.
const MERGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Gives `name` to an object; `Some` is the other object that has it.
pub(crate) async fn bind(cluster: &Cluster, name: &str, object: &RawRef) -> Result<Option<RawRef>> {
    let names = cluster.names().await?;
    match names.bind(name, object.clone()).await {
        Ok(()) => Ok(None),
        Err(CallError::Failed(MethodFailure::Returned(Unbound::Taken(by)))) => Ok(Some(by)),
        Err(CallError::Failed(MethodFailure::Returned(Unbound::BadName))) => Err(Error::BadName),
        Err(CallError::Executed) => read_back(&names, name, object, Cause::Deadline).await,
        Err(CallError::Indeterminate(cause)) => read_back(&names, name, object, cause).await,
        Err(error) => Err(error.into()),
    }
}

/// Finds out who has a name after a binding whose end is not known.
async fn read_back(
    names: &NamesProxy,
    name: &str,
    object: &RawRef,
    cause: Cause,
) -> Result<Option<RawRef>> {
    match names.lookup(name).await {
        Ok(Some(by)) => Ok((by.id != object.id).then_some(by)),
        _ => Err(Error::NameUnknown {
            name: name.to_owned(),
            object: object.id,
            cause,
        }),
    }
}

/// The object with this name.
pub(crate) async fn lookup(cluster: &Cluster, name: &str) -> Result<Option<RawRef>> {
    Ok(cluster.names().await?.lookup(name).await?)
}

/// Takes the names of an object away, if it can have any.
pub(crate) async fn unbind(cluster: &Cluster, object: ObjectId) -> Result<()> {
    if cluster.is_alone() {
        return Ok(());
    }
    let names = match cluster.names().await {
        Ok(names) => names,
        Err(Error::NoCluster { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    if names.is_named(object).await? {
        names.unbind(object).await?;
    }
    Ok(())
}

/// All names with this prefix, in order.
pub(crate) async fn list(names: &NamesProxy, prefix: &str) -> Result<Vec<Named>> {
    let mut listed: Vec<Named> = Vec::new();
    loop {
        let after = listed.last().map(|named| named.name.clone());
        let page = names.list(prefix, after, LISTING_MAX).await?;
        let complete = page.len() < LISTING_MAX as usize;
        listed.extend(page);
        if complete {
            return Ok(listed);
        }
    }
}

/// Registers the names of a cluster that was given up with the one that won. Every node of the
/// lost side does it: binding an object that has the name already changes nothing.
pub(crate) async fn merge(
    cluster: &Cluster,
    lost: &ClusterRecord,
    won: &ClusterRecord,
    events: &EventSource,
) {
    let merging = async {
        let old = cluster.bind(lost);
        for Named { name, reference } in list(&old, "").await? {
            if bind(cluster, &name, &reference).await?.is_some() {
                events.tell(Event::NameConflict {
                    name,
                    object: reference.id,
                });
            }
        }
        Ok::<_, Error>(())
    };
    match tokio::time::timeout(MERGE_TIMEOUT, merging).await {
        Ok(Ok(())) => events.tell(Event::ClusterMerged {
            lost: lost.id,
            won: won.id,
        }),
        Ok(Err(error)) => tracing::warn!(%error, "names of the given-up cluster are lost"),
        Err(_) => tracing::warn!("names of the given-up cluster took too long to be merged"),
    }
}

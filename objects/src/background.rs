//! What a node does beside its calls.

use std::sync::Arc;

use overlay::OverlayEvent;
use overlay_proto::{Announcement, Duration};
use tokio::sync::{mpsc, watch};

use crate::cluster::Cluster;
use crate::events::{Event, Events};
use crate::naming::Namer;

/// Meetings of clusters that wait for their task; further ones are of no interest.
pub(crate) const MEETINGS_MAX: usize = 16;
/// Shortest time between two announcements of a changed load.
const LOAD_PAUSE: Duration = Duration::from_secs(30);

/// Keeps the cluster told where its names are, as long as this node is their primary.
pub(crate) async fn follow_names(cluster: Arc<Cluster>, mut events: Events) {
    while let Some(event) = events.next().await {
        if let Event::Reconfigured {
            object,
            configuration,
        } = event
        {
            cluster.moved(object, &configuration).await;
        }
    }
}

/// Deals with other clusters of the same name.
pub(crate) async fn meet_clusters(namer: Namer, mut meetings: mpsc::Receiver<OverlayEvent>) {
    while let Some(meeting) = meetings.recv().await {
        match meeting {
            OverlayEvent::ClusterMerged { lost, won } => {
                namer.merge(&lost, &won, namer.shard.events()).await;
            }
            OverlayEvent::ClusterConflict { ours, theirs } => {
                tracing::error!(ours = %ours.id, theirs = %theirs.id, "two clusters of one name");
                namer.cluster.conflicts(ours.id, theirs.id);
                namer.shard.events().tell(Event::ClusterConflict {
                    ours: ours.id,
                    theirs: theirs.id,
                });
            }
            _ => {}
        }
    }
}

/// Announces how many replicas this node holds, when it doubled or halved. Ends when the
/// announcement says that the node leaves.
pub(crate) async fn announce_load(
    overlay: overlay::Node,
    announcement: Arc<watch::Sender<Announcement>>,
    mut load: watch::Receiver<u32>,
) {
    let magnitude = |load: u32| u32::BITS - load.leading_zeros();
    loop {
        let announced = magnitude(announcement.borrow().load);
        let Ok(load) = load
            .wait_for(|load| magnitude(*load) != announced)
            .await
            .map(|l| *l)
        else {
            return;
        };
        announcement.send_modify(|announcement| announcement.load = load);
        let changed = announcement.borrow().clone();
        if changed.leaving || overlay.announce(changed).await.is_err() {
            return;
        }
        tokio::time::sleep(LOAD_PAUSE).await;
    }
}

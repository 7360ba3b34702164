//! What a node does beside its calls.

use std::sync::Arc;

use objects_proto::machine::Announced;
use objects_proto::mode::Lost;
use objects_proto::object::ObjectId;
use overlay::OverlayEvent;
use overlay_proto::{Announcement, Duration};
use tokio::sync::{mpsc, watch};

use crate::cluster::Cluster;
use crate::events::{Event, Events};
use crate::naming::Namer;

/// Meetings of clusters that wait for their task; further ones are of no interest.
pub(crate) const MEETINGS_MAX: usize = 16;
/// Shortest time between two announcements of changed numbers.
const NEWS_PAUSE: Duration = Duration::from_secs(30);

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

/// What a program does about calls that were lost.
pub(crate) type LostHook = Arc<dyn Fn(ObjectId, &Lost) + Send + Sync>;

/// Tells the program of lost calls, one loss after the other, on a thread that may block.
pub(crate) async fn report_lost(hook: LostHook, mut events: Events) {
    while let Some(event) = events.next().await {
        if let Event::CallsLost { object, lost } = event {
            let hook = hook.clone();
            let told = tokio::task::spawn_blocking(move || hook(object, &lost)).await;
            if let Err(error) = told {
                tracing::error!(%error, "the hook for lost calls failed");
            }
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

/// Announces what the object layer has in the member record. Ends when the announcement says that
/// the node leaves.
pub(crate) async fn announce_news(
    overlay: overlay::Node,
    announcement: Arc<watch::Sender<Announcement>>,
    mut news: watch::Receiver<Announced>,
) {
    loop {
        let known = announcement.borrow().clone();
        let known = Announced {
            load: known.load,
            primaries: known.primaries,
            stamp: known.stamp,
        };
        let worth_it = |news: &Announced| news.is_news_after(&known);
        let Ok(news) = news.wait_for(worth_it).await.map(|news| *news) else {
            return;
        };
        announcement.send_modify(|announcement| {
            announcement.load = news.load;
            announcement.primaries = news.primaries;
            announcement.stamp = news.stamp;
        });
        let changed = announcement.borrow().clone();
        if changed.leaving || overlay.announce(changed).await.is_err() {
            return;
        }
        tokio::time::sleep(NEWS_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use objects_proto::object::{Lineage, Version};

    use super::*;
    use crate::events::EventSource;

    #[tokio::test]
    async fn the_program_is_told_of_each_loss() {
        let events = EventSource::new();
        let (tell, mut told) = mpsc::unbounded_channel();
        let hook: LostHook = Arc::new(move |object, lost| {
            let _nobody_waits = tell.send((object, lost.clone()));
        });
        let reporting = tokio::spawn(report_lost(hook, events.listen()));
        let object = ObjectId(7);
        let lost = Lost {
            kind: String::from("Cursor"),
            lineage: Lineage::default(),
            since: Version(4),
            until: Version(9),
            primary: true,
            state: Bytes::from_static(b"state"),
        };
        for _ in 0..2 {
            let lost = lost.clone();
            events.tell(Event::CallsLost { object, lost });
        }
        for _ in 0..2 {
            assert_eq!(told.recv().await, Some((object, lost.clone())));
        }
        drop(events);
        reporting.await.expect("it ends with the node");
    }
}

//! Puts a node together.

use std::sync::{Arc, Mutex};

use objects_proto::caller::Caller;
use objects_proto::config::ObjectsConfig;
use objects_proto::kinds_table::KindTable;
use objects_proto::machine::Announced;
use objects_proto::naming::Names;
use objects_proto::object::ObjectId;
use objects_proto::reference::RawRef;
use overlay::{OverlayEvent, Role};
use overlay_proto::{Announcement, ClusterRecord, Duration};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::background::{self, LostHook, MEETINGS_MAX};
use crate::caller::NodeCaller;
use crate::cluster::Cluster;
use crate::directory::Directory;
use crate::error::{Result, StartError};
use crate::executor::{Executors, Work};
use crate::handler::Handler;
use crate::naming::{self, DISCARDS_MAX, Namer};
use crate::node::{Node, Parts};
use crate::publishing;
use crate::shard::Shard;
use crate::worker;

/// How long a starting node waits until it sees itself in its view.
const VIEW_TIMEOUT: Duration = Duration::from_secs(5);

/// A checked configuration.
pub(crate) struct Plan {
    pub(crate) overlay: overlay::Builder,
    pub(crate) role: Role,
    pub(crate) kinds: KindTable,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) config: ObjectsConfig,
    pub(crate) threads: usize,
    pub(crate) on_lost: Option<LostHook>,
}

/// What waits for the tasks of a node.
struct Queues {
    lookups: mpsc::Receiver<ObjectId>,
    meetings: mpsc::Receiver<OverlayEvent>,
    cluster: watch::Receiver<Option<ClusterRecord>>,
    work: Vec<Work>,
}

/// Starts a node; nothing is left running if it fails.
pub(crate) async fn start(plan: Plan) -> Result<Node> {
    worker::warn_if_panics_abort();
    let Plan {
        overlay,
        role,
        mut kinds,
        labels,
        config,
        threads,
        on_lost,
    } = plan;
    let unfit = match role {
        Role::Client => Some("is a client"),
        Role::Member if kinds.iter().next().is_none() => Some("hosts no kind"),
        Role::Member => None,
    };
    if unfit.is_none() {
        kinds.register::<Names>().map_err(StartError::from)?;
    }
    let announcement = Announcement {
        kinds: kinds.hosted(),
        capacity: u32::try_from(config.limits.objects).unwrap_or(u32::MAX),
        labels,
        stamp: Announced::default().stamp,
        ..Announcement::default()
    };
    let factor = config.factor;
    let kinds = Arc::new(kinds);
    let (handler, queues) = handler(kinds.clone(), config, threads);
    let shard = handler.shard.clone();
    let overlay = overlay
        .announcement(announcement.clone())
        .frames(Arc::new(handler));
    let overlay = overlay.start().await.map_err(StartError::from)?;
    let caller: Arc<dyn Caller> = Arc::new(NodeCaller::new(shard.clone(), Handle::current()));
    let Queues {
        lookups,
        meetings,
        cluster,
        work,
    } = queues;
    start_threads(work, &kinds, &caller, &shard)?;
    let own = overlay.clone();
    let cluster = Cluster::new(shard.clone(), own, caller.clone(), cluster, unfit, factor);
    let (namer, unused) = namer(&shard, &caller, Arc::new(cluster));
    let announcement = Arc::new(watch::Sender::new(announcement));
    let parts = Parts {
        shard,
        overlay,
        caller,
        namer,
        announcement,
        factor,
    };
    let mut tasks = spawn(&parts, lookups, meetings, unused);
    if let Some(hook) = on_lost {
        let events = parts.shard.events().listen();
        tasks.spawn(background::report_lost(hook, events));
    }
    let node = Node::new(parts, Mutex::new(Some(tasks)));
    if role == Role::Member {
        see_itself(&node).await;
    }
    Ok(node)
}

/// Starts the threads that run methods; none of them goes on if one cannot be started.
fn start_threads(
    work: Vec<Work>,
    kinds: &Arc<KindTable>,
    caller: &Arc<dyn Caller>,
    shard: &Arc<Shard>,
) -> Result<()> {
    let results = shard.executors().results();
    for work in work {
        if let Err(error) = worker::start(work, kinds.clone(), caller.clone(), results.clone()) {
            shard.close();
            return Err(StartError::Executor(error).into());
        }
    }
    Ok(())
}

fn handler(kinds: Arc<KindTable>, config: ObjectsConfig, threads: usize) -> (Handler, Queues) {
    let (directory, lookups) = Directory::new();
    let (executors, work) = Executors::new(threads);
    let (cluster_in, cluster) = watch::channel(None);
    let (meetings_in, meetings) = mpsc::channel(MEETINGS_MAX);
    let shard = Arc::new(Shard::new(directory, executors));
    let handler = Handler {
        shard,
        kinds,
        config,
        cluster: cluster_in,
        meetings: meetings_in,
    };
    (
        handler,
        Queues {
            lookups,
            meetings,
            cluster,
            work,
        },
    )
}

fn namer(
    shard: &Arc<Shard>,
    caller: &Arc<dyn Caller>,
    cluster: Arc<Cluster>,
) -> (Namer, mpsc::Receiver<RawRef>) {
    let (discards, unused) = mpsc::channel(DISCARDS_MAX);
    let namer = Namer {
        shard: shard.clone(),
        caller: caller.clone(),
        cluster,
        discards,
    };
    (namer, unused)
}

fn spawn(
    parts: &Parts,
    lookups: mpsc::Receiver<ObjectId>,
    meetings: mpsc::Receiver<OverlayEvent>,
    unused: mpsc::Receiver<RawRef>,
) -> JoinSet<()> {
    let Parts {
        shard,
        overlay,
        namer,
        announcement,
        ..
    } = parts;
    let cluster = &namer.cluster;
    let mut tasks = JoinSet::new();
    let timed = shard.clone();
    tasks.spawn(async move { timed.run_timers().await });
    let resulting = shard.clone();
    tasks.spawn(async move { resulting.run_results().await });
    tasks.spawn(publishing::run_lookups(
        shard.clone(),
        overlay.clone(),
        lookups,
    ));
    tasks.spawn(publishing::run_publications(shard.clone(), overlay.clone()));
    let founding = cluster.clone();
    tasks.spawn(async move { founding.found().await });
    tasks.spawn(background::follow_names(
        cluster.clone(),
        shard.events().listen(),
    ));
    tasks.spawn(background::meet_clusters(namer.clone(), meetings));
    tasks.spawn(naming::run_discards(namer.clone(), unused));
    let (news, announcement) = (shard.news(), announcement.clone());
    tasks.spawn(background::announce_news(
        overlay.clone(),
        announcement,
        news,
    ));
    tasks
}

/// Waits until the node can place objects at least on itself.
async fn see_itself(node: &Node) {
    let me = node.id();
    let mut view = node.watch();
    let seen = view.until(|view| view.process(&me).is_some());
    if tokio::time::timeout(VIEW_TIMEOUT, seen).await.is_err() {
        tracing::warn!("this node does not see itself yet; objects may not find a place");
    }
}

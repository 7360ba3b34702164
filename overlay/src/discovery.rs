//! Where a node looks for others, besides multicast: given addresses, the runtime folder, the
//! peer cache and registries. All are only introductions.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use overlay_proto::Role;
use tokio::time::{Instant, sleep};

use crate::address::Place;
use crate::command::Request;
use crate::data_dir::DataDir;
use crate::peer_cache::PeerCache;
use crate::runtime_folder::Entry;
use crate::shared::Shared;

/// Pause between looks into the runtime folder while the node is young.
const FOLDER_POLL_YOUNG: Duration = Duration::from_millis(500);
/// Pause between later looks.
const FOLDER_POLL: Duration = Duration::from_secs(5);
/// How long a node is young.
const YOUTH: Duration = Duration::from_secs(30);
/// Pause between dials of given addresses while there is no link.
const PEER_RETRY: Duration = Duration::from_secs(1);
/// Pause between looks whether there is still a link.
const PEER_CHECK: Duration = Duration::from_secs(5);

/// Where to look.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) role: Role,
    pub(crate) peers: Vec<Place>,
    pub(crate) registries: Vec<Place>,
    pub(crate) runtime_folder: Option<PathBuf>,
    pub(crate) data_dir: Option<DataDir>,
}

/// Starts the tasks that look for others.
pub(crate) struct Discovery;

impl Discovery {
    pub(crate) fn start(shared: &Arc<Shared>, sources: Sources) {
        let tasks = shared.tasks.clone();
        if !sources.peers.is_empty() {
            tasks.spawn(dial_given(shared.clone(), sources.peers));
        }
        if let Some(folder) = sources.runtime_folder {
            tasks.spawn(meet_locally(shared.clone(), folder, sources.role));
        }
        if let Some(data_dir) = sources.data_dir {
            tasks.spawn(remember(shared.clone(), data_dir));
        }
        for registry in sources.registries {
            tasks.spawn(crate::registry::client::keep(
                shared.clone(),
                registry,
                sources.role,
            ));
        }
    }
}

/// Dials the given addresses as long as there is no link.
async fn dial_given(shared: Arc<Shared>, places: Vec<Place>) {
    loop {
        if shared.links.len() == 0 {
            for place in &places {
                for address in place.resolve().await {
                    drop(shared.requests.send(Request::Try(address)).await);
                }
            }
            sleep(PEER_RETRY).await;
        } else {
            sleep(PEER_CHECK).await;
        }
    }
}

/// Leaves the own record in the runtime folder and introduces those of others.
async fn meet_locally(shared: Arc<Shared>, folder: PathBuf, role: Role) {
    let entry = match Entry::open(&folder, shared.process) {
        Ok(entry) => entry,
        Err(error) => {
            return tracing::warn!(folder = %folder.display(), %error, "no runtime folder");
        }
    };
    let started = Instant::now();
    let mut own = shared.own_record.subscribe();
    own.mark_changed();
    loop {
        if role == Role::Member && own.has_changed().unwrap_or(false) {
            let record = own.borrow_and_update().clone();
            if let Some(Err(error)) = record.map(|record| entry.write(&record)) {
                tracing::warn!(folder = %folder.display(), %error, "own record not written");
            }
        }
        match entry.read_others() {
            Ok(records) => shared.introduce(records).await,
            Err(error) => tracing::debug!(%error, "runtime folder not read"),
        }
        let young = started.elapsed() < YOUTH;
        sleep(if young {
            FOLDER_POLL_YOUNG
        } else {
            FOLDER_POLL
        })
        .await;
    }
}

/// Introduces the peers remembered from the last run, and remembers the ones of this run.
/// Holds the data directory for the life of the node.
async fn remember(shared: Arc<Shared>, data_dir: DataDir) {
    let cache = PeerCache::new(data_dir.file("peers"));
    shared.introduce(cache.load()).await;
    let mut remembered = shared.remembered.subscribe();
    while remembered.changed().await.is_ok() {
        let records = remembered.borrow_and_update().clone();
        if let Err(error) = cache.save(&records) {
            tracing::warn!(%error, "peers are not remembered");
        }
    }
}

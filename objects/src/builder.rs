//! Configures and starts a node.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use objects_proto::config::ObjectsConfig;
use objects_proto::kinds_table::{KindError, KindTable};
use objects_proto::mode::Lost;
use objects_proto::object::{MEMBERS_MAX, ObjectId};
use objects_proto::shared::SharedObject;
use overlay::Role;
use overlay_proto::OverlayConfig;

use crate::background::LostHook;
use crate::error::{Error, Result, StartError};
use crate::node::Node;
use crate::start::{self, Plan};

/// Configures a node. Made by [`Node::builder`].
///
/// What is not said here is taken from the environment (`PYDO_CLUSTER`, `PYDO_LISTEN`,
/// `PYDO_REGISTRY`, `PYDO_PEER`, `PYDO_DATA_DIR`), unless it is ignored.
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    overlay: overlay::Builder,
    role: Role,
    kinds: std::result::Result<KindTable, KindError>,
    labels: Vec<(String, String)>,
    config: ObjectsConfig,
    threads: usize,
    on_lost: Option<LostHook>,
}

impl Node {
    /// Starts to configure a node.
    pub fn builder() -> Builder {
        Builder {
            overlay: overlay::Node::builder(),
            role: Role::Member,
            kinds: Ok(KindTable::default()),
            labels: Vec::new(),
            config: ObjectsConfig::default(),
            threads: spare_processors(),
            on_lost: None,
        }
    }
}

/// Processors besides one for the network, at least 1.
fn spare_processors() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors.saturating_sub(1).max(1)
}

impl Builder {
    /// Hosts objects of this kind. Every host also hosts the directory of names.
    pub fn host<K: SharedObject>(mut self) -> Self {
        if let Ok(kinds) = &mut self.kinds
            && let Err(error) = kinds.register::<K>()
        {
            self.kinds = Err(error);
        }
        self
    }

    /// Joins as a client: it calls, hosts nothing, and the others are not told of it.
    pub fn client(mut self) -> Self {
        self.overlay = self.overlay.client();
        self.role = Role::Client;
        self
    }

    /// Replicas of the objects that this node makes, 1 to 9, best odd. Default: 3, which
    /// survives the loss of one. As long as there are fewer hosts, there are fewer replicas.
    pub fn factor(mut self, replicas: u8) -> Self {
        self.config.factor = replicas;
        self
    }

    /// Threads that run the methods of hosted objects, at least 1. Default: one less than there
    /// are processors, and 1 with one or two. All calls of one object run on one thread.
    pub fn executor_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// What to do when calls on an object that this node held turn out to be lost: another line
    /// of primaries went on with the object, because it is weak (see
    /// [`Mode::Weak`](crate::Mode::Weak)), or because somebody recovered it while its majority
    /// lived out of reach. The hook gets what is discarded, the encoded state included. It runs on
    /// a thread of its own, for one loss after the other.
    /// [`Event::CallsLost`](crate::Event::CallsLost) says the same.
    pub fn on_lost(mut self, hook: impl Fn(ObjectId, &Lost) + Send + Sync + 'static) -> Self {
        self.on_lost = Some(Arc::new(hook));
        self
    }

    /// A label of this node: replicas avoid sharing a `host` or a `zone`.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// The cluster to join, `lan` by default; nodes of different clusters do not see each other.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.overlay = self.overlay.cluster(name);
        self
    }

    /// An address to listen on, `ip:port` or a multiaddress; may be called again. Default: a
    /// free port on all interfaces.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.overlay = self.overlay.listen(address);
        self
    }

    /// A registry to register at, `host:port` or a multiaddress; may be called again.
    pub fn registry(mut self, address: impl Into<String>) -> Self {
        self.overlay = self.overlay.registry(address);
        self
    }

    /// A peer to join by, `host:port` or a multiaddress; may be called again.
    pub fn peer(mut self, address: impl Into<String>) -> Self {
        self.overlay = self.overlay.peer(address);
        self
    }

    /// Keeps the identity and known peers in this directory, one identity per running process.
    /// Default: a fresh identity each time.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.overlay = self.overlay.data_dir(path);
        self
    }

    /// Whether to look for peers by multicast on the local network. Default: yes.
    pub fn mdns(mut self, wanted: bool) -> Self {
        self.overlay = self.overlay.mdns(wanted);
        self
    }

    /// Whether to meet other processes of this user and machine by a folder. Default: yes.
    pub fn runtime_folder(mut self, wanted: bool) -> Self {
        self.overlay = self.overlay.runtime_folder(wanted);
        self
    }

    /// The folder by which processes of one machine meet, instead of the user's usual one.
    pub fn runtime_folder_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.overlay = self.overlay.runtime_folder_at(path);
        self
    }

    /// Only what the program says counts, no environment variable.
    pub fn ignore_environment(mut self) -> Self {
        self.overlay = self.overlay.ignore_environment();
        self
    }

    /// Parameters of the overlay's protocols.
    pub fn overlay_config(mut self, config: OverlayConfig) -> Self {
        self.overlay = self.overlay.config(config);
        self
    }

    /// Parameters of the object layer's protocols, the factor included.
    pub fn config(mut self, config: ObjectsConfig) -> Self {
        self.config = config;
        self
    }

    /// Starts the node on the current tokio runtime. It looks for others from now on; calls may
    /// be made at once and wait for whom they need.
    ///
    /// # Errors
    /// [`StartError`], as [`Error::Start`](crate::Error::Start); nothing is left running.
    pub async fn start(self) -> Result<Node> {
        let kinds = self.kinds?;
        let hosts = kinds.iter().next().is_some();
        if hosts && self.role == Role::Client {
            return Err(StartError::ClientHosts.into());
        }
        if !(1..=MEMBERS_MAX).contains(&usize::from(self.config.factor)) {
            return Err(StartError::Factor(self.config.factor).into());
        }
        let plan = Plan {
            overlay: self.overlay,
            role: self.role,
            kinds,
            labels: self.labels,
            config: self.config,
            threads: self.threads,
            on_lost: self.on_lost,
        };
        Box::pin(start::start(plan)).await
    }
}

impl From<KindError> for Error {
    fn from(error: KindError) -> Self {
        StartError::from(error).into()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("role", &self.role)
            .field("kinds", &self.kinds)
            .finish()
    }
}

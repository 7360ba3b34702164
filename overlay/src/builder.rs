//! Configures and starts a node.

use std::env;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use libp2p::Multiaddr;
use overlay_proto::member::{HostedKind, Keys};
use overlay_proto::{Announcement, Incarnation, Overlay, OverlayConfig, ProcessId, Role};
use tokio::sync::{broadcast, mpsc, watch};

use crate::address;
use crate::behaviour::Settings;
use crate::cluster_name::ClusterName;
use crate::command::{COMMANDS_MAX, Request};
use crate::data_dir::DataDir;
use crate::discovery::{Discovery, Sources};
use crate::driver::{Driver, Inputs};
use crate::handler::{FrameHandler, NoFrames};
use crate::identity::Identity;
use crate::limit::Limits;
use crate::link::table::{Links, Outbound, WAITING_PROCESSES_MAX};
use crate::metrics::Counts;
use crate::node::Node;
use crate::request::Services;
use crate::shared::{EVENTS_MAX, Shared};
use crate::start_error::{LISTEN_TIMEOUT, StartError};
use crate::swarm;
use crate::tasks::Tasks;

/// The cluster of nodes that name none.
pub const DEFAULT_CLUSTER: &str = "lan";
/// Where a node listens that is not told where: all interfaces, a free port.
const DEFAULT_LISTEN: &str = "/ip4/0.0.0.0/tcp/0";
/// Link inputs that wait for the event loop; readers wait when it is full.
const LINK_INPUTS_MAX: usize = 1024;

/// Configures a node. What is not set is taken from the environment, then from the default.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    cluster: Option<String>,
    listen: Vec<String>,
    registries: Vec<String>,
    peers: Vec<String>,
    data_dir: Option<PathBuf>,
    announcement: Announcement,
    role: Role,
    mdns: bool,
    runtime_folder: Option<PathBuf>,
    runtime_folder_wanted: bool,
    limits: Limits,
    config: OverlayConfig,
    handler: Option<Arc<dyn FrameHandler>>,
    ignore_environment: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            cluster: None,
            listen: Vec::new(),
            registries: Vec::new(),
            peers: Vec::new(),
            data_dir: None,
            announcement: Announcement::default(),
            role: Role::Member,
            mdns: true,
            runtime_folder: None,
            runtime_folder_wanted: true,
            limits: Limits::default(),
            config: OverlayConfig::default(),
            handler: None,
            ignore_environment: false,
        }
    }
}

impl Node {
    /// Starts to configure a node.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// The cluster to join; nodes of different clusters do not see each other. Environment:
    /// `PYDO_CLUSTER`; default: `lan`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = Some(name.into());
        self
    }

    /// An address to listen on, `ip:port` or a multiaddress; may be called again. Environment:
    /// `PYDO_LISTEN`, a comma-separated list; default: a free port on all interfaces.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(address.into());
        self
    }

    /// A registry to register at, `host:port` or a multiaddress; may be called again.
    /// Environment: `PYDO_REGISTRY`, a comma-separated list.
    pub fn registry(mut self, address: impl Into<String>) -> Self {
        self.registries.push(address.into());
        self
    }

    /// A peer to join by, `host:port` or a multiaddress; may be called again. Environment:
    /// `PYDO_PEER`, a comma-separated list.
    pub fn peer(mut self, address: impl Into<String>) -> Self {
        self.peers.push(address.into());
        self
    }

    /// Keeps the identity and known peers in this directory. Each running process takes one
    /// identity of it. Environment: `PYDO_DATA_DIR`; default: a fresh identity each time.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// A label of this node, such as `zone`.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.announcement.labels.push((key.into(), value.into()));
        self
    }

    /// The kinds of objects that this node hosts, and how many replicas it is willing to hold.
    pub fn hosts(mut self, kinds: Vec<HostedKind>, capacity: u32) -> Self {
        self.announcement.kinds = kinds;
        self.announcement.capacity = capacity;
        self
    }

    /// Everything that this node says of itself but for its addresses, which the node knows.
    pub fn announcement(mut self, announcement: Announcement) -> Self {
        self.announcement = announcement;
        self
    }

    /// Makes the node a client: it sees the members, and they are not told of it.
    pub fn client(mut self) -> Self {
        self.role = Role::Client;
        self
    }

    /// Whether to look for peers by multicast on the local network. Default: yes, if built with
    /// the feature `mdns`.
    pub fn mdns(mut self, wanted: bool) -> Self {
        self.mdns = wanted;
        self
    }

    /// Whether to meet other processes of this user and machine by a folder. Default: yes.
    pub fn runtime_folder(mut self, wanted: bool) -> Self {
        self.runtime_folder_wanted = wanted;
        self
    }

    /// The folder by which processes of one machine meet, instead of the user's usual one.
    pub fn runtime_folder_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.runtime_folder = Some(path.into());
        self.runtime_folder_wanted = true;
        self
    }

    /// Only what the program says counts, no environment variable.
    pub fn ignore_environment(mut self) -> Self {
        self.ignore_environment = true;
        self
    }

    /// How much of the machine the node may use for others.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Parameters of the overlay's protocols; the epoch in it is set by the node.
    pub fn config(mut self, config: OverlayConfig) -> Self {
        self.config = config;
        self
    }

    /// The layer above.
    pub fn frames(mut self, handler: Arc<dyn FrameHandler>) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Starts the node on the current tokio runtime. It listens when this returns; members are
    /// found afterwards.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(mut self) -> Result<Node, StartError> {
        self.read_environment();
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let cluster = self.cluster_name()?;
        let (data_dir, identity) = match &self.data_dir {
            Some(path) => {
                let (data_dir, identity) = DataDir::open(path)?;
                (Some(data_dir), identity)
            }
            None => (None, Identity::generate()),
        };
        let tasks = Tasks::new(runtime);
        let settings = Settings {
            keypair: &identity.keypair(),
            cluster: &cluster,
            role: self.role,
            limits: &self.limits,
            mdns: self.mdns,
        };
        let mut swarm = swarm::node(&settings, tasks.clone()).map_err(StartError::Transport)?;
        for address in self.listen_addresses()? {
            swarm
                .listen_on(address.clone())
                .map_err(|error| StartError::Listen {
                    address: address.to_string(),
                    reason: error.to_string(),
                })?;
        }
        let (shared, inputs) = self.shared(cluster, identity, tasks);
        let machine = self.machine(&shared);
        let handler = shared.handler.clone();
        handler.started(shared.process, Outbound::new(shared.links.clone()));
        let driver = Driver::new(shared.clone(), swarm, machine, self.role, inputs);
        shared.tasks.spawn(driver.run());
        let node = Node::new(shared.clone());
        self.wait_for_address(&node).await?;
        let announcement = Box::new(self.announcement.clone());
        drop(shared.requests.send(Request::Announce(announcement)).await);
        Discovery::start(&shared, self.sources(&shared, data_dir)?);
        Ok(node)
    }

    fn read_environment(&mut self) {
        if self.ignore_environment {
            return;
        }
        let list = |name| {
            let value = env::var(name).unwrap_or_default();
            let items = value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            items.map(str::to_owned).collect::<Vec<_>>()
        };
        if self.cluster.is_none() {
            self.cluster = env::var("PYDO_CLUSTER")
                .ok()
                .filter(|name| !name.is_empty());
        }
        if self.listen.is_empty() {
            self.listen = list("PYDO_LISTEN");
        }
        if self.registries.is_empty() {
            self.registries = list("PYDO_REGISTRY");
        }
        if self.peers.is_empty() {
            self.peers = list("PYDO_PEER");
        }
        if self.data_dir.is_none() {
            self.data_dir = env::var_os("PYDO_DATA_DIR")
                .filter(|v| !v.is_empty())
                .map(Into::into);
        }
    }

    fn cluster_name(&self) -> Result<ClusterName, StartError> {
        let name = self.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
        name.parse().map_err(|source| StartError::Cluster {
            name: name.to_owned(),
            source,
        })
    }

    fn listen_addresses(&self) -> Result<Vec<Multiaddr>, StartError> {
        if self.listen.is_empty() && self.role == Role::Client {
            return Ok(Vec::new());
        }
        let default = [DEFAULT_LISTEN.to_owned()];
        let texts = if self.listen.is_empty() {
            &default[..]
        } else {
            &self.listen
        };
        let parse = |text: &String| {
            address::parse_socket(text).ok_or_else(|| StartError::Address(text.clone()))
        };
        texts.iter().map(parse).collect()
    }

    async fn wait_for_address(&self, node: &Node) -> Result<(), StartError> {
        if self.role == Role::Client && self.listen.is_empty() {
            return Ok(());
        }
        let mut addresses = node.shared().addresses.subscribe();
        let some = addresses.wait_for(|addresses| !addresses.is_empty());
        match tokio::time::timeout(LISTEN_TIMEOUT, some).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StartError::Listen {
                address: self.listen.join(", "),
                reason: "no usable network address".to_owned(),
            }),
        }
    }

    fn machine(&self, shared: &Shared) -> Overlay {
        let mut config = self.config.clone();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        config.epoch_unix_ms =
            now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        config.founding.registry_configured = !self.registries.is_empty();
        let keys = Box::new(shared.identity.clone());
        Overlay::new(config, keys, shared.process, self.role, rand::random())
    }

    fn shared(
        &self,
        cluster_name: ClusterName,
        identity: Identity,
        tasks: Tasks,
    ) -> (Arc<Shared>, Inputs) {
        let process = ProcessId {
            peer: identity.peer(),
            incarnation: Incarnation(rand::random()),
        };
        let (requests_in, requests) = mpsc::channel(COMMANDS_MAX);
        let (wanted_in, wanted) = mpsc::channel(2 * WAITING_PROCESSES_MAX);
        let (link_inputs, links_out) = mpsc::channel(LINK_INPUTS_MAX);
        let links = Arc::new(Links::new(process, wanted_in));
        let services = Arc::new(Services::new(links.clone(), tasks.clone()));
        let shared = Shared {
            identity,
            process,
            cluster_name,
            links,
            services,
            handler: self.handler.clone().unwrap_or_else(|| Arc::new(NoFrames)),
            requests: requests_in,
            view: watch::Sender::default(),
            cluster: watch::Sender::default(),
            addresses: watch::Sender::default(),
            own_record: watch::Sender::default(),
            remembered: watch::Sender::default(),
            left: watch::Sender::default(),
            registrations: watch::Sender::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
            counters: Mutex::default(),
            counts: Counts::default(),
            tasks,
        };
        (
            Arc::new(shared),
            Inputs {
                requests,
                wanted,
                links: links_out,
                link_inputs,
            },
        )
    }

    fn sources(&self, shared: &Shared, data_dir: Option<DataDir>) -> Result<Sources, StartError> {
        let parse = |text: &String| {
            address::Place::parse(text).ok_or_else(|| StartError::Address(text.clone()))
        };
        let folder = match &self.runtime_folder {
            Some(path) => path.join(shared.cluster_name.as_str()),
            None => crate::runtime_folder::usual(&shared.cluster_name),
        };
        Ok(Sources {
            role: self.role,
            peers: self.peers.iter().map(parse).collect::<Result<_, _>>()?,
            registries: self
                .registries
                .iter()
                .map(parse)
                .collect::<Result<_, _>>()?,
            runtime_folder: self.runtime_folder_wanted.then_some(folder),
            data_dir,
        })
    }
}

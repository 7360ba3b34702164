//! The event loop of a node: owns the swarm and the overlay machine. Nothing slow happens in it,
//! and frames bypass it.

mod connecting;
mod directory;
mod gossip;
mod linking;
mod machine;
mod peering;
mod probing;
mod reader;
mod routing;
mod swarm_events;
mod timers;

pub use self::directory::DIRECTORY_QUERIES_MAX;

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::gossipsub::TopicHash;
use libp2p::swarm::{ConnectionId, Stream};
use libp2p::{Multiaddr, Swarm};
use overlay_proto::{Announcement, Overlay, PeerId, ProcessId, Role, Timer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use self::directory::Lookups;
use self::gossip::Topics;
use self::peering::Peering;
use self::reader::LinkInput;
use self::timers::Timers;
use crate::behaviour::Behaviour;
use crate::command::Request;
use crate::link::hello::{Answer, Hello, HelloError};
use crate::link::table::Wanted;
use crate::shared::Shared;

/// Results of tasks that the loop started, waiting for it.
const RESULTS_MAX: usize = 256;
/// Requests, inputs or results taken before the swarm gets its turn again.
const BATCH_MAX: usize = 64;

/// How long the loop sleeps when no timer is set.
const IDLE: std::time::Duration = std::time::Duration::from_secs(3600);

/// What comes back from tasks that the loop started.
pub(crate) enum TaskResult {
    /// A hello was answered, or not.
    Offered {
        peer: PeerId,
        connection: ConnectionId,
        nonce: u64,
        result: Result<(Stream, Answer), HelloError>,
    },
    /// A hello arrived.
    Received {
        peer: PeerId,
        connection: ConnectionId,
        stream: Stream,
        hello: Box<Hello>,
    },
    /// A bulk stream named its link.
    Bulk {
        peer: PeerId,
        nonce: u64,
        stream: Stream,
    },
}

/// A timer of the loop.
#[derive(Clone, Copy, Debug)]
enum Due {
    Machine(Timer),
    /// Looks after connections and traffic.
    Sweep,
    /// Tries a link again that was refused as busy.
    Retry(PeerId),
}

/// What the loop is started with.
pub(crate) struct Inputs {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) wanted: mpsc::Receiver<Wanted>,
    pub(crate) links: mpsc::Receiver<LinkInput>,
    pub(crate) link_inputs: mpsc::Sender<LinkInput>,
}

/// The state of the event loop.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    swarm: Swarm<Behaviour>,
    machine: Overlay,
    role: Role,
    epoch: Instant,
    inputs: Inputs,
    results: mpsc::Receiver<TaskResult>,
    results_in: mpsc::Sender<TaskResult>,
    timers: Timers<Due>,
    peers: HashMap<PeerId, Peering>,
    strangers: HashMap<libp2p::PeerId, Instant>,
    next_link: u64,
    topics: Topics,
    membership_topic: TopicHash,
    lookups: Lookups,
    announcement: Option<Announcement>,
    addresses: Vec<Multiaddr>,
    /// Requests that wait for a link.
    linked: HashMap<PeerId, Vec<oneshot::Sender<Option<ProcessId>>>>,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        swarm: Swarm<Behaviour>,
        machine: Overlay,
        role: Role,
        inputs: Inputs,
    ) -> Self {
        let (results_in, results) = mpsc::channel(RESULTS_MAX);
        let membership_topic = crate::behaviour::membership_topic(&shared.cluster_name);
        Self {
            shared,
            swarm,
            machine,
            role,
            epoch: Instant::now(),
            inputs,
            results,
            results_in,
            timers: Timers::default(),
            peers: HashMap::new(),
            strangers: HashMap::new(),
            next_link: 1,
            topics: Topics::default(),
            membership_topic,
            lookups: Lookups::default(),
            announcement: None,
            addresses: Vec::new(),
            linked: HashMap::new(),
        }
    }

    /// Runs until the node is dropped or shut down.
    pub(crate) async fn run(mut self) {
        self.join_membership_topic();
        self.timers.set(Due::Sweep, peering::SWEEP_INTERVAL);
        let mut inputs = Vec::with_capacity(BATCH_MAX);
        loop {
            let due = self
                .timers
                .next_due()
                .unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                count = self.inputs.links.recv_many(&mut inputs, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    inputs.drain(..).for_each(|input| self.on_link_input(input));
                }
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                () = sleep_until(due) => self.on_due(),
                Some(wanted) = self.inputs.wanted.recv() => self.on_wanted(wanted),
                Some(result) = self.results.recv() => self.on_result(result),
                request = self.inputs.requests.recv() => match request {
                    Some(request) => self.on_request(request),
                    None => return,
                },
            }
        }
    }

    fn on_due(&mut self) {
        let now = Instant::now();
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Machine(timer) => self.feed(overlay_proto::Input::TimerFired(timer)),
                Due::Sweep => self.sweep(),
                Due::Retry(peer) => self.retry(peer),
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        use overlay_proto::Command;
        match request {
            Request::Announce(announcement) => {
                self.announcement = Some(*announcement);
                self.announce();
            }
            Request::Introduce(records) => self.command(Command::Introduce(records)),
            Request::Try(address) => self.try_address(address),
            Request::RegistryAnswered(cluster) => {
                self.command(Command::RegistryAnswered { cluster });
            }
            Request::NeedCluster => self.command(Command::NeedCluster),
            Request::UpdateCluster(record) => self.command(Command::UpdateCluster(*record)),
            Request::Connect { peer, linked } => self.connect(peer, linked),
            Request::Publish { topic, data, taken } => {
                let _ = taken.send(self.publish(&topic, &data));
            }
            Request::Subscribe { topic, messages } => {
                drop(messages.send(self.subscribe(&topic)));
            }
            Request::PutRecord { key, value, kept } => self.put_record(&key, &value, kept),
            Request::GetRecord { key, candidates } => self.get_record(&key, candidates),
            Request::List { limit, records } => drop(records.send(self.list(limit))),
            Request::Leave => self.command(Command::Leave),
        }
    }
}

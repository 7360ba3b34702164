//! Real swarms of one process on the loopback address, driven by one task.

use std::env;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, Swarm};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{Instant, timeout, timeout_at};

use super::*;
use crate::swarm::build;
use crate::tasks::Tasks;

/// Links that the overlay keeps up.
const DEGREE: usize = 8;
/// The longest that anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// Nothing is under way any more once nothing has happened for so long.
const QUIET: Duration = Duration::from_millis(400);

/// What spreads news and what keeps records, as nodes have them.
#[derive(NetworkBehaviour)]
pub(super) struct Both {
    pub(super) gossip: gossipsub::Behaviour<gossipsub::IdentityTransform, TopicFilter>,
    pub(super) directory: kad::Behaviour<Records>,
}

pub(super) struct Swarms {
    pub(super) all: Vec<Swarm<Both>>,
    pub(super) addresses: Vec<Multiaddr>,
    /// Copies of messages that arrived, and messages that were published.
    seen: Arc<AtomicU64>,
    tasks: Tasks,
}

/// How many swarms: the environment variable `CALIBRATE` names more than `usual`.
pub(super) fn sizes(usual: &[usize]) -> Vec<usize> {
    let named = env::var("CALIBRATE").unwrap_or_default();
    let named: Vec<usize> = named
        .split(',')
        .filter_map(|one| one.parse().ok())
        .collect();
    if named.is_empty() {
        usual.to_vec()
    } else {
        named
    }
}

pub(super) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// What was measured and what the model says.
#[derive(Default)]
pub(super) struct Comparison {
    apart: Vec<String>,
}

impl Comparison {
    /// Two numbers that should be within a fifth of each other.
    pub(super) fn add(&mut self, nodes: usize, what: &str, real: f64, model: f64) {
        let ratio = model / real;
        let words = format!("{nodes} nodes, {what}: real {real:.2}, model {model:.2}");
        println!("{words}, ratio {ratio:.2}");
        if !(0.8..=1.25).contains(&ratio) {
            self.apart.push(words);
        }
    }
}

impl Drop for Comparison {
    fn drop(&mut self) {
        assert!(
            std::thread::panicking() || self.apart.is_empty(),
            "{:#?}",
            self.apart
        );
    }
}

impl Swarms {
    /// Swarms that listen and know nobody.
    pub(super) async fn start(count: usize) -> Self {
        let mut swarms = Self {
            all: Vec::new(),
            addresses: Vec::new(),
            seen: Arc::default(),
            tasks: Tasks::new(Handle::current()),
        };
        for _ in 0..count {
            let keypair = Keypair::generate_ed25519();
            let behaviour = both(&keypair, &swarms.seen);
            let mut swarm = build(&keypair, behaviour, swarms.tasks.clone()).unwrap();
            swarm
                .listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap())
                .unwrap();
            let listening = async {
                loop {
                    if let SwarmEvent::NewListenAddr { address, .. } =
                        swarm.select_next_some().await
                    {
                        return address;
                    }
                }
            };
            let address = timeout(PATIENCE, listening).await.expect("listens");
            swarms.addresses.push(address);
            swarms.all.push(swarm);
        }
        swarms
    }

    /// Links of each one with up to eight others at least, as the overlay keeps them.
    pub(super) async fn link(&mut self) {
        let count = self.all.len();
        let wanted = DEGREE.min(count - 1);
        let mut links = vec![Vec::new(); count];
        for from in 0..count {
            for step in 0..count {
                // A walk through all others that looks random and is not.
                let to = (from + 1 + (step * 7 + from * 3) % (count - 1)) % count;
                if links[from].len() >= wanted || to == from || links[from].contains(&to) {
                    continue;
                }
                links[from].push(to);
                links[to].push(from);
                let address = self.addresses[to].clone();
                self.all[from].dial(address).unwrap();
            }
        }
        let all: usize = links.iter().map(Vec::len).sum();
        let mut up = 0;
        while up < all {
            let (_, event) = self.next("links").await;
            up += usize::from(matches!(event, SwarmEvent::ConnectionEstablished { .. }));
        }
    }

    /// The next thing that happens at any swarm.
    pub(super) async fn next(&mut self, what: &str) -> (usize, SwarmEvent<BothEvent>) {
        let deadline = Instant::now() + PATIENCE;
        let next = timeout_at(deadline, self.any()).await;
        next.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// The next thing that happens, unless nothing does any more.
    pub(super) async fn soon(&mut self) -> Option<(usize, SwarmEvent<BothEvent>)> {
        timeout(QUIET, self.any()).await.ok()
    }

    async fn any(&mut self) -> (usize, SwarmEvent<BothEvent>) {
        poll_fn(|context| {
            for (place, swarm) in self.all.iter_mut().enumerate() {
                if let Poll::Ready(Some(event)) = swarm.poll_next_unpin(context) {
                    return Poll::Ready((place, event));
                }
            }
            Poll::Pending
        })
        .await
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    pub(super) fn stop(self) {
        self.tasks.abort();
    }
}

/// The production's configurations; what arrives is counted where its id is made.
fn both(keypair: &Keypair, seen: &Arc<AtomicU64>) -> Both {
    let cluster: ClusterName = "calibration".parse().unwrap();
    let settings = Settings {
        keypair,
        cluster: &cluster,
        role: Role::Member,
        limits: &Limits::default(),
        mdns: false,
    };
    let peer = keypair.public().to_peer_id();
    let seen = seen.clone();
    let counted = move |message: &gossipsub::Message| {
        seen.fetch_add(1, Ordering::Relaxed);
        message_id(message)
    };
    let config = gossip_config(&cluster)
        .message_id_fn(counted)
        .build()
        .unwrap();
    Both {
        gossip: gossipsub::Behaviour::new_with_subscription_filter(
            MessageAuthenticity::Author(peer),
            config,
            topic_filter(&cluster),
        )
        .unwrap(),
        directory: directory(&settings, peer),
    }
}

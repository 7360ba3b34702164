//! Being a registry: takes requests from the network and hands them to whoever keeps the state.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, Swarm, connection_limits};
use overlay_proto::registry::{Answer, Call};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::exchange::serve_stream;
use crate::address;
use crate::behaviour::connection_limits;
use crate::identity::Identity;
use crate::limit::Limits;
use crate::link::behaviour::{Happened, Streams};
use crate::link::handler::{Protocols, StreamEvent};
use crate::start_error::{LISTEN_TIMEOUT, StartError};
use crate::swarm;
use crate::tasks::Tasks;

/// Calls that a registry serves at one time; further ones are cut.
pub const CALLS_MAX: usize = 256;

/// Answers a request that came from a network address.
type Handler = Arc<dyn Fn(IpAddr, Call) -> Answer + Send + Sync>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    streams: Streams,
}

/// A registry that takes requests. Dropping it ends it at once.
#[derive(Debug)]
pub struct RegistryServer {
    addresses: Vec<String>,
    tasks: Tasks,
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl RegistryServer {
    /// Where it listens, as multiaddresses, one per interface.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Ends it and waits until its tasks are gone. Calls that are being answered are cut.
    pub async fn shutdown(self) {
        self.tasks.close().await;
    }
}

/// Listens on `ip:port` or multiaddresses and answers each request by `handler`, which must not
/// block. The address in its first argument is the caller's, without its port.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub async fn serve(
    listen: &[String],
    limits: Limits,
    handler: impl Fn(IpAddr, Call) -> Answer + Send + Sync + 'static,
) -> Result<RegistryServer, StartError> {
    let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
    let tasks = Tasks::new(runtime);
    let behaviour = Behaviour {
        limits: connection_limits(&limits),
        streams: Streams::new(Protocols::registry()),
    };
    let identity = Identity::generate();
    let mut swarm = swarm::build(&identity.keypair(), behaviour, tasks.clone())
        .map_err(StartError::Transport)?;
    for text in listen {
        let address =
            address::parse_socket(text).ok_or_else(|| StartError::Address(text.clone()))?;
        let failed = |reason: String| StartError::Listen {
            address: text.clone(),
            reason,
        };
        swarm
            .listen_on(address)
            .map_err(|error| failed(error.to_string()))?;
    }
    let (addresses_in, mut addresses) = watch::channel(Vec::new());
    let server = Server {
        swarm,
        handler: Arc::new(handler),
        origins: HashMap::new(),
        addresses: addresses_in,
        room: Arc::new(Semaphore::new(CALLS_MAX)),
        tasks: tasks.clone(),
    };
    tasks.spawn(server.run());
    let mut running = RegistryServer {
        addresses: Vec::new(),
        tasks,
    };
    let some = addresses.wait_for(|addresses: &Vec<String>| !addresses.is_empty());
    match tokio::time::timeout(LISTEN_TIMEOUT, some).await {
        Ok(Ok(some)) => running.addresses.clone_from(&some),
        _ => {
            let reason = "no usable network address".to_owned();
            return Err(StartError::Listen {
                address: listen.join(", "),
                reason,
            });
        }
    }
    Ok(running)
}

struct Server {
    swarm: Swarm<Behaviour>,
    handler: Handler,
    origins: HashMap<ConnectionId, IpAddr>,
    addresses: watch::Sender<Vec<String>>,
    room: Arc<Semaphore>,
    tasks: Tasks,
}

impl Server {
    async fn run(mut self) {
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => {
                    self.addresses
                        .send_modify(|known| known.push(address.to_string()));
                }
                SwarmEvent::ConnectionEstablished {
                    connection_id,
                    endpoint,
                    ..
                } => {
                    if let Some(origin) = ip(endpoint.get_remote_address()) {
                        self.origins.insert(connection_id, origin);
                    }
                }
                SwarmEvent::ConnectionClosed { connection_id, .. } => {
                    self.origins.remove(&connection_id);
                }
                SwarmEvent::Behaviour(BehaviourEvent::Streams(happened)) => {
                    self.on_stream(happened);
                }
                SwarmEvent::ListenerError { error, .. } => {
                    tracing::warn!(%error, "a listener failed to accept");
                }
                _ => {}
            }
        }
    }

    fn on_stream(&self, happened: Happened) {
        let StreamEvent::Accepted(_, stream) = happened.event else {
            return;
        };
        let Some(origin) = self.origins.get(&happened.connection).copied() else {
            return;
        };
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            return tracing::warn!(%origin, "too many calls at one time");
        };
        let handler = self.handler.clone();
        self.tasks.spawn(async move {
            serve_stream(stream, |call| std::future::ready(handler(origin, call))).await;
            drop(room);
        });
    }
}

fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.to_ipv4_mapped().map_or(ip.into(), IpAddr::from)),
        _ => None,
    }
}

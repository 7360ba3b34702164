//! What the swarm reports: connections, streams, addresses, protocols.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::AsyncReadExt;
use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionId, DialError, Stream, SwarmEvent};
use overlay_proto::member::ADDRESSES_MAX;
use overlay_proto::{Command, LinkDown, PeerId};
use tokio::time::Instant;

use super::peering::{
    Attempt, Connection, LINKLESS_MAX, STRANGER_MEMORY, STRANGERS_MAX, SURPLUS_MAX, SWEEP_INTERVAL,
    is_link_local, is_loopback,
};
use super::{Driver, Due, TaskResult};
use crate::behaviour::BehaviourEvent;
use crate::identity::{from_libp2p, to_libp2p};
use crate::link::behaviour::Happened;
use crate::link::echo::Verdict;
use crate::link::handler::{Purpose, StreamEvent};
use crate::link::hello;
use crate::link::wire::Link;
use crate::link::writer::write_frames;
use crate::metrics::count;
use crate::swarm::is_refusal;

/// Longest wait for the first bytes of a bulk stream.
const BULK_PREFACE_TIMEOUT: Duration = Duration::from_secs(3);
/// A dial that failed sooner was answered somehow.
const QUICK_FAILURE: Duration = Duration::from_secs(1);
/// A link that this side closes and the other does not is cut after this.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.on_established(&peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, "connection closed");
                if let Some(peer) = from_libp2p(&peer_id) {
                    self.on_disconnected(peer, connection_id);
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id,
                connection_id,
                error,
            } => {
                self.on_dial_failed(peer_id, connection_id, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.addresses.retain(|known| *known != address);
                self.addresses.push(address);
                self.on_addresses();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.addresses.retain(|known| *known != address);
                self.on_addresses();
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener failed to accept");
            }
            _ => {}
        }
        let connections = u64::from(
            self.swarm
                .network_info()
                .connection_counters()
                .num_established(),
        );
        self.shared
            .counts
            .connections
            .store(connections, Ordering::Relaxed);
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(happened) => self.on_stream(happened),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Directory(event) => self.on_directory(event),
            #[cfg(feature = "mdns")]
            BehaviourEvent::Mdns(libp2p::mdns::Event::Discovered(found)) => {
                found
                    .into_iter()
                    .for_each(|(peer, address)| self.on_discovered(&peer, address));
            }
            #[cfg(feature = "mdns")]
            BehaviourEvent::Mdns(libp2p::mdns::Event::Expired(_)) => {}
            #[cfg(not(feature = "mdns"))]
            BehaviourEvent::Mdns(never) => match never {},
        }
    }

    /// Multicast found a libp2p peer, of whatever application.
    #[cfg(feature = "mdns")]
    fn on_discovered(&mut self, name: &libp2p::PeerId, address: Multiaddr) {
        let known = from_libp2p(name).is_some_and(|peer| {
            self.peers.contains_key(&peer) || self.machine.view().peer(&peer).is_some()
        });
        if !known && !self.strangers.contains_key(name) {
            self.try_address(address);
        }
    }

    fn on_established(
        &mut self,
        name: &libp2p::PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let Some(peer) = from_libp2p(name) else {
            self.swarm.close_connection(id);
            return;
        };
        let dialled = match endpoint {
            ConnectedPoint::Dialer { address, .. } => Some(without_peer(address)),
            ConnectedPoint::Listener { .. } => None,
        };
        let remote = without_peer(endpoint.get_remote_address());
        self.on_connected(
            peer,
            Connection {
                id,
                dialled,
                remote,
                since: Instant::now(),
            },
        );
    }

    fn on_dial_failed(
        &mut self,
        name: Option<libp2p::PeerId>,
        connection: ConnectionId,
        error: &DialError,
    ) {
        tracing::debug!(peer = ?name, %error, "dial failed");
        let Some(peer) = name.as_ref().and_then(from_libp2p) else {
            return;
        };
        let refused = is_refusal(error);
        if self.end_probe(peer, connection) && refused {
            self.way_is_open(peer);
        }
        let Some(peering) = self.peers.get(&peer) else {
            return;
        };
        let quick = peering
            .dialled
            .is_some_and(|at| at.elapsed() < QUICK_FAILURE);
        if peering.attempt == Some(Attempt::Dialling(connection)) {
            if refused {
                self.failed(peer, LinkDown::Refused);
            } else if quick {
                self.failed_half_way(peer);
            } else {
                self.failed(peer, LinkDown::Unreachable);
            }
        }
    }

    fn on_stream(&mut self, happened: Happened) {
        let Happened {
            peer: name,
            connection,
            event,
        } = happened;
        let Some(peer) = from_libp2p(&name) else {
            return;
        };
        match event {
            StreamEvent::Opened(Purpose::Link, stream) => {
                self.on_link_opened(peer, connection, stream);
            }
            StreamEvent::Failed(Purpose::Link) => self.on_link_refused(peer, connection),
            StreamEvent::Accepted(Purpose::Link, stream) => {
                let results = self.results_in.clone();
                self.shared.tasks.spawn(async move {
                    match hello::receive(stream).await {
                        Ok((stream, hello)) => {
                            let hello = Box::new(hello);
                            let result = TaskResult::Received {
                                peer,
                                connection,
                                stream,
                                hello,
                            };
                            drop(results.send(result).await);
                        }
                        Err(error) => tracing::debug!(%peer, %error, "no hello on a link stream"),
                    }
                });
            }
            StreamEvent::Opened(Purpose::Bulk, stream) => self.on_bulk_opened(peer, stream),
            StreamEvent::Accepted(Purpose::Bulk, stream) => self.on_bulk_accepted(peer, stream),
            StreamEvent::Failed(Purpose::Bulk) => {
                if let Some(link) = self.shared.links.get(&peer) {
                    link.abandon();
                }
            }
            StreamEvent::Accepted(Purpose::Registry, stream) => {
                self.answer_in_registrys_place(stream);
            }
            StreamEvent::Opened(Purpose::Registry, _) | StreamEvent::Failed(Purpose::Registry) => {}
        }
    }

    fn on_bulk_opened(&self, peer: PeerId, stream: Stream) {
        let Some(link) = self.shared.links.get(&peer) else {
            return;
        };
        let preface = link.nonce.to_be_bytes();
        self.shared.tasks.spawn(async move {
            if let Err(error) = write_frames(stream, &link.bulk, &preface).await {
                tracing::debug!(process = %link.process, %error, "cannot write bulk");
                link.abandon();
            }
        });
    }

    fn on_bulk_accepted(&self, peer: PeerId, mut stream: Stream) {
        let results = self.results_in.clone();
        self.shared.tasks.spawn(async move {
            let mut nonce = [0; 8];
            let read = stream.read_exact(&mut nonce);
            if matches!(
                tokio::time::timeout(BULK_PREFACE_TIMEOUT, read).await,
                Ok(Ok(()))
            ) {
                let nonce = u64::from_be_bytes(nonce);
                drop(
                    results
                        .send(TaskResult::Bulk {
                            peer,
                            nonce,
                            stream,
                        })
                        .await,
                );
            }
        });
    }

    /// A peer turned out to be of another cluster, or no node at all.
    pub(super) fn note_stranger(&mut self, peer: PeerId, connection: ConnectionId) {
        count(&self.shared.counts.strangers);
        if let Some(name) = to_libp2p(&peer)
            && self.strangers.len() < STRANGERS_MAX
        {
            self.strangers.insert(name, Instant::now());
        }
        self.swarm.close_connection(connection);
    }

    fn on_addresses(&mut self) {
        let addresses = self.announced_addresses();
        let changed = *self.shared.addresses.borrow() != addresses;
        if changed {
            self.shared.addresses.send_replace(addresses);
            self.announce();
        }
    }

    /// Where others may reach this node: loopback addresses only if there are no others.
    pub(super) fn announced_addresses(&self) -> Vec<String> {
        let usable = self
            .addresses
            .iter()
            .filter(|address| !is_link_local(address));
        let (loopback, others): (Vec<_>, Vec<_>) = usable.partition(|address| is_loopback(address));
        let chosen = if others.is_empty() { loopback } else { others };
        chosen
            .into_iter()
            .take(ADDRESSES_MAX)
            .map(Multiaddr::to_string)
            .collect()
    }

    /// Looks after connections without a link, traffic, and what nobody waits for any more.
    pub(super) fn sweep(&mut self) {
        self.timers.set(Due::Sweep, SWEEP_INTERVAL);
        self.strangers
            .retain(|_, since| since.elapsed() < STRANGER_MEMORY);
        self.sweep_topics();
        self.sweep_lookups();
        self.sweep_connections();
        for link in self.shared.links.all() {
            let traffic = &link.traffic;
            let heard = traffic.heard.swap(false, Ordering::Relaxed);
            if heard {
                self.command(Command::Heard(link.process));
            }
            match link.look(heard) {
                Verdict::Fine | Verdict::Ask => {}
                Verdict::Stuck => self.give_up(&link),
                Verdict::Silent => self.probe(&link),
            }
            if traffic.used.swap(false, Ordering::Relaxed) {
                self.command(Command::LinkUsed(link.process));
            }
            self.count_traffic(&link);
        }
        let counters = *self.machine.counters();
        *self
            .shared
            .counters
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = counters;
    }

    fn sweep_connections(&mut self) {
        let mut surplus = Vec::new();
        for (peer, peering) in &self.peers {
            let link = self.shared.links.get(peer);
            let kept = link.as_ref().map(|link| link.connection);
            let patience = kept.map_or(LINKLESS_MAX, |_| SURPLUS_MAX);
            let attempted = match peering.attempt {
                Some(Attempt::Opening(id) | Attempt::Offered(id, _)) => Some(id),
                _ => None,
            };
            let old = peering.connections.iter().filter(|connection| {
                let id = Some(connection.id);
                id != kept && id != attempted && connection.since.elapsed() > patience
            });
            surplus.extend(old.map(|connection| connection.id));
        }
        for connection in surplus {
            self.swarm.close_connection(connection);
        }
        for link in self.shared.links.all() {
            if link.is_closing_since(CLOSE_PATIENCE) {
                link.abandon();
            }
        }
    }

    /// Moves a link's counts to the node's.
    pub(super) fn count_traffic(&self, link: &Link) {
        let counts = &self.shared.counts;
        let taken = link.traffic.frames_in.swap(0, Ordering::Relaxed);
        counts.frames_in.fetch_add(taken, Ordering::Relaxed);
        let taken = link.traffic.frames_out.swap(0, Ordering::Relaxed);
        counts.frames_out.fetch_add(taken, Ordering::Relaxed);
    }
}

/// An address without the peer that it leads to.
fn without_peer(address: &Multiaddr) -> Multiaddr {
    address
        .iter()
        .filter(|part| !matches!(part, Protocol::P2p(_)))
        .collect()
}

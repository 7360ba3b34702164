//! Dialling peers, and what follows when a link cannot be made.

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use overlay_proto::{Command, LinkDown, PeerId, ProcessId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::peering::{Attempt, BUSY_PAUSE, BUSY_TRIES, Connection, Peering, REDIAL_PAUSE, REDIALS};
use super::{Driver, Due};
use crate::identity::to_libp2p;
use crate::link::handler::Purpose;
use crate::link::table::Wanted;

impl Driver {
    /// Frames wait for a link, or a link needs its bulk stream.
    pub(super) fn on_wanted(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Link(process) => self.ensure_link(process.peer),
            Wanted::Bulk(peer, link) => {
                let found = self
                    .shared
                    .links
                    .get(&peer)
                    .filter(|found| found.id == link);
                if let Some(name) = to_libp2p(&peer)
                    && let Some(link) = found
                {
                    let streams = &mut self.swarm.behaviour_mut().streams;
                    streams.open(name, link.connection, Purpose::Bulk);
                }
            }
        }
    }

    /// The machine wants a link with a peer.
    pub(super) fn dial_for_machine(&mut self, peer: PeerId, addresses: &[String]) {
        let peering = self.peers.entry(peer).or_default();
        peering.asked = true;
        peering.learn(addresses);
        self.ensure_link(peer);
    }

    /// A request wants a link with a peer.
    pub(super) fn connect(&mut self, peer: PeerId, linked: oneshot::Sender<Option<ProcessId>>) {
        if let Some(link) = self.shared.links.get(&peer) {
            let _ = linked.send(Some(link.process));
            return;
        }
        self.linked.entry(peer).or_default().push(linked);
        self.ensure_link(peer);
    }

    /// Somebody may listen there; who, its handshake will tell.
    pub(super) fn try_address(&mut self, address: Multiaddr) {
        let options = DialOpts::unknown_peer_id()
            .address(address)
            .allocate_new_port()
            .build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%error, "cannot dial an address");
        }
    }

    /// Makes a link with a peer, unless there is one or one in the making.
    pub(super) fn ensure_link(&mut self, peer: PeerId) {
        if let Some(link) = self.shared.links.get(&peer) {
            return self.confirmed(peer, link.process);
        }
        let known = self
            .machine
            .view()
            .peer(&peer)
            .map(|member| member.record.clone());
        let peering = self.peers.entry(peer).or_default();
        if peering.attempt.is_some() {
            return;
        }
        if peering.addresses.is_empty()
            && let Some(record) = known
        {
            peering.learn(&record.addresses);
        }
        match peering.connections.first().map(|connection| connection.id) {
            Some(connection) => self.open_link(peer, connection),
            None => self.dial(peer),
        }
    }

    pub(super) fn dial(&mut self, peer: PeerId) {
        let Some(name) = to_libp2p(&peer) else {
            return self.failed(peer, LinkDown::Unreachable);
        };
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        let redial = peering.lost.is_some() && !peering.redial.is_empty();
        let places = if redial {
            &peering.redial
        } else {
            &peering.addresses
        };
        let options = DialOpts::peer_id(name).condition(PeerCondition::Always);
        let options = if places.is_empty() {
            options.allocate_new_port().build()
        } else {
            options
                .addresses(places.clone())
                .allocate_new_port()
                .build()
        };
        peering.attempt = Some(Attempt::Dialling(options.connection_id()));
        peering.dialled = Some(Instant::now());
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "cannot dial");
            self.failed(peer, LinkDown::Unreachable);
        }
    }

    fn open_link(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(name) = to_libp2p(&peer) else { return };
        let peering = self.peers.entry(peer).or_default();
        peering.attempt = Some(Attempt::Opening(connection));
        self.swarm
            .behaviour_mut()
            .streams
            .open(name, connection, Purpose::Link);
    }

    /// A connection is up. Who dialled it opens the link stream.
    pub(super) fn on_connected(&mut self, peer: PeerId, connection: Connection) {
        let (id, dialled) = (connection.id, connection.dialled.is_some());
        let peering = self.peers.entry(peer).or_default();
        peering.connections.push(connection);
        let busy = match peering.attempt {
            None | Some(Attempt::Paused) => false,
            Some(Attempt::Dialling(dialling)) => dialling != id && !dialled,
            Some(Attempt::Opening(_) | Attempt::Offered(..)) => true,
        };
        if dialled && !busy && self.shared.links.get(&peer).is_none() {
            self.open_link(peer, id);
        } else if self.end_probe(peer, id) {
            self.way_is_open(peer);
        }
    }

    /// A connection is gone. Readers and hellos on it notice by themselves; a stream that was
    /// being opened does not.
    pub(super) fn on_disconnected(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.connections.retain(|known| known.id != connection);
        if peering.attempt == Some(Attempt::Opening(connection)) {
            self.failed_half_way(peer);
        }
        self.forget_if_idle(peer);
    }

    pub(super) fn forget_if_idle(&mut self, peer: PeerId) {
        let idle = self.peers.get(&peer).is_some_and(Peering::is_idle);
        if idle && self.shared.links.get(&peer).is_none() && !self.shared.links.is_waited_for(&peer)
        {
            self.peers.remove(&peer);
        }
    }

    /// The other side has or makes another link: it will come up, or this one is tried again.
    pub(super) fn pause(&mut self, peer: PeerId) {
        if self.shared.links.get(&peer).is_some() {
            return;
        }
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.tries += 1;
        if peering.tries > BUSY_TRIES {
            return self.failed(peer, LinkDown::Unreachable);
        }
        peering.attempt = Some(Attempt::Paused);
        self.timers.set(Due::Retry(peer), BUSY_PAUSE);
    }

    /// A new dial of a broken link was accepted and then cut, as a dying process may do whose
    /// sockets close one after the other: the next one will tell.
    pub(super) fn failed_half_way(&mut self, peer: PeerId) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.tries += 1;
        if peering.lost.is_none() || peering.tries > REDIALS {
            return self.failed(peer, LinkDown::Unreachable);
        }
        peering.attempt = Some(Attempt::Paused);
        self.timers.set(Due::Retry(peer), REDIAL_PAUSE);
    }

    pub(super) fn retry(&mut self, peer: PeerId) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        if peering.attempt == Some(Attempt::Paused) {
            peering.attempt = None;
            if self.shared.links.get(&peer).is_none() {
                self.ensure_link(peer);
            }
        }
    }

    /// No link could be made: everybody who waits for one is told.
    pub(super) fn failed(&mut self, peer: PeerId, reason: LinkDown) {
        if self.shared.links.get(&peer).is_some() {
            return;
        }
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.attempt = None;
        peering.tries = 0;
        let lost = peering.lost.take();
        let asked = std::mem::take(&mut peering.asked);
        let waiting = self.shared.links.give_up(&peer, None);
        for process in lost
            .into_iter()
            .chain(waiting.into_iter().filter(|p| Some(*p) != lost))
        {
            self.link_down(process, reason, Some(process) == lost);
        }
        for linked in self.linked.remove(&peer).unwrap_or_default() {
            let _ = linked.send(None);
        }
        if asked {
            self.command(Command::DialFailed { peer, reason });
        }
        self.forget_if_idle(peer);
    }
}

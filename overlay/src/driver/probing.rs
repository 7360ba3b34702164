//! Links on which nothing arrives: another connection tells whether the peer can be reached.

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use overlay_proto::PeerId;

use super::Driver;
use super::peering::redial_places;
use crate::identity::to_libp2p;
use crate::link::wire::Link;

/// Most peers that are probed at a time; the others wait for the next look.
const PROBES_MAX: usize = 16;

impl Driver {
    /// What this node writes on a link does not arrive: a new one is made.
    pub(super) fn give_up(&mut self, link: &Link) {
        if !link.is_closing() {
            tracing::debug!(process = %link.process, "a link is stuck");
            link.abandon();
        }
    }

    /// Dials the peer of a silent link, unless that is under way.
    pub(super) fn probe(&mut self, link: &Link) {
        let peer = link.process.peer;
        let probes = self.peers.values().filter(|one| one.probe.is_some());
        let enough = probes.count() >= PROBES_MAX;
        let (Some(name), Some(peering)) = (to_libp2p(&peer), self.peers.get_mut(&peer)) else {
            return;
        };
        let connection = peering.connection(link.connection);
        let places = redial_places(link.dialled.as_ref(), connection, &peering.addresses);
        let busy = peering.probe.is_some() || peering.attempt.is_some();
        if enough || busy || places.is_empty() || link.is_closing() {
            return;
        }
        let options = DialOpts::peer_id(name)
            .condition(PeerCondition::Always)
            .addresses(places)
            .allocate_new_port()
            .build();
        peering.probe = Some(options.connection_id());
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "cannot probe");
            peering.probe = None;
        }
    }

    /// Whether a dial that ended was a probe.
    pub(super) fn end_probe(&mut self, peer: PeerId, connection: ConnectionId) -> bool {
        let probe = self.peers.get_mut(&peer).map(|peering| &mut peering.probe);
        probe.is_some_and(|probe| probe.take_if(|probe| *probe == connection).is_some())
    }

    /// A probe was answered: if the link is still silent it is stuck, or its process gone.
    pub(super) fn way_is_open(&mut self, peer: PeerId) {
        if let Some(link) = self.shared.links.get(&peer)
            && link.echo.waits()
        {
            self.give_up(&link);
        }
    }
}

//! The swarm's side of the stream handlers: which connection, which stream.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{Handler, Protocols, Purpose, StreamEvent};

/// A stream event with the connection that it belongs to.
#[derive(Debug)]
pub(crate) struct Happened {
    /// Whom the connection leads to, as its handshake proved.
    pub(crate) peer: PeerId,
    /// The connection.
    pub(crate) connection: ConnectionId,
    /// What happened.
    pub(crate) event: StreamEvent,
}

/// Opens and accepts the streams of links, bulk transfers and registry requests.
#[derive(Debug)]
pub(crate) struct Streams {
    protocols: Protocols,
    actions: VecDeque<ToSwarm<Happened, Purpose>>,
}

impl Streams {
    pub(crate) fn new(protocols: Protocols) -> Self {
        Self {
            protocols,
            actions: VecDeque::new(),
        }
    }

    /// Asks for a stream; the answer is [`StreamEvent::Opened`] or [`StreamEvent::Failed`],
    /// or nothing if the connection is gone.
    pub(crate) fn open(&mut self, peer: PeerId, connection: ConnectionId, purpose: Purpose) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: purpose,
        });
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Happened;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocols.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocols.clone()))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.actions.push_back(ToSwarm::GenerateEvent(Happened {
            peer,
            connection,
            event,
        }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Happened, THandlerInEvent<Self>>> {
        match self.actions.pop_front() {
            Some(action) => Poll::Ready(action),
            None => Poll::Pending,
        }
    }
}

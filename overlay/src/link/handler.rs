//! Opens and accepts streams on one connection and hands them on, untouched.

use std::array;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter::Flatten;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, FullyNegotiatedInbound,
    FullyNegotiatedOutbound,
};
use libp2p::swarm::{Stream, SubstreamProtocol};

use crate::cluster_name::ClusterName;

/// Longest negotiation of a stream.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(3);
/// Stream events that wait for the swarm; more streams than this are dropped, which resets them.
const EVENTS_MAX: usize = 64;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The long-lived stream of a link.
    Link,
    /// Frames of a link that are too long for its link stream, in one direction.
    Bulk,
    /// One request to a registry, or to a peer that answers in its place.
    Registry,
}

/// The protocol names of the purposes that a node serves.
#[derive(Clone, Debug)]
pub(crate) struct Protocols {
    names: [Option<StreamProtocol>; 3],
}

impl Protocols {
    /// All purposes, for a node of `cluster`.
    pub(crate) fn node(cluster: &ClusterName) -> Self {
        Self {
            names: [
                Some(cluster.protocol("link/1")),
                Some(cluster.protocol("bulk/1")),
                Some(REGISTRY),
            ],
        }
    }

    /// The registry protocol alone.
    pub(crate) fn registry() -> Self {
        Self {
            names: [None, None, Some(REGISTRY)],
        }
    }

    fn name(&self, purpose: Purpose) -> Option<StreamProtocol> {
        self.names.get(purpose as usize).cloned().flatten()
    }

    fn purpose(&self, name: &StreamProtocol) -> Purpose {
        let [link, bulk, _] = &self.names;
        match name {
            name if Some(name) == link.as_ref() => Purpose::Link,
            name if Some(name) == bulk.as_ref() => Purpose::Bulk,
            _ => Purpose::Registry,
        }
    }
}

/// The protocol of registries; the cluster is named in its requests.
const REGISTRY: StreamProtocol = StreamProtocol::new("/pydo/registry/1");

impl UpgradeInfo for Protocols {
    type Info = StreamProtocol;
    type InfoIter = Flatten<array::IntoIter<Option<StreamProtocol>, 3>>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.names.clone().into_iter().flatten()
    }
}

impl InboundUpgrade<Stream> for Protocols {
    type Output = (Purpose, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((self.purpose(&name), stream)))
    }
}

/// The protocol of one stream to open.
#[derive(Debug)]
pub(crate) struct Opening {
    name: StreamProtocol,
}

impl UpgradeInfo for Opening {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(self.name.clone())
    }
}

impl OutboundUpgrade<Stream> for Opening {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

/// What happened to a stream of this connection.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// The other side opened it.
    Accepted(Purpose, Stream),
    /// This side asked for it.
    Opened(Purpose, Stream),
    /// This side asked for it in vain.
    Failed(Purpose),
}

/// The handler of one connection.
#[derive(Debug)]
pub(crate) struct Handler {
    protocols: Protocols,
    to_open: VecDeque<Purpose>,
    events: VecDeque<StreamEvent>,
}

impl Handler {
    pub(crate) fn new(protocols: Protocols) -> Self {
        Self {
            protocols,
            to_open: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    fn report(&mut self, event: StreamEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        } else {
            tracing::debug!("a connection opens streams faster than they are taken");
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Purpose;
    type ToBehaviour = StreamEvent;
    type InboundProtocol = Protocols;
    type OutboundProtocol = Opening;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Purpose;

    fn listen_protocol(&self) -> SubstreamProtocol<Protocols> {
        SubstreamProtocol::new(self.protocols.clone(), ()).with_timeout(NEGOTIATION_TIMEOUT)
    }

    fn on_behaviour_event(&mut self, purpose: Purpose) {
        self.to_open.push_back(purpose);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Opening, Purpose, StreamEvent>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        let Some(purpose) = self.to_open.pop_front() else {
            return Poll::Pending;
        };
        let Some(name) = self.protocols.name(purpose) else {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(
                StreamEvent::Failed(purpose),
            ));
        };
        let protocol =
            SubstreamProtocol::new(Opening { name }, purpose).with_timeout(NEGOTIATION_TIMEOUT);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Protocols, Opening, (), Purpose>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (purpose, stream),
                ..
            }) => self.report(StreamEvent::Accepted(purpose, stream)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: purpose,
            }) => self.report(StreamEvent::Opened(purpose, stream)),
            ConnectionEvent::DialUpgradeError(error) => {
                self.report(StreamEvent::Failed(error.info));
            }
            _ => {}
        }
    }
}

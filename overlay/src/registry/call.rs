//! Calls a registry: dials, asks, hangs up. Who answers there is not asked.

use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Stream, SwarmEvent};
use libp2p::{Multiaddr, Swarm};
use overlay_proto::registry::{Answer, Call, Request};
use tokio::runtime::Handle;

use super::exchange::{EXCHANGE_TIMEOUT, ask};
use crate::address::Place;
use crate::identity::Identity;
use crate::link::behaviour::{Happened, Streams};
use crate::link::handler::{Protocols, Purpose, StreamEvent};
use crate::swarm;
use crate::tasks::Tasks;

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Neither `host:port` nor a multiaddress.
    #[error("{0:?} is neither host:port nor a multiaddress")]
    Address(String),
    /// The name does not resolve.
    #[error("{0} does not resolve")]
    Unresolved(String),
    /// Nobody could be reached there.
    #[error("cannot reach {place}: {reason}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// Who answers there is no registry, or broke off.
    #[error("no answer from {place}: {reason}")]
    Broken {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {0} in time")]
    Timeout(String),
}

/// Asks the registry, or any node that answers in its place, at `host:port` or a multiaddress,
/// about the cluster of this name.
///
/// # Errors
/// [`CallError`]. A registry that refuses is no error but an answer.
pub async fn call(
    registry: &str,
    cluster_name: &str,
    request: Request,
) -> Result<Answer, CallError> {
    let place = Place::parse(registry).ok_or_else(|| CallError::Address(registry.to_owned()))?;
    let cluster_name = cluster_name.to_owned();
    let call = Call {
        cluster_name,
        request,
    };
    call_place(&Identity::generate(), &place, &call).await
}

/// [`call`] under an identity.
pub(super) async fn call_place(
    identity: &Identity,
    place: &Place,
    call: &Call,
) -> Result<Answer, CallError> {
    let mut outcome = Err(CallError::Unresolved(place.to_string()));
    for address in place.resolve().await {
        outcome = call_address(identity, place, address, call).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn call_address(
    identity: &Identity,
    place: &Place,
    address: Multiaddr,
    call: &Call,
) -> Result<Answer, CallError> {
    let unreachable = |reason: String| CallError::Unreachable {
        place: place.to_string(),
        reason,
    };
    let tasks = Tasks::new(Handle::current());
    let streams = Streams::new(Protocols::registry());
    let swarm = swarm::build(&identity.keypair(), streams, tasks.clone());
    let mut swarm = swarm.map_err(|error| unreachable(error.to_string()))?;
    let options = DialOpts::unknown_peer_id()
        .address(address)
        .allocate_new_port()
        .build();
    swarm
        .dial(options)
        .map_err(|error| unreachable(error.to_string()))?;
    let exchange = async {
        let stream = open(&mut swarm).await.map_err(unreachable)?;
        let answer = tokio::select! {
            answer = ask(stream, call) => answer,
            never = drive(&mut swarm) => match never {},
        };
        answer.map_err(|error| CallError::Broken {
            place: place.to_string(),
            reason: error.to_string(),
        })
    };
    let limit = swarm::CONNECT_TIMEOUT.max(Duration::from_secs(1)) + EXCHANGE_TIMEOUT;
    let outcome = tokio::time::timeout(limit, exchange).await;
    drop(swarm);
    tasks.close().await;
    outcome.unwrap_or_else(|_| Err(CallError::Timeout(place.to_string())))
}

/// Waits for the connection and opens the one stream.
async fn open(swarm: &mut Swarm<Streams>) -> Result<Stream, String> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            } => {
                swarm
                    .behaviour_mut()
                    .open(peer_id, connection_id, Purpose::Registry);
            }
            SwarmEvent::Behaviour(Happened {
                event: StreamEvent::Opened(_, stream),
                ..
            }) => {
                return Ok(stream);
            }
            SwarmEvent::Behaviour(Happened {
                event: StreamEvent::Failed(_),
                ..
            }) => {
                return Err("no registry answers there".to_owned());
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.to_string()),
            SwarmEvent::ConnectionClosed { .. } => return Err("the connection broke".to_owned()),
            _ => {}
        }
    }
}

async fn drive(swarm: &mut Swarm<Streams>) -> std::convert::Infallible {
    loop {
        drop(swarm.select_next_some().await);
    }
}

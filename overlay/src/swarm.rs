//! Swarms: TCP, noise, yamux. The only place that names their types.

use std::error::Error;
use std::io;
use std::num::{NonZeroU8, NonZeroUsize};
use std::pin::Pin;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{DialError, Executor, NetworkBehaviour};
use libp2p::{PeerId, Swarm, Transport, noise, tcp, yamux};

use crate::behaviour::{Behaviour, Settings};
use crate::tasks::Tasks;

/// Longest set-up of a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(2500);
/// A connection without streams is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams per connection, both directions together. Reaching it kills the connection.
///
/// With so many, the guaranteed 256 KiB of each take up the whole window of a connection, 1 GiB,
/// so none grows: yamux would let a bulk transfer have megabytes under way, and a small frame of
/// another stream waits behind all of them. With fewer (512 is its default), windows grow.
const STREAMS_MAX: usize = 4_096;
/// Streams of one connection being negotiated by the other side.
const NEGOTIATING_MAX: usize = 128;
const NOTIFY_BUFFER: NonZeroUsize = NonZeroUsize::new(256).unwrap();
const EVENT_BUFFER: usize = 64;
const DIAL_CONCURRENCY: NonZeroU8 = NonZeroU8::new(8).unwrap();

impl Executor for Tasks {
    fn exec(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.spawn(future);
    }
}

/// The swarm of a node.
pub(crate) fn node(settings: &Settings<'_>, tasks: Tasks) -> io::Result<Swarm<Behaviour>> {
    build(settings.keypair, Behaviour::new(settings), tasks)
}

/// A swarm of some behaviour.
pub(crate) fn build<B: NetworkBehaviour>(
    keypair: &Keypair,
    behaviour: B,
    tasks: Tasks,
) -> io::Result<Swarm<B>> {
    let config = libp2p::swarm::Config::with_executor(tasks)
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_notify_handler_buffer_size(NOTIFY_BUFFER)
        .with_per_connection_event_buffer_size(EVENT_BUFFER)
        .with_max_negotiating_inbound_streams(NEGOTIATING_MAX)
        .with_dial_concurrency_factor(DIAL_CONCURRENCY);
    Ok(Swarm::new(
        transport(keypair)?,
        behaviour,
        keypair.public().to_peer_id(),
        config,
    ))
}

fn transport(keypair: &Keypair) -> io::Result<Boxed<(PeerId, StreamMuxerBox)>> {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    let noise = noise::Config::new(keypair).map_err(io::Error::other)?;
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map_err(TcpError::from)
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .timeout(CONNECT_TIMEOUT)
        .boxed();
    Ok(transport)
}

/// Whether every address of a failed dial refused the connection, or another peer answered.
pub(crate) fn is_refusal(error: &DialError) -> bool {
    match error {
        DialError::WrongPeerId { .. } => true,
        DialError::Transport(attempts) => {
            !attempts.is_empty() && attempts.iter().all(|(_, error)| is_refused(error))
        }
        _ => false,
    }
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(current) = error {
        if current.is::<Refused>() {
            return true;
        }
        error = current.source();
    }
    false
}

/// An error of the TCP transport. libp2p wraps errors in `Either`s, whose `source` skips the
/// wrapped error itself, so that only its source can be found again.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct TcpError {
    error: io::Error,
    #[source]
    refused: Option<Refused>,
}

/// Nobody listens there.
#[derive(Debug, thiserror::Error)]
#[error("connection refused")]
struct Refused;

impl From<io::Error> for TcpError {
    fn from(error: io::Error) -> Self {
        let refused = (error.kind() == io::ErrorKind::ConnectionRefused).then_some(Refused);
        Self { error, refused }
    }
}

//! The yardstick: one long-lived stream over TCP, noise and yamux, frames with a length before
//! them, writers that drain their queue, no serializer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::core::{Endpoint, upgrade::Version};
use libp2p::{Multiaddr, PeerId, Transport, noise, tcp, yamux};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::measure::Done;
use crate::processes::Process;
use crate::stdout::mention;

/// Length of the rest (u32) and id of the call (u64), before the payload.
const HEADER: usize = 4 + 8;
/// Sixteen bytes that stand for object, method and argument.
pub(super) const CALL_BYTES: usize = 16;
/// Longest frame that is taken.
const FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Frames that wait for the writer.
const QUEUED_MAX: usize = 4_096;

type Frames = mpsc::Sender<(u64, Bytes)>;
type Open = Mutex<HashMap<u64, oneshot::Sender<()>>>;

fn transport() -> Result<Boxed<(PeerId, StreamMuxerBox)>, String> {
    let keys = libp2p::identity::Keypair::generate_ed25519();
    let noise = noise::Config::new(&keys).map_err(|error| format!("no encryption: {error}"))?;
    Ok(
        tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(noise)
            .multiplex(yamux::Config::default())
            .boxed(),
    )
}

/// The server process: echoes every frame of one connection.
pub(super) async fn serve() -> Result<(), String> {
    let text = |error: &dyn std::error::Error| format!("the bare server: {error}");
    let mut transport = transport()?;
    let any =
        Multiaddr::from(std::net::Ipv4Addr::LOCALHOST).with(libp2p::multiaddr::Protocol::Tcp(0));
    transport
        .listen_on(ListenerId::next(), any)
        .map_err(|error| text(&error))?;
    let upgrade = loop {
        match transport.next().await {
            Some(TransportEvent::NewAddress { listen_addr, .. }) => mention!(
                "{}",
                json!({ "event": "started", "addresses": [listen_addr.to_string()] })
            ),
            Some(TransportEvent::Incoming { upgrade, .. }) => break upgrade,
            Some(_) => {}
            None => return Err("the bare server cannot listen".to_owned()),
        }
    };
    let (_, mut muxer) = upgrade.await.map_err(|error| text(&error))?;
    let stream = std::future::poll_fn(|cx| {
        let _ = muxer.poll_unpin(cx);
        muxer.poll_inbound_unpin(cx)
    });
    let stream = stream.await.map_err(|error| text(&error))?;
    drive(muxer);
    let (reader, writer) = stream.split();
    let frames = write(writer);
    read(reader, async |id, payload| {
        frames.send((id, payload)).await.is_ok()
    })
    .await;
    Ok(())
}

/// Keeps the connection going.
fn drive(mut muxer: StreamMuxerBox) {
    tokio::spawn(async move {
        std::future::poll_fn(|cx| match muxer.poll_unpin(cx) {
            std::task::Poll::Ready(Err(_)) => std::task::Poll::Ready(()),
            _ => std::task::Poll::Pending,
        })
        .await;
    });
}

fn write(mut writer: WriteHalf<SubstreamBox>) -> Frames {
    let (frames, mut queue) = mpsc::channel::<(u64, Bytes)>(QUEUED_MAX);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        let mut buffer = Vec::new();
        while queue.recv_many(&mut batch, 1_024).await > 0 {
            buffer.clear();
            for (id, payload) in batch.drain(..) {
                let rest = u32::try_from(8 + payload.len()).unwrap_or(u32::MAX);
                buffer.extend_from_slice(&rest.to_le_bytes());
                buffer.extend_from_slice(&id.to_le_bytes());
                buffer.extend_from_slice(&payload);
            }
            let written = writer.write_all(&buffer).await;
            if written.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    });
    frames
}

async fn read(mut reader: ReadHalf<SubstreamBox>, mut take: impl AsyncFnMut(u64, Bytes) -> bool) {
    let mut scratch = vec![0; 64 * 1024];
    let mut held = BytesMut::new();
    while let Ok(count @ 1..) = reader.read(&mut scratch).await {
        held.extend_from_slice(&scratch[..count]);
        while let Some((header, rest)) = held.split_first_chunk::<HEADER>() {
            let [a, b, c, d, id @ ..] = *header;
            let length = (u32::from_le_bytes([a, b, c, d]) as usize).saturating_sub(8);
            if length > FRAME_BYTES_MAX {
                return;
            }
            if rest.len() < length {
                break;
            }
            let mut frame = held.split_to(HEADER + length);
            let payload = frame.split_off(HEADER).freeze();
            if !take(u64::from_le_bytes(id), payload).await {
                return;
            }
        }
    }
}

/// The client's end of a connection with a server process.
pub(super) struct Bare {
    frames: Frames,
    open: Arc<Open>,
    next: AtomicU64,
    server: Process,
}

impl Bare {
    /// Starts a server process and connects with it.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub(super) async fn start() -> Result<Arc<Self>, String> {
        let arguments = ["bench-bare".to_owned()];
        let server = Process::start("the bare server", &arguments).await?;
        let address: Multiaddr = server
            .address
            .parse()
            .map_err(|error| format!("the bare server's address: {error}"))?;
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let failed = |error: &dyn std::error::Error| format!("the bare stream: {error}");
        let mut transport = transport()?;
        let dial = transport
            .dial(address, options)
            .map_err(|error| failed(&error))?;
        tokio::spawn(async move { while transport.next().await.is_some() {} });
        let (_, mut muxer) = dial.await.map_err(|error| failed(&error))?;
        let stream = std::future::poll_fn(|cx| {
            let _ = muxer.poll_unpin(cx);
            muxer.poll_outbound_unpin(cx)
        });
        let stream = stream.await.map_err(|error| failed(&error))?;
        drive(muxer);
        let (reader, writer) = stream.split();
        let open: Arc<Open> = Arc::default();
        let waiting = open.clone();
        tokio::spawn(read(reader, async move |id, _| {
            if let Some(caller) = locked(&waiting).remove(&id) {
                caller.send(()).ok();
            }
            true
        }));
        Ok(Arc::new(Self {
            frames: write(writer),
            open,
            next: AtomicU64::new(1),
            server,
        }))
    }

    /// Sends a payload and waits until it comes back.
    pub(super) async fn echo(&self, payload: Bytes) -> Done {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, answer) = oneshot::channel();
        locked(&self.open).insert(id, done);
        let gone = |_| "the bare stream is gone".to_owned();
        self.frames
            .send((id, payload))
            .await
            .map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))
    }

    /// The server's process id.
    pub(super) const fn pid(&self) -> u32 {
        self.server.pid
    }
}

fn locked(open: &Open) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<()>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

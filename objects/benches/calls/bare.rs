//! The yardstick: one long-lived stream over TCP, noise and yamux, length-prefixed binary
//! frames, writers that drain their queue, no serializer.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::core::{Endpoint, upgrade::Version};
use libp2p::{Multiaddr, PeerId, Transport, noise, tcp, yamux};
use tokio::sync::{mpsc, oneshot};

use crate::measure::{self, Figures};

/// Length, id, and sixteen bytes that stand for object, method and argument.
const FRAME: usize = 4 + 8 + 16;

type Frames = mpsc::Sender<[u8; FRAME]>;
type Open = Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>;

fn transport() -> Boxed<(PeerId, StreamMuxerBox)> {
    let keys = libp2p::identity::Keypair::generate_ed25519();
    let noise = noise::Config::new(&keys).expect("noise");
    tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .boxed()
}

/// The server process: echoes every frame.
pub(crate) async fn serve() {
    let mut transport = transport();
    let any = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
    transport
        .listen_on(ListenerId::next(), any)
        .expect("listening");
    let upgrade = loop {
        match transport.next().await.expect("a listener") {
            TransportEvent::NewAddress { listen_addr, .. } => {
                println!("{listen_addr}");
                std::io::stdout().flush().expect("stdout");
            }
            TransportEvent::Incoming { upgrade, .. } => break upgrade,
            _ => {}
        }
    };
    let (_, mut muxer) = upgrade.await.expect("an upgrade");
    let stream = std::future::poll_fn(|cx| {
        let _ = muxer.poll_unpin(cx);
        muxer.poll_inbound_unpin(cx)
    });
    let stream = stream.await.expect("a stream");
    drive(muxer);
    let (reader, writer) = stream.split();
    let frames = write(writer);
    read(reader, async |frame| frames.send(frame).await.is_ok()).await;
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
    let (frames, mut queue) = mpsc::channel::<[u8; FRAME]>(4096);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        let mut buffer = Vec::new();
        while queue.recv_many(&mut batch, 1024).await > 0 {
            buffer.clear();
            batch
                .drain(..)
                .for_each(|frame| buffer.extend_from_slice(&frame));
            let written = writer.write_all(&buffer).await;
            if written.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
    });
    frames
}

async fn read(mut reader: ReadHalf<SubstreamBox>, mut take: impl AsyncFnMut([u8; FRAME]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut held = 0;
    while let Ok(count @ 1..) = reader.read(&mut buffer[held..]).await {
        held += count;
        let mut at = 0;
        while held - at >= FRAME {
            let frame = buffer[at..at + FRAME].try_into().expect("a frame");
            if !take(frame).await {
                return;
            }
            at += FRAME;
        }
        buffer.copy_within(at..held, 0);
        held -= at;
    }
}

/// The client's side of the measurement.
pub(crate) async fn measure() -> Figures {
    let program = std::env::current_exe().expect("this executable");
    let mut server = Command::new(program)
        .arg("bare-server")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let output = server.stdout.take().expect("a pipe");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("an address");
    let address: Multiaddr = line.trim().parse().expect("an address");
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::New,
    };
    let mut transport = transport();
    let dial = transport.dial(address, options).expect("a dial");
    tokio::spawn(async move { while transport.next().await.is_some() {} });
    let (_, mut muxer) = dial.await.expect("connected");
    let stream = std::future::poll_fn(|cx| {
        let _ = muxer.poll_unpin(cx);
        muxer.poll_outbound_unpin(cx)
    });
    let stream = stream.await.expect("a stream");
    drive(muxer);
    let (reader, writer) = stream.split();
    let frames = write(writer);
    let open: Open = Arc::default();
    let waiting = open.clone();
    tokio::spawn(read(reader, async move |frame| {
        let id = u64::from_le_bytes(frame[4..12].try_into().expect("eight bytes"));
        if let Some(caller) = waiting.lock().expect("the table").remove(&id) {
            caller.send(()).ok();
        }
        true
    }));
    let mut next = 0;
    let figures = measure::measure(|_| {
        next += 1 << 32;
        let (frames, open, mut id) = (frames.clone(), open.clone(), next);
        move || {
            id += 1;
            let (frames, open) = (frames.clone(), open.clone());
            async move {
                let (done, answer) = oneshot::channel();
                open.lock().expect("the table").insert(id, done);
                let mut frame = [0; FRAME];
                frame[..4].copy_from_slice(&((FRAME - 4) as u32).to_le_bytes());
                frame[4..12].copy_from_slice(&id.to_le_bytes());
                frames.send(frame).await.expect("a writer");
                answer.await.expect("an answer");
            }
        }
    });
    let figures = figures.await;
    server.kill().expect("the server is ours");
    server.wait().expect("it ends");
    figures
}

//! One confirmed link as the rest of the node sees it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::Multiaddr;
use libp2p::swarm::{ConnectionId, Stream};
use overlay_proto::ProcessId;
use tokio::sync::{Notify, mpsc, watch};

use super::echo::{Echo, Verdict};
use super::frame::{Channel, Frame, SMALL_FRAME_BYTES_MAX};
use super::queue::{PushError, Queue};

/// A link that got rid of so many bytes between two looks is slow at worst, not stuck.
const BUSY_BYTES: u64 = 32 * 1024;

/// Names a link within this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) u64);

/// One confirmed link.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its name within this node.
    pub(crate) id: LinkId,
    /// Its name between the two processes.
    pub(crate) nonce: u64,
    /// The process at the other end.
    pub(crate) process: ProcessId,
    /// The connection below it.
    pub(crate) connection: ConnectionId,
    /// Where this side dialled, if it did.
    pub(crate) dialled: Option<Multiaddr>,
    /// Frames for the writer of the link stream.
    pub(crate) queue: Queue,
    /// Frames for the writer of the bulk stream.
    pub(crate) bulk: Queue,
    /// Set once a bulk stream was asked for.
    bulk_wanted: AtomicBool,
    /// Bulk streams that the other side opened, for the reader.
    pub(crate) bulk_in: mpsc::Sender<Stream>,
    /// Since when this side closes the link on purpose.
    closing: OnceLock<Instant>,
    /// Ends the reader without waiting for the other side.
    pub(crate) stop: Notify,
    /// True once the reader called nobody any more.
    pub(crate) ended: watch::Sender<bool>,
    /// Whether what is written arrives.
    pub(crate) echo: Echo,
    /// Traffic, for the metrics and as a sign of life.
    pub(crate) traffic: Traffic,
}

/// What passed over a link.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Frames received.
    pub(crate) frames_in: AtomicU64,
    /// Frames taken for sending.
    pub(crate) frames_out: AtomicU64,
    /// Whether a frame arrived since the last look.
    pub(crate) heard: AtomicBool,
    /// Whether a frame other than control was sent or arrived since the last look.
    pub(crate) used: AtomicBool,
}

/// What a new link needs to be known.
#[derive(Debug)]
pub(crate) struct LinkParts {
    pub(crate) id: LinkId,
    pub(crate) nonce: u64,
    pub(crate) process: ProcessId,
    pub(crate) connection: ConnectionId,
    pub(crate) dialled: Option<Multiaddr>,
}

impl Link {
    /// A link and the receiver of its incoming bulk streams.
    pub(crate) fn new(parts: LinkParts) -> (Self, mpsc::Receiver<Stream>) {
        let (bulk_in, bulk_streams) = mpsc::channel(1);
        let LinkParts {
            id,
            nonce,
            process,
            connection,
            dialled,
        } = parts;
        let link = Self {
            id,
            nonce,
            process,
            connection,
            dialled,
            queue: Queue::default(),
            bulk: Queue::default(),
            bulk_wanted: AtomicBool::new(false),
            bulk_in,
            closing: OnceLock::new(),
            stop: Notify::new(),
            ended: watch::Sender::new(false),
            echo: Echo::default(),
            traffic: Traffic::default(),
        };
        (link, bulk_streams)
    }

    /// Queues a frame. True in the result asks for a bulk stream to be opened.
    ///
    /// # Errors
    /// [`PushError`]; the frame is dropped.
    pub(crate) fn push(&self, frame: Frame) -> Result<bool, PushError> {
        let bulk = frame.payload.len() > SMALL_FRAME_BYTES_MAX;
        if !frame.channel.is_upkeep() {
            self.traffic.used.store(true, Ordering::Relaxed);
            self.echo.wrote();
        }
        let queue = if bulk { &self.bulk } else { &self.queue };
        queue.push(frame)?;
        self.traffic.frames_out.fetch_add(1, Ordering::Relaxed);
        Ok(bulk && !self.bulk_wanted.swap(true, Ordering::Relaxed))
    }

    /// Sees to it that the other side is asked to echo, and looks whether it does; `heard` as
    /// for [`Echo::look`].
    pub(crate) fn look(&self, heard: bool) -> Verdict {
        let written = self.queue.take_written() + self.bulk.take_written();
        let verdict = self.echo.look(heard, written >= BUSY_BYTES);
        if verdict == Verdict::Ask {
            self.put(Channel::Echo);
        }
        verdict
    }

    /// Queues a frame without content. If too much waits already, it is left out.
    pub(crate) fn put(&self, channel: Channel) {
        self.put_with(channel, Bytes::new());
    }

    /// Tells the other side that so many bytes of its bulk transfers were taken.
    pub(crate) fn put_taken(&self, bytes: u32) {
        self.put_with(Channel::Taken, Bytes::copy_from_slice(&bytes.to_be_bytes()));
    }

    fn put_with(&self, channel: Channel, payload: Bytes) {
        if self.queue.push(Frame { channel, payload }).is_err() {
            tracing::debug!(process = %self.process, ?channel, "the link's queue is full");
        }
    }

    /// Says goodbye on the link and lets its writer end after what waits.
    pub(crate) fn close(&self) {
        self.closing.get_or_init(Instant::now);
        self.put(Channel::Bye);
        self.bulk.close();
        self.queue.close();
    }

    /// Whether this side closes the link on purpose.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get().is_some()
    }

    /// Whether this side closes the link on purpose, for longer than this.
    pub(crate) fn is_closing_since(&self, patience: Duration) -> bool {
        self.closing
            .get()
            .is_some_and(|since| since.elapsed() > patience)
    }

    /// Ends both directions at once.
    pub(crate) fn abandon(&self) {
        self.bulk.close();
        self.bulk.window.close();
        self.queue.close();
        self.stop.notify_one();
    }
}

//! The links of a node, and the handle through which other threads send on them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use overlay_proto::{PeerId, ProcessId};
use tokio::sync::mpsc;

use super::frame::{Channel, FRAME_BYTES_MAX, Frame};
use super::queue::PushError;
use super::wire::{Link, LinkId};

/// Most processes that frames wait for while they are dialled.
pub const WAITING_PROCESSES_MAX: usize = 1024;
/// Most frames that wait for one process while it is dialled.
pub const WAITING_FRAMES_MAX: usize = 1024;
/// Most bytes that wait for one process while it is dialled.
pub const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a frame was not taken. In each case it is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too much waits for this process already.
    #[error("too many frames wait for this process")]
    Overloaded,
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("the frame is longer than {FRAME_BYTES_MAX} bytes")]
    TooLarge,
    /// The receiver is this process itself, which has no link with itself.
    #[error("a process has no link with itself")]
    ToItself,
    /// The node is shut down.
    #[error("the node is shut down")]
    Closed,
}

/// What senders ask of the event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A link with this process: frames wait for it.
    Link(ProcessId),
    /// A bulk stream for this link.
    Bulk(PeerId, LinkId),
}

/// All links of a node, and the frames that wait for links in the making.
pub(crate) struct Links {
    own: ProcessId,
    table: RwLock<Table>,
    wanted: mpsc::Sender<Wanted>,
}

#[derive(Default)]
struct Table {
    links: HashMap<PeerId, Arc<Link>>,
    waiting: HashMap<ProcessId, Waiting>,
    closed: bool,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Links {
    /// No links yet; what senders want goes to `wanted`.
    pub(crate) fn new(own: ProcessId, wanted: mpsc::Sender<Wanted>) -> Self {
        Self {
            own,
            table: RwLock::default(),
            wanted,
        }
    }

    /// Queues a frame for a process, on its link or until there is one.
    ///
    /// # Errors
    /// [`SendError`].
    pub(crate) fn send(&self, to: ProcessId, frame: Frame) -> Result<(), SendError> {
        if frame.payload.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLarge);
        }
        if to.peer == self.own.peer {
            return Err(SendError::ToItself);
        }
        let link = self
            .read()
            .links
            .get(&to.peer)
            .filter(|link| link.process == to)
            .cloned();
        match link.map(|link| (link.push(frame.clone()), link.id)) {
            Some((Ok(false), _)) => Ok(()),
            Some((Ok(true), id)) => self.want(Wanted::Bulk(to.peer, id)),
            Some((Err(PushError::Full), _)) => Err(SendError::Overloaded),
            Some((Err(PushError::Closed), _)) | None => self.wait(to, frame),
        }
    }

    /// Keeps a frame until a link with its receiver is up, and asks for one.
    fn wait(&self, to: ProcessId, frame: Frame) -> Result<(), SendError> {
        let mut table = self.write();
        if table.closed {
            return Err(SendError::Closed);
        }
        if let Some(link) = table.links.get(&to.peer).filter(|link| link.process == to)
            && link.push(frame.clone()).is_ok()
        {
            return Ok(());
        }
        let known = table.waiting.len();
        let waiting = match table.waiting.get_mut(&to) {
            Some(waiting) => waiting,
            None if known >= WAITING_PROCESSES_MAX => return Err(SendError::Overloaded),
            None => {
                self.want(Wanted::Link(to))?;
                table.waiting.entry(to).or_default()
            }
        };
        let bytes = waiting.bytes + frame.wire_bytes();
        let full = waiting.frames.len() >= WAITING_FRAMES_MAX || bytes > WAITING_BYTES_MAX;
        if full && !waiting.frames.is_empty() {
            return Err(SendError::Overloaded);
        }
        waiting.bytes = bytes;
        waiting.frames.push_back(frame);
        Ok(())
    }

    fn want(&self, wanted: Wanted) -> Result<(), SendError> {
        self.wanted.try_send(wanted).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    /// The link with a peer.
    pub(crate) fn get(&self, peer: &PeerId) -> Option<Arc<Link>> {
        self.read().links.get(peer).cloned()
    }

    /// All links.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.read().links.values().cloned().collect()
    }

    /// Number of links.
    pub(crate) fn len(&self) -> usize {
        self.read().links.len()
    }

    /// Puts a confirmed link in place and moves the frames that waited for its process into
    /// its queue. Returns the link that it replaces.
    pub(crate) fn install(&self, link: Arc<Link>) -> Option<Arc<Link>> {
        let mut table = self.write();
        let waiting = table.waiting.remove(&link.process).unwrap_or_default();
        let mut bulk = false;
        for frame in waiting.frames {
            bulk |= link.push(frame).unwrap_or(false);
        }
        if bulk && self.want(Wanted::Bulk(link.process.peer, link.id)).is_err() {
            tracing::warn!(process = %link.process, "no bulk stream: the event loop is overloaded");
        }
        table.links.insert(link.process.peer, link)
    }

    /// Takes a link out, if it is still the one in place.
    pub(crate) fn remove(&self, peer: &PeerId, id: LinkId) -> Option<Arc<Link>> {
        let mut table = self.write();
        if table.links.get(peer).is_some_and(|link| link.id == id) {
            table.links.remove(peer)
        } else {
            None
        }
    }

    /// Drops what waits for processes of a peer, except for `but`, and names them.
    pub(crate) fn give_up(&self, peer: &PeerId, but: Option<ProcessId>) -> Vec<ProcessId> {
        let mut table = self.write();
        let gone: Vec<ProcessId> = (table.waiting.keys().copied())
            .filter(|process| process.peer == *peer && Some(*process) != but)
            .collect();
        gone.iter()
            .for_each(|process| drop(table.waiting.remove(process)));
        gone
    }

    /// The processes of a peer that frames wait for.
    pub(crate) fn is_waited_for(&self, peer: &PeerId) -> bool {
        self.read()
            .waiting
            .keys()
            .any(|process| process.peer == *peer)
    }

    /// Takes all links out and refuses further frames.
    pub(crate) fn close(&self) -> Vec<Arc<Link>> {
        let mut table = self.write();
        table.closed = true;
        table.waiting.clear();
        table.links.drain().map(|(_, link)| link).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends frames of the layer above. Cheap to clone, usable from any thread, never blocks.
#[derive(Clone)]
pub struct Outbound {
    links: Arc<Links>,
}

impl Outbound {
    pub(crate) fn new(links: Arc<Links>) -> Self {
        Self { links }
    }

    /// Queues a frame: delivered at most once, and in order among frames of at most
    /// [`SMALL_FRAME_BYTES_MAX`](crate::limits::SMALL_FRAME_BYTES_MAX) bytes as long as the link
    /// lives. Longer frames travel beside them on a stream of their own, in order among themselves.
    ///
    /// Without a link with exactly this process one is made, and the frame waits for it. If
    /// that fails, or the link breaks, [`FrameHandler::link_down`](crate::FrameHandler::link_down)
    /// says so, and frames may be lost without further notice.
    ///
    /// # Errors
    /// [`SendError`]; the frame is not sent.
    pub fn send(&self, to: ProcessId, frame: Bytes) -> Result<(), SendError> {
        self.links.send(
            to,
            Frame {
                channel: Channel::Data,
                payload: frame,
            },
        )
    }

    /// Whether a link with exactly this process is up.
    #[must_use]
    pub fn is_linked(&self, process: ProcessId) -> bool {
        self.links
            .get(&process.peer)
            .is_some_and(|link| link.process == process)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("links", &self.links.len())
            .finish()
    }
}

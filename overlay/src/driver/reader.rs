//! The reading half of a link: decodes frames and hands them on where they are read.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt};
use libp2p::swarm::Stream;
use overlay_proto::{LinkDown, Message, ProcessId};
use tokio::sync::{mpsc, watch};

use crate::handler::FrameHandler;
use crate::link::frame::{
    Channel, Decoder, FRAME_BYTES_MAX, Frame, FrameError, READ_BYTES, SMALL_FRAME_BYTES_MAX,
};
use crate::link::window::TAKEN_BYTES;
use crate::link::wire::{Link, LinkId};
use crate::request::Services;

/// Most frames that are handed on before other tasks have their turn: what follows from the first
/// ones is under way while the last ones are still handled.
const FRAMES_TOGETHER_MAX: usize = 32;

/// What a reader tells the event loop.
#[derive(Debug)]
pub(crate) enum LinkInput {
    /// A message for the overlay machine.
    Control {
        /// The link that brought it.
        link: LinkId,
        /// The process at its other end.
        from: ProcessId,
        /// The message.
        message: Box<Message>,
    },
    /// The link is over; its reader calls nobody any more.
    Ended {
        /// The link.
        link: LinkId,
        /// The process at its other end.
        process: ProcessId,
        /// Whether the other side said goodbye.
        bye: bool,
    },
}

/// The link that came before with the same peer: its end is told before the new one.
#[derive(Debug)]
pub(crate) struct Before {
    /// Its process.
    pub(crate) process: ProcessId,
    /// Why it is gone.
    pub(crate) reason: LinkDown,
    /// Its reader's end.
    pub(crate) ended: Option<watch::Receiver<bool>>,
}

/// Reads one link.
pub(crate) struct Reader {
    pub(crate) link: Arc<Link>,
    pub(crate) before: Option<Before>,
    pub(crate) handler: Arc<dyn FrameHandler>,
    pub(crate) services: Arc<Services>,
    pub(crate) inputs: mpsc::Sender<LinkInput>,
}

/// Why a reader stopped.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the other side said goodbye")]
    Bye,
    #[error("stopped by this side")]
    Stopped,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the node is shut down")]
    Closed,
}

impl Reader {
    /// Reads until the link is over.
    pub(crate) async fn run(
        mut self,
        stream: impl AsyncRead + Unpin,
        bulk_streams: mpsc::Receiver<Stream>,
    ) {
        if let Some(Before {
            process,
            reason,
            ended,
        }) = self.before.take()
        {
            if let Some(mut ended) = ended {
                drop(ended.wait_for(|ended| *ended).await);
            }
            self.handler.link_down(process, reason);
        }
        self.handler.link_up(self.link.process);
        let end = self.read(stream, bulk_streams).await;
        tracing::debug!(process = %self.link.process, ?end, "link over");
        self.link.queue.close();
        self.link.bulk.close();
        self.link.bulk.window.close();
        self.link.ended.send_replace(true);
        let (link, process) = (self.link.id, self.link.process);
        let bye = matches!(end, End::Bye);
        drop(
            self.inputs
                .send(LinkInput::Ended { link, process, bye })
                .await,
        );
    }

    async fn read(
        &self,
        mut stream: impl AsyncRead + Unpin,
        mut bulk_streams: mpsc::Receiver<Stream>,
    ) -> End {
        let mut bulk_stream: Option<Stream> = None;
        let mut small = Decoder::new(SMALL_FRAME_BYTES_MAX);
        let mut large = Decoder::new(FRAME_BYTES_MAX);
        let mut scratch = vec![0; READ_BYTES];
        let mut bulk_scratch = vec![0; READ_BYTES];
        let mut taken = 0;
        loop {
            let taken = tokio::select! {
                biased;
                () = self.link.stop.notified() => Err(End::Stopped),
                count = stream.read(&mut scratch) => {
                    self.take(count, &scratch, &mut small).await
                }
                count = read_some(&mut bulk_stream, &mut bulk_scratch) => {
                    taken += count.as_ref().map_or(0, |count| *count);
                    if taken >= TAKEN_BYTES {
                        self.link.put_taken(u32::try_from(taken).unwrap_or(u32::MAX));
                        taken = 0;
                    }
                    self.take(count, &bulk_scratch, &mut large).await
                }
                Some(opened) = bulk_streams.recv(), if bulk_stream.is_none() => {
                    bulk_stream = Some(opened);
                    Ok(())
                }
            };
            if let Err(end) = taken {
                return end;
            }
        }
    }

    /// Decodes what one read brought and hands the frames on.
    async fn take(
        &self,
        count: io::Result<usize>,
        scratch: &[u8],
        decoder: &mut Decoder,
    ) -> Result<(), End> {
        let bytes = scratch.get(..count?).unwrap_or_default();
        if bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        decoder.feed(bytes);
        let mut data = Vec::new();
        loop {
            let more = self.dispatch(decoder, &mut data).await;
            if !data.is_empty() {
                self.link.traffic.used.store(true, Ordering::Relaxed);
                self.handler.frames(self.link.process, &mut data);
                data.clear();
            }
            if !more? {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes frames in; true if it stopped before the last whole one.
    async fn dispatch(&self, decoder: &mut Decoder, data: &mut Vec<Bytes>) -> Result<bool, End> {
        let (from, traffic) = (self.link.process, &self.link.traffic);
        while let Some(Frame { channel, payload }) = decoder.next()? {
            traffic.frames_in.fetch_add(1, Ordering::Relaxed);
            traffic.heard.store(true, Ordering::Relaxed);
            match channel {
                Channel::Data => data.push(payload),
                Channel::Request => self.services.on_request(from, &payload),
                Channel::Reply => self.services.on_reply(from, &payload),
                Channel::Bye => return Err(End::Bye),
                Channel::Echo => self.link.put(Channel::Echoed),
                Channel::Echoed => self.link.echo.answered(),
                Channel::Taken => self.taken(&payload),
                Channel::Control => self.control(&payload).await?,
            }
            if data.len() >= FRAMES_TOGETHER_MAX {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The other side has taken some of this side's bulk.
    fn taken(&self, payload: &[u8]) {
        if let Ok(bytes) = payload.try_into() {
            let bytes = usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
            self.link.bulk.window.taken(bytes);
        }
    }

    async fn control(&self, payload: &[u8]) -> Result<(), End> {
        let (link, from) = (self.link.id, self.link.process);
        let Ok(message) = Message::decode(payload) else {
            tracing::debug!(%from, "a control message does not decode");
            return Ok(());
        };
        let input = LinkInput::Control {
            link,
            from,
            message: Box::new(message),
        };
        self.inputs.send(input).await.map_err(|_| End::Closed)
    }
}

async fn read_some(stream: &mut Option<Stream>, scratch: &mut [u8]) -> io::Result<usize> {
    match stream {
        Some(stream) => stream.read(scratch).await,
        None => pending().await,
    }
}

//! The writing half of a stream: drains its queue, writes in large pieces.

use std::collections::VecDeque;
use std::io;

use bytes::BytesMut;
use futures::{AsyncWrite, AsyncWriteExt};

use super::frame::{Channel, Frame, HEADER_BYTES, SMALL_FRAME_BYTES_MAX, WRITE_BYTES};
use super::queue::Queue;
use super::window::PIECE_BYTES;

/// Writes `prefix` and then frames until the queue is closed and empty, or the stream breaks.
/// Closes the stream and the queue.
pub(crate) async fn write_frames(
    stream: impl AsyncWrite + Unpin,
    queue: &Queue,
    prefix: &[u8],
) -> io::Result<()> {
    let mut writer = Writer {
        stream,
        queue,
        buffer: BytesMut::from(prefix),
    };
    let result = writer.run().await;
    queue.close();
    result?;
    writer.stream.close().await
}

struct Writer<'a, W> {
    stream: W,
    queue: &'a Queue,
    buffer: BytesMut,
}

impl<W: AsyncWrite + Unpin> Writer<'_, W> {
    async fn run(&mut self) -> io::Result<()> {
        self.write_buffer().await?;
        self.stream.flush().await?;
        let mut batch = VecDeque::new();
        while self.queue.drain(&mut batch).await {
            while let Some(frame) = batch.pop_front() {
                self.put(&frame).await?;
                if frame.channel == Channel::Bye {
                    self.write_buffer().await?;
                    return Ok(());
                }
                if batch.is_empty() && self.buffer.len() < WRITE_BYTES {
                    self.queue.try_drain(&mut batch);
                }
            }
            self.write_buffer().await?;
            self.stream.flush().await?;
        }
        Ok(())
    }

    async fn put(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.payload.len() <= SMALL_FRAME_BYTES_MAX {
            frame.encode_into(&mut self.buffer);
        } else {
            frame.encode_header_into(&mut self.buffer);
            self.write_buffer().await?;
            for piece in frame.payload.chunks(PIECE_BYTES) {
                self.wait_for_room(piece.len()).await?;
                self.stream.write_all(piece).await?;
                self.queue.note_written(piece.len());
            }
        }
        if self.buffer.len() >= WRITE_BYTES {
            self.write_buffer().await
        } else {
            Ok(())
        }
    }

    /// Waits until so many bytes of a large frame may follow.
    async fn wait_for_room(&mut self, bytes: usize) -> io::Result<()> {
        if self.queue.window.try_add(bytes) {
            return Ok(());
        }
        self.stream.flush().await?;
        if self.queue.window.add(bytes).await {
            return Ok(());
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    async fn write_buffer(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.stream.write_all(&self.buffer).await?;
            self.queue.note_written(self.buffer.len());
            self.buffer.clear();
        }
        if self.buffer.capacity() > 2 * (WRITE_BYTES + SMALL_FRAME_BYTES_MAX + HEADER_BYTES) {
            self.buffer = BytesMut::new();
        }
        Ok(())
    }
}

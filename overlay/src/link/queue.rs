//! The bounded queue in front of a link's writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::frame::Frame;
use super::window::Window;

/// Most frames that wait for one link's writer.
pub const QUEUE_FRAMES_MAX: usize = 16 * 1024;
/// Most bytes that wait for one link's writer; one frame may exceed it when nothing waits.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The queue is at its limit.
    Full,
    /// The link is closing; the frame was not sent.
    Closed,
}

/// Frames on their way to the writer. Those of the link's upkeep overtake the others, and have
/// their own limits, so that probes are answered behind a full queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Notify,
    written: AtomicU64,
    /// What of its large frames is under way.
    pub(crate) window: Window,
}

#[derive(Debug, Default)]
struct State {
    control: Lane,
    rest: Lane,
    closed: bool,
}

#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Lane {
    fn push(&mut self, frame: Frame) -> Result<(), PushError> {
        let bytes = self.bytes + frame.wire_bytes();
        let full = self.frames.len() >= QUEUE_FRAMES_MAX || bytes > QUEUE_BYTES_MAX;
        if full && !self.frames.is_empty() {
            return Err(PushError::Full);
        }
        self.bytes = bytes;
        self.frames.push_back(frame);
        Ok(())
    }

    fn drain_into(&mut self, batch: &mut VecDeque<Frame>) {
        batch.append(&mut self.frames);
        self.bytes = 0;
    }
}

impl Queue {
    /// Adds a frame without waiting.
    ///
    /// # Errors
    /// [`PushError`]; the frame is dropped.
    pub(crate) fn push(&self, frame: Frame) -> Result<(), PushError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(PushError::Closed);
        }
        let idle = state.control.frames.is_empty() && state.rest.frames.is_empty();
        let lane = if frame.channel.is_upkeep() {
            &mut state.control
        } else {
            &mut state.rest
        };
        lane.push(frame)?;
        drop(state);
        if idle {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// The writer got rid of so many bytes.
    pub(crate) fn note_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many bytes were written since the last call.
    pub(crate) fn take_written(&self) -> u64 {
        self.written.swap(0, Ordering::Relaxed)
    }

    /// Refuses further frames; what waits is still written.
    pub(crate) fn close(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.ready.notify_one();
    }

    /// Moves all waiting frames into `batch`, waiting for the first. False when the queue is
    /// closed and empty.
    pub(crate) async fn drain(&self, batch: &mut VecDeque<Frame>) -> bool {
        loop {
            match self.try_drain(batch) {
                Drained::Some => return true,
                Drained::Closed => return false,
                Drained::Empty => self.ready.notified().await,
            }
        }
    }

    /// Moves all waiting frames into `batch` without waiting.
    pub(crate) fn try_drain(&self, batch: &mut VecDeque<Frame>) -> Drained {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.control.drain_into(batch);
        state.rest.drain_into(batch);
        match (batch.is_empty(), state.closed) {
            (false, _) => Drained::Some,
            (true, true) => Drained::Closed,
            (true, false) => Drained::Empty,
        }
    }
}

/// What a drain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Frames.
    Some,
    /// Nothing now.
    Empty,
    /// Nothing any more.
    Closed,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::link::frame::Channel;

    fn frame(channel: Channel, bytes: usize) -> Frame {
        Frame {
            channel,
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    #[test]
    fn a_full_queue_refuses_data_and_still_takes_control() {
        let queue = Queue::default();
        for _ in 0..QUEUE_FRAMES_MAX {
            queue.push(frame(Channel::Data, 1)).unwrap();
        }
        assert_eq!(queue.push(frame(Channel::Data, 1)), Err(PushError::Full));
        queue.push(frame(Channel::Control, 1)).unwrap();
        let mut batch = VecDeque::new();
        assert_eq!(queue.try_drain(&mut batch), Drained::Some);
        assert_eq!(batch.len(), QUEUE_FRAMES_MAX + 1);
        assert_eq!(batch[0].channel, Channel::Control);
        queue.push(frame(Channel::Data, 1)).unwrap();
    }

    #[test]
    fn bytes_are_limited_but_one_frame_always_fits() {
        let queue = Queue::default();
        queue.push(frame(Channel::Data, QUEUE_BYTES_MAX)).unwrap();
        assert_eq!(queue.push(frame(Channel::Data, 1)), Err(PushError::Full));
    }

    #[tokio::test]
    async fn a_closed_queue_hands_out_what_waits_and_then_ends() {
        let queue = Queue::default();
        queue.push(frame(Channel::Data, 1)).unwrap();
        queue.close();
        assert_eq!(queue.push(frame(Channel::Data, 1)), Err(PushError::Closed));
        let mut batch = VecDeque::new();
        assert!(queue.drain(&mut batch).await);
        batch.clear();
        assert!(!queue.drain(&mut batch).await);
    }
}

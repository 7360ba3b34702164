//! How much of a bulk transfer may be under way.
//!
//! Whatever is on its way on a connection delays what comes after it, also on other streams of
//! that connection: it is encrypted, sent and decrypted first. So the sender of bulk stops until
//! the receiver has taken what was sent, and small frames overtake all but this.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Bytes that may be under way: on loopback as many as arrive in about 200 us.
const WINDOW_BYTES: usize = 64 * 1024;
/// Bytes that are written at a time.
pub(crate) const PIECE_BYTES: usize = 16 * 1024;
/// Bytes that the receiver takes before it says so.
pub(crate) const TAKEN_BYTES: usize = 16 * 1024;

// What the receiver has not yet told of must leave room for a piece.
const _: () = assert!(TAKEN_BYTES + PIECE_BYTES <= WINDOW_BYTES);

/// What is under way. One writer waits at a time.
#[derive(Debug, Default)]
pub(crate) struct Window {
    bytes: AtomicUsize,
    closed: AtomicBool,
    changed: Notify,
}

impl Window {
    /// Whether bytes can be sent now; if so they count as under way.
    pub(crate) fn try_add(&self, bytes: usize) -> bool {
        let room = self.bytes.load(Ordering::Acquire) + bytes <= WINDOW_BYTES;
        if room {
            self.bytes.fetch_add(bytes, Ordering::AcqRel);
        }
        room
    }

    /// Waits until bytes can be sent, which count as under way then. False once it is closed.
    pub(crate) async fn add(&self, bytes: usize) -> bool {
        loop {
            if self.closed.load(Ordering::Acquire) {
                return false;
            }
            if self.try_add(bytes) {
                return true;
            }
            self.changed.notified().await;
        }
    }

    /// The receiver has taken so many bytes. One that claims more than were sent gains nothing.
    pub(crate) fn taken(&self, bytes: usize) {
        let less = |under_way: usize| Some(under_way.saturating_sub(bytes));
        let _always_some = self
            .bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.changed.notify_one();
    }

    /// Lets nobody wait any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_full_window_waits_for_the_receiver() {
        let window = Window::default();
        while window.try_add(PIECE_BYTES) {}
        assert_eq!(window.add(PIECE_BYTES).now_or_never(), None);
        window.taken(TAKEN_BYTES);
        assert!(window.add(PIECE_BYTES).await);
        window.taken(usize::MAX);
        assert!(!window.try_add(WINDOW_BYTES + 1), "no more room than ever");
    }

    #[tokio::test]
    async fn a_closed_one_lets_its_writer_go() {
        let window = Window::default();
        while window.try_add(PIECE_BYTES) {}
        let (go_on, ()) = tokio::join!(window.add(PIECE_BYTES), async { window.close() });
        assert!(!go_on);
    }
}

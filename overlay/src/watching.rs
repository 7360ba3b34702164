//! What a node hands out to watch it: its view, its events, the candidates of a lookup.

use bytes::Bytes;
use overlay_proto::view::MembershipView;
use tokio::sync::{broadcast, mpsc, watch};

use crate::handler::OverlayEvent;

/// The node is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node is shut down")]
pub struct Closed;

/// Watches the membership view. Changes that come faster than they are looked at are skipped.
#[derive(Clone, Debug)]
pub struct ViewWatch {
    view: watch::Receiver<MembershipView>,
}

impl ViewWatch {
    pub(crate) fn new(view: watch::Receiver<MembershipView>) -> Self {
        Self { view }
    }

    /// Waits for a change since the last look, and returns the view.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn changed(&mut self) -> Result<MembershipView, Closed> {
        self.view.changed().await.map_err(|_| Closed)?;
        Ok(self.view.borrow_and_update().clone())
    }

    /// Waits until the view is as wanted, at once if it is so already.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn until(
        &mut self,
        wanted: impl FnMut(&MembershipView) -> bool,
    ) -> Result<MembershipView, Closed> {
        self.view
            .wait_for(wanted)
            .await
            .map(|view| view.clone())
            .map_err(|_| Closed)
    }
}

/// Receives overlay events.
#[derive(Debug)]
pub struct Events {
    events: broadcast::Receiver<OverlayEvent>,
}

impl Events {
    pub(crate) fn new(events: broadcast::Receiver<OverlayEvent>) -> Self {
        Self { events }
    }

    /// The next event; None once the node is shut down. A listener that is too slow misses the
    /// oldest ones: the view is the truth.
    pub async fn next(&mut self) -> Option<OverlayEvent> {
        loop {
            match self.events.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(count)) => {
                    tracing::debug!(count, "overlay events were missed");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Candidates of a directory lookup. Dropping it ends the lookup.
#[derive(Debug)]
pub struct Candidates {
    found: mpsc::Receiver<Bytes>,
}

impl Candidates {
    pub(crate) fn new(found: mpsc::Receiver<Bytes>) -> Self {
        Self { found }
    }

    /// The next candidate; None when the lookup is over.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.found.recv().await
    }
}

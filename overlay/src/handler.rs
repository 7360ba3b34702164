//! What the layer above implements to take part: called where things happen.

use bytes::Bytes;
use overlay_proto::view::MembershipView;
use overlay_proto::{ClusterRecord, LinkDown, LostCause, ProcessId};

use crate::link::Outbound;

/// Takes what arrives for the layer above, without detours.
///
/// All methods are called without any lock of the overlay held, from its tasks: they must not
/// block. Per process, [`link_up`](Self::link_up) comes before its frames, and those before
/// [`link_down`](Self::link_down). Frames of different processes arrive in parallel.
pub trait FrameHandler: Send + Sync + 'static {
    /// The node starts; nothing else was called before.
    fn started(&self, _process: ProcessId, _outbound: Outbound) {}

    /// Frames from one process, in order. What is left in the vector afterwards is dropped.
    ///
    /// Frames that arrived together share one buffer: copy what is kept for long.
    fn frames(&self, from: ProcessId, frames: &mut Vec<Bytes>);

    /// A link with this process is up, in both directions.
    fn link_up(&self, _process: ProcessId) {}

    /// The link with this process is gone, or could not be made for a frame that waited for
    /// it. Frames in both directions may be lost.
    fn link_down(&self, _process: ProcessId, _reason: LinkDown) {}

    /// The membership view changed.
    fn view(&self, _view: &MembershipView) {}

    /// Something happened in the overlay.
    fn event(&self, _event: &OverlayEvent) {}

    /// Whether a directory record offered by another peer may replace `old` at this node. The
    /// overlay checks sizes, not contents.
    fn accept_record(&self, _key: &[u8], _old: Option<&[u8]>, _new: &[u8]) -> bool {
        true
    }
}

/// What happened in the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverlayEvent {
    /// A process is new in the membership view.
    Joined(ProcessId),
    /// A process is no longer in the membership view.
    Lost {
        /// Which.
        process: ProcessId,
        /// Why.
        cause: LostCause,
    },
    /// The cluster became known, or its hint changed.
    Cluster(ClusterRecord),
    /// Two young clusters met and this node changed sides.
    ClusterMerged {
        /// The cluster that is given up.
        lost: ClusterRecord,
        /// The cluster of this node from now on.
        won: ClusterRecord,
    },
    /// Two established clusters of one name met; each keeps its own.
    ClusterConflict {
        /// This node's cluster.
        ours: ClusterRecord,
        /// The other one.
        theirs: ClusterRecord,
    },
    /// The goodbye was said.
    Left,
}

/// A handler for nodes without a layer above: drops frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoFrames;

impl FrameHandler for NoFrames {
    fn frames(&self, _: ProcessId, _: &mut Vec<Bytes>) {}
}

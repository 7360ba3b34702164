//! What wakes the environment of object machines, and what calls are for.

use overlay_proto::ProcessId;

/// What the register environment wakes itself for.
#[derive(Clone, Copy, Debug)]
pub enum Alarm {
    /// A process looks at the membership.
    Look(ProcessId),
    /// An object is to be created.
    Create(usize),
    /// A client may call.
    Work(usize),
    /// An ambush may be laid.
    Ambush,
    /// A primary may be cut off.
    CutOff,
    /// An object is half made no longer.
    HalfMade(usize),
    /// A vigil goes on.
    Vigil,
    /// The final reads begin.
    Audit,
    /// Everything is judged.
    Judge,
}

/// What a ticket was for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Create(usize),
    Call {
        place: usize,
        object: usize,
    },
    Audit(usize),
    /// A call that a method waits for.
    Nested,
}

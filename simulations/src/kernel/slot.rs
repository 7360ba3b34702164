//! What is looked at with every event of a node, apart from its machine: events come to one
//! node after the other, and a thousand machines are more than a cache holds.

use overlay_proto::ProcessId;

use crate::conditions::Clock;

/// The process of a node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// The newest process, whether it runs or not.
    process: Option<ProcessId>,
    /// How many there were.
    pub(super) start: u32,
    /// Whether the newest one runs, paused or not.
    runs: bool,
    /// Whether its inputs go into the backlog.
    pub(super) waits: bool,
    /// Its clock; the default one while none runs.
    pub(super) clock: Clock,
}

impl Slot {
    /// The process, if it runs.
    pub(super) fn running(&self) -> Option<ProcessId> {
        self.process.filter(|_| self.runs)
    }

    /// The process of this start, if it is the newest.
    pub(super) fn newest(&self, start: u32) -> Option<ProcessId> {
        self.process.filter(|_| self.start == start)
    }

    /// Another process follows; it does not run yet.
    pub(super) fn follow(&mut self, process: ProcessId) {
        let start = self.start + 1;
        *self = Self {
            process: Some(process),
            start,
            ..Self::default()
        };
    }

    /// The newest process runs from now on.
    pub(super) fn run(&mut self, clock: Clock) {
        self.runs = true;
        self.waits = false;
        self.clock = clock;
    }

    /// It runs no more.
    pub(super) fn end(&mut self) {
        self.runs = false;
        self.waits = false;
        self.clock = Clock::default();
    }
}

//! The overlay machine: membership, connections and founding composed.

use crate::cluster::ClusterRecord;
use crate::config::OverlayConfig;
use crate::counters::Counters;
use crate::id::ProcessId;
use crate::interface::{Command, Event, Role, Timer};
use crate::machine::{Input, Machine, Sink};
use crate::member::BoxedKeys;
use crate::message::Message;
use crate::time::Instant;
use crate::view::MembershipView;

/// One node's overlay protocols.
pub struct Overlay {
    config: OverlayConfig,
    keys: BoxedKeys,
    process: ProcessId,
    role: Role,
    view: MembershipView,
    cluster: Option<ClusterRecord>,
    counters: Counters,
}

impl Overlay {
    /// A machine for `process`, whose peer is the one of `keys`. Equal seeds and inputs give
    /// equal outputs.
    #[must_use]
    pub fn new(
        config: OverlayConfig,
        keys: BoxedKeys,
        process: ProcessId,
        role: Role,
        _seed: u64,
    ) -> Self {
        Self {
            config,
            keys,
            process,
            role,
            view: MembershipView::default(),
            cluster: None,
            counters: Counters::default(),
        }
    }

    /// This process.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// What the machine counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The view as last emitted.
    #[must_use]
    pub fn view(&self) -> &MembershipView {
        &self.view
    }

    /// The cluster, if known.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterRecord> {
        self.cluster.as_ref()
    }
}

impl Machine for Overlay {
    type Command = Command;
    type Message = Message;
    type Timer = Timer;
    type Event = Event;

    fn handle(
        &mut self,
        _now: Instant,
        _input: Input<Command, Message, Timer>,
        _out: &mut impl Sink<Message, Timer, Event>,
    ) {
        let _ = (&self.config, &self.keys, self.role);
    }
}

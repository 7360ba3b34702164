//! Between the overlay machine and everything that it asks for.

use overlay_proto::member::{MemberRecord, SignedRecord};
use overlay_proto::view::MembershipView;
use overlay_proto::{
    Command, Event, Input, Instant, LinkDown, Machine, Message, Output, ProcessId, Timer,
};

use super::{Driver, Due};
use crate::handler::OverlayEvent;
use crate::link::SendError;
use crate::link::frame::{Channel, Frame};

impl Driver {
    /// Feeds one command to the machine.
    pub(super) fn command(&mut self, command: Command) {
        self.feed(Input::Command(command));
    }

    /// Feeds one input to the machine and does what follows from it.
    pub(super) fn feed(&mut self, input: Input<Command, Message, Timer>) {
        let micros = u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut outputs: Vec<Output<Message, Timer, Event>> = Vec::new();
        self.machine
            .handle(Instant::from_micros(micros), input, &mut outputs);
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(to, &message),
                Output::SetTimer { timer, after } => self.timers.set(Due::Machine(timer), after),
                Output::Emit(event) => self.on_event(event),
            }
        }
    }

    fn send(&mut self, to: ProcessId, message: &Message) {
        let payload = message.encode().into();
        let sent = self.shared.links.send(
            to,
            Frame {
                channel: Channel::Control,
                payload,
            },
        );
        match sent {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => tracing::debug!(%to, %error, "a control message is lost"),
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Publish(bytes) => self.publish_membership(&bytes),
            Event::View(view) => self.on_view(view),
            Event::Joined(process) => self.tell(OverlayEvent::Joined(process)),
            Event::Lost { process, cause } => self.tell(OverlayEvent::Lost { process, cause }),
            Event::Dial { peer, addresses } => self.dial_for_machine(peer, &addresses),
            Event::Close(process) => self.close_link(process),
            Event::Cluster(record) => {
                self.shared.cluster.send_replace(Some(record.clone()));
                self.tell(OverlayEvent::Cluster(record));
            }
            Event::ClusterMerged { lost, won } => {
                self.shared.cluster.send_replace(Some(won.clone()));
                self.tell(OverlayEvent::ClusterMerged { lost, won });
            }
            Event::ClusterConflict { ours, theirs } => {
                self.tell(OverlayEvent::ClusterConflict { ours, theirs });
            }
            Event::Remember(records) => drop(self.shared.remembered.send_replace(records)),
            Event::Left => {
                self.shared.left.send_replace(true);
                self.tell(OverlayEvent::Left);
            }
        }
    }

    fn tell(&self, event: OverlayEvent) {
        self.shared.handler.event(&event);
        drop(self.shared.events.send(event));
    }

    fn on_view(&mut self, view: MembershipView) {
        self.route(&view);
        self.shared.handler.view(&view);
        self.shared.view.send_replace(view);
    }

    /// Tells the machine, the layer above and open requests that a link with `process` is gone
    /// or could not be made.
    pub(super) fn link_down(&mut self, process: ProcessId, reason: LinkDown, was_up: bool) {
        self.shared.handler.link_down(process, reason);
        self.link_down_below(process, reason, was_up);
    }

    /// [`Self::link_down`] without the layer above, which a reader tells in its own order.
    pub(super) fn link_down_below(&mut self, process: ProcessId, reason: LinkDown, was_up: bool) {
        tracing::debug!(%process, ?reason, was_up, "link down");
        self.shared.services.on_link_down(process, was_up);
        self.feed(Input::LinkDown { process, reason });
    }

    /// Tells the machine what this node says of itself, once it is known and a place where it
    /// listens is.
    pub(super) fn announce(&mut self) {
        let Some(mut announcement) = self.announcement.clone() else {
            return;
        };
        announcement.addresses = self.announced_addresses();
        self.command(Command::Announce(announcement));
        self.shared.own_record.send_replace(self.own_record());
    }

    /// This node's record as introduced to registries and local processes. Nobody believes it
    /// more than that this node may be reached there, so its sequence does not matter.
    fn own_record(&self) -> Option<SignedRecord> {
        let announcement = self.announcement.clone()?;
        let addresses = self.announced_addresses();
        let known = self.machine.view().process(&self.shared.process);
        let record = MemberRecord {
            process: self.shared.process,
            sequence: known.map_or(0, |member| member.record.sequence),
            addresses,
            kinds: announcement.kinds,
            capacity: announcement.capacity,
            load: announcement.load,
            labels: announcement.labels,
            leaving: announcement.leaving,
            stamp: announcement.stamp,
        };
        Some(SignedRecord::sign(&record, &self.shared.identity))
    }

    /// Some living members, this one first, as a registry would list them.
    pub(super) fn list(&self, limit: usize) -> Vec<SignedRecord> {
        let own = self.shared.own_record.borrow().clone();
        let others = self.shared.remembered.borrow().clone();
        own.into_iter().chain(others).take(limit).collect()
    }
}

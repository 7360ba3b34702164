//! Between the overlay machine and everything that it asks for.

use libp2p::swarm::Stream;
use overlay_proto::member::SignedRecord;
use overlay_proto::registry;
use overlay_proto::view::MembershipView;
use overlay_proto::{
    ClusterRecord, Command, Event, Input, Instant, LinkDown, Machine, Message, Output, ProcessId,
    Timer,
};

use tokio::sync::oneshot;

use super::{Driver, Due};
use crate::command::Request;
use crate::handler::OverlayEvent;
use crate::link::SendError;
use crate::link::frame::{Channel, Frame};
use crate::registry::serve_stream;

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
        self.note_own_record();
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
        self.note_own_record();
    }

    fn note_own_record(&self) {
        let own = self.machine.own_record();
        self.shared.own_record.send_if_modified(|known| {
            let changed = *known != own;
            *known = own;
            changed
        });
    }

    /// Some living members, this one first, as a registry would list them, and the cluster.
    pub(super) fn list(&mut self, limit: usize) -> (Vec<SignedRecord>, Option<ClusterRecord>) {
        (self.machine.list(limit), self.machine.cluster().cloned())
    }

    /// Somebody takes this node for a registry: any peer can introduce others.
    pub(super) fn answer_in_registrys_place(&self, stream: Stream) {
        let requests = self.shared.requests.clone();
        let ours = self.shared.cluster_name.as_str().to_owned();
        self.shared
            .tasks
            .spawn(serve_stream(stream, async move |call| {
                let limit = match call.request {
                    _ if call.cluster_name != ours => 0,
                    registry::Request::Register { limit, .. }
                    | registry::Request::List { limit } => limit.min(registry::LIST_MAX),
                    registry::Request::Leave { .. } => 0,
                };
                let (records, list) = oneshot::channel();
                let limit = usize::try_from(limit).unwrap_or_default();
                drop(requests.send(Request::List { limit, records }).await);
                let (records, cluster) = list.await.unwrap_or_default();
                let cluster = cluster.filter(|_| call.cluster_name == ours);
                registry::Answer::List { records, cluster }
            }));
    }
}

//! A whole peer as one machine: its overlay and its object layer, joined as production's node
//! joins them.

use std::collections::BTreeMap;

use objects_proto::machine::Timer as ObjectsTimer;
use objects_proto::machine::{Announced, Command as ObjectsCommand, Event as ObjectsEvent};
use objects_proto::message::Message as ObjectsMessage;
use objects_proto::object::ObjectId;
use objects_proto::objects::Objects;
use overlay_proto::view::MembershipView;
use overlay_proto::{Announcement, Duration, Input, Instant, Machine, Output, Overlay, ProcessId};
use overlay_proto::{Sink, Timer as OverlayTimer};

/// Shortest time between two announcements of changed numbers.
const NEWS_PAUSE: Duration = Duration::from_secs(30);
/// A leaving node hands over for at most this long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// How often the overlay is told that a link is in use.
const USED_PERIOD: Duration = Duration::from_secs(1);

/// The overlay and the object layer of one process.
pub struct Peer {
    overlay: Overlay,
    objects: Objects,
    announcement: Announcement,
    /// What the object layer would have announced.
    news: Announced,
    /// What was announced of it.
    known: Announced,
    /// Announced so shortly ago that the next announcement waits.
    rests: bool,
    /// When the overlay was told last that the link with a process is in use.
    used: BTreeMap<ProcessId, Instant>,
    touched: Option<ObjectId>,
}

/// What a peer is told.
#[derive(Clone, Debug)]
pub enum Command {
    /// Join the cluster.
    Join,
    /// Hand over, say goodbye, stop: answered by [`overlay_proto::Event::Left`].
    Leave,
    /// For the overlay.
    Overlay(overlay_proto::Command),
    /// For the object layer.
    Objects(ObjectsCommand),
}

/// What peers send each other.
#[derive(Debug)]
pub enum Message {
    /// From overlay to overlay.
    Overlay(overlay_proto::Message),
    /// From object layer to object layer.
    Objects(Box<ObjectsMessage>),
}

/// A peer's timers.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    /// Of the overlay.
    Overlay(OverlayTimer),
    /// Of the object layer.
    Objects(ObjectsTimer),
    /// Changed numbers may be announced again.
    News,
    /// Handing over had its time.
    DrainOver,
}

/// What a peer asks of its surroundings.
#[derive(Debug)]
pub enum Event {
    /// The overlay; never [`overlay_proto::Event::View`], which is for the object layer.
    Overlay(overlay_proto::Event),
    /// The object layer; neither [`ObjectsEvent::Announce`] nor [`ObjectsEvent::Drained`], which
    /// are for the overlay.
    Objects(ObjectsEvent),
}

impl Peer {
    /// A peer that says this of itself once it joins.
    #[must_use]
    pub fn new(overlay: Overlay, objects: Objects, announcement: Announcement) -> Self {
        let known = Announced::default();
        Self {
            overlay,
            objects,
            announcement: Announcement {
                stamp: known.stamp,
                ..announcement
            },
            news: known,
            known,
            rests: false,
            used: BTreeMap::new(),
            touched: None,
        }
    }

    /// The overlay.
    #[must_use]
    pub const fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// The object layer.
    #[must_use]
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The object that the last message was about, if it was about a register.
    #[must_use]
    pub const fn touched(&self) -> Option<ObjectId> {
        self.touched
    }

    fn tell_overlay<S: Sink<Message, Timer, Event>>(
        &mut self,
        now: Instant,
        input: Input<overlay_proto::Command, overlay_proto::Message, OverlayTimer>,
        out: &mut S,
    ) {
        let mut sink = FromOverlay { out, view: None };
        self.overlay.handle(now, input, &mut sink);
        if let Some(view) = sink.view {
            let command = ObjectsCommand::View(view);
            self.tell_objects(now, Input::Command(command), out);
        }
    }

    fn tell_objects<S: Sink<Message, Timer, Event>>(
        &mut self,
        now: Instant,
        input: Input<ObjectsCommand, ObjectsMessage, ObjectsTimer>,
        out: &mut S,
    ) {
        let mut sink = FromObjects {
            out,
            news: None,
            drained: false,
        };
        self.objects.handle(now, input, &mut sink);
        let FromObjects { news, drained, .. } = sink;
        if let Some(news) = news {
            self.news = news;
            self.announce_news(now, out);
        }
        if drained {
            self.leave(now, out);
        }
    }

    fn command<S: Sink<Message, Timer, Event>>(
        &mut self,
        now: Instant,
        command: Command,
        out: &mut S,
    ) {
        match command {
            Command::Join => self.announce(now, out),
            Command::Leave => {
                self.announcement.leaving = true;
                self.announce(now, out);
                out.set_timer(Timer::DrainOver, DRAIN_TIMEOUT);
                self.tell_objects(now, Input::Command(ObjectsCommand::Drain), out);
            }
            Command::Overlay(command) => self.tell_overlay(now, Input::Command(command), out),
            Command::Objects(command) => self.tell_objects(now, Input::Command(command), out),
        }
    }

    fn announce<S: Sink<Message, Timer, Event>>(&mut self, now: Instant, out: &mut S) {
        let command = overlay_proto::Command::Announce(self.announcement.clone());
        self.tell_overlay(now, Input::Command(command), out);
    }

    fn announce_news<S: Sink<Message, Timer, Event>>(&mut self, now: Instant, out: &mut S) {
        let leaving = self.announcement.leaving;
        if self.rests || leaving || !self.news.is_news_after(&self.known) {
            return;
        }
        self.known = self.news;
        self.announcement.load = self.news.load;
        self.announcement.primaries = self.news.primaries;
        self.announcement.stamp = self.news.stamp;
        self.rests = true;
        out.set_timer(Timer::News, NEWS_PAUSE);
        self.announce(now, out);
    }

    fn leave<S: Sink<Message, Timer, Event>>(&mut self, now: Instant, out: &mut S) {
        self.tell_overlay(now, Input::Command(overlay_proto::Command::Leave), out);
    }

    fn received<S: Sink<Message, Timer, Event>>(
        &mut self,
        now: Instant,
        from: ProcessId,
        message: ObjectsMessage,
        out: &mut S,
    ) {
        self.touched = match &message {
            ObjectsMessage::Register { object, .. } => Some(*object),
            _ => None,
        };
        let told = self.used.get(&from);
        if told.is_none_or(|told| now.since(*told) >= USED_PERIOD) {
            self.used.insert(from, now);
            for command in [
                overlay_proto::Command::Heard(from),
                overlay_proto::Command::LinkUsed(from),
            ] {
                self.tell_overlay(now, Input::Command(command), out);
            }
        }
        self.tell_objects(now, Input::Received { from, message }, out);
    }
}

impl Machine for Peer {
    type Command = Command;
    type Message = Message;
    type Timer = Timer;
    type Event = Event;

    fn handle(
        &mut self,
        now: Instant,
        input: Input<Command, Message, Timer>,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        self.touched = None;
        match input {
            Input::Command(command) => self.command(now, command, out),
            Input::Received { from, message } => match message {
                Message::Overlay(message) => {
                    self.tell_overlay(now, Input::Received { from, message }, out);
                }
                Message::Objects(message) => self.received(now, from, *message, out),
            },
            Input::TimerFired(timer) => match timer {
                Timer::Overlay(timer) => self.tell_overlay(now, Input::TimerFired(timer), out),
                Timer::Objects(timer) => self.tell_objects(now, Input::TimerFired(timer), out),
                Timer::News => {
                    self.rests = false;
                    self.announce_news(now, out);
                }
                Timer::DrainOver => self.leave(now, out),
            },
            Input::LinkUp(process) => {
                self.tell_objects(now, Input::LinkUp(process), out);
                self.tell_overlay(now, Input::LinkUp(process), out);
            }
            Input::LinkDown { process, reason } => {
                self.used.remove(&process);
                self.tell_objects(now, Input::LinkDown { process, reason }, out);
                self.tell_overlay(now, Input::LinkDown { process, reason }, out);
            }
        }
    }
}

/// Passes on what the overlay puts out, but for the view.
struct FromOverlay<'a, S> {
    out: &'a mut S,
    view: Option<MembershipView>,
}

impl<S> Sink<overlay_proto::Message, OverlayTimer, overlay_proto::Event> for FromOverlay<'_, S>
where
    S: Sink<Message, Timer, Event>,
{
    fn push(&mut self, output: Output<overlay_proto::Message, OverlayTimer, overlay_proto::Event>) {
        match output {
            Output::Send { to, message } => self.out.send(to, Message::Overlay(message)),
            Output::SetTimer { timer, after } => self.out.set_timer(Timer::Overlay(timer), after),
            Output::Emit(overlay_proto::Event::View(view)) => self.view = Some(view),
            Output::Emit(event) => self.out.emit(Event::Overlay(event)),
        }
    }
}

/// Passes on what the object layer puts out, but for what the overlay is to say of it.
struct FromObjects<'a, S> {
    out: &'a mut S,
    news: Option<Announced>,
    drained: bool,
}

impl<S> Sink<ObjectsMessage, ObjectsTimer, ObjectsEvent> for FromObjects<'_, S>
where
    S: Sink<Message, Timer, Event>,
{
    fn push(&mut self, output: Output<ObjectsMessage, ObjectsTimer, ObjectsEvent>) {
        match output {
            Output::Send { to, message } => {
                self.out.send(to, Message::Objects(Box::new(message)));
            }
            Output::SetTimer { timer, after } => self.out.set_timer(Timer::Objects(timer), after),
            Output::Emit(ObjectsEvent::Announce(news)) => self.news = Some(news),
            Output::Emit(ObjectsEvent::Drained { .. }) => self.drained = true,
            Output::Emit(event) => self.out.emit(Event::Objects(event)),
        }
    }
}

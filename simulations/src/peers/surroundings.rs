//! What surrounds the peers: gossip, dials, the registry, the directory, executors.

use bytes::Bytes;
use objects_proto::frame;
use objects_proto::machine::{Command as ObjectsCommand, Event as ObjectsEvent};
use objects_proto::objects::Objects;
use overlay_proto::member::SignedRecord;
use overlay_proto::plain_keys::PlainKeys;
use overlay_proto::{Announcement, Command as OverlayCommand, Duration, Event as OverlayEvent};
use overlay_proto::{Instant, LinkDown, Overlay, OverlayConfig, PeerId, ProcessId, Role};

use super::{Alarm, Command, Event, Message, Peer, Peers, PeersKernel};
use crate::environment::{Ending, Environment, Start, Transmitted};
use crate::membership::WORLD_START_UNIX_MS;
use crate::membership::messages::{introduction, protocol};
use crate::register::hints::hosted_kinds;
use crate::register::journal::{self, KIND_VERSION};
use crate::surroundings::{look_up, protocol as protocol_of_objects, publish, wake};
use crate::trace::RunningHash;

/// A node that knows nobody asks the registry this often.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(2);
/// Members that the registry names.
const INTRODUCED: usize = 3;
/// Inputs between two checks of a machine's own invariants.
const CHECK_EVERY: u64 = 1_024;
/// Objects that a host accepts.
const CAPACITY: u32 = 1_000;

impl Peers {
    /// What a registry would say: some nodes that run or ran, as introductions.
    fn introductions(&mut self, kernel: &PeersKernel, node: u32) -> Vec<SignedRecord> {
        let mut others: Vec<u32> = (0..kernel.node_count())
            .filter(|other| *other != node && !kernel.starts(*other).is_empty())
            .collect();
        self.dice.shuffle(&mut others);
        let last = |other: &u32| kernel.starts(*other).last();
        let processes = others.iter().take(INTRODUCED).filter_map(last);
        processes.map(introduction).collect()
    }

    fn discover(&mut self, kernel: &mut PeersKernel, process: ProcessId) {
        let Some(node) = kernel
            .node_of(&process.peer)
            .filter(|_| kernel.runs(&process))
        else {
            return;
        };
        let view = kernel.machine(node).map(|peer| peer.overlay().view().len());
        if view.is_some_and(|members| members < 2) {
            let records = OverlayCommand::Introduce(self.introductions(kernel, node));
            kernel.command(node, Duration::ZERO, Command::Overlay(records));
        }
        kernel.alarm(DISCOVERY_PERIOD, Alarm::Discover(process));
    }

    fn overlay_event(&mut self, kernel: &mut PeersKernel, node: u32, event: OverlayEvent) {
        match event {
            OverlayEvent::Publish(batch) => self.gossip(kernel, node, batch),
            OverlayEvent::Dial { peer, .. } if !kernel.dial(node, &peer) => {
                let after = kernel.conditions().dial_timeout;
                dial_failed(kernel, node, after, (peer, LinkDown::Unreachable));
            }
            OverlayEvent::Close(process) => kernel.close(node, &process),
            OverlayEvent::Left => kernel.stop(node),
            _ => {}
        }
    }

    fn gossip(&mut self, kernel: &mut PeersKernel, node: u32, batch: Bytes) {
        let receivers = self.mesh.publish(kernel, node, batch.len()).into_iter();
        match self.wire.gossip(batch) {
            Ok(make) => kernel.broadcast(receivers, move || Command::Overlay(make())),
            Err(error) => kernel.violate("survives_the_wire", error),
        }
    }

    fn objects_event(&mut self, kernel: &mut PeersKernel, node: u32, event: ObjectsEvent) {
        match event {
            ObjectsEvent::Created { ticket, result } => {
                self.created(kernel, ticket, result.ok());
            }
            ObjectsEvent::Completed { ticket, completion } => {
                self.completed(kernel, node, ticket, &completion);
            }
            ObjectsEvent::Execute(execution) => {
                let (took, executed) = journal::execute(&execution, &mut self.dice);
                let executed = ObjectsCommand::Executed(executed);
                kernel.command(node, took, Command::Objects(executed));
            }
            ObjectsEvent::Lookup(object) => look_up(kernel, &mut self.directory, node, object),
            ObjectsEvent::Publish { slot, holders } => {
                publish(kernel, &mut self.directory, node, slot, holders);
            }
            ObjectsEvent::Reconfigured {
                object,
                configuration,
            } => {
                kernel.count("reconfigurations", 1);
                let now = kernel.now();
                if let Some(index) = self.by_id.get(&object).copied() {
                    let runs = |one: &ProcessId| kernel.runs(one);
                    let sets = &mut self.objects[index].sets;
                    sets.established(&configuration, runs);
                    self.repairs.replaced(now, index, &configuration);
                }
            }
            ObjectsEvent::TookOver { after, .. } => {
                kernel.count("takeovers", 1);
                self.failovers.push(after.as_secs_f64() * 1e3);
            }
            _ => {}
        }
    }

    fn count_live(&mut self, kernel: &PeersKernel) {
        self.repairs
            .live(kernel.now(), kernel.running().count() as u32);
    }
}

fn dial_failed(
    kernel: &mut PeersKernel,
    node: u32,
    after: Duration,
    (peer, reason): (PeerId, LinkDown),
) {
    let failed = OverlayCommand::DialFailed { peer, reason };
    kernel.command(node, after, Command::Overlay(failed));
}

impl Environment<Peer> for Peers {
    type Alarm = Alarm;

    fn start(&mut self, _kernel: &mut PeersKernel, start: Start) -> Peer {
        let offset_ms = start.clock.shows(Instant::ZERO).as_micros() / 1_000;
        let config = OverlayConfig {
            epoch_unix_ms: WORLD_START_UNIX_MS - offset_ms,
            ..self.overlay.clone()
        };
        let keys = Box::new(PlainKeys(start.process.peer));
        let seed = start.seed.value();
        let overlay = Overlay::new(config, keys, start.process, Role::Member, seed);
        let config = self.config.clone();
        let objects = Objects::new(
            config,
            start.process,
            journal::shared(Some(KIND_VERSION)),
            seed,
        );
        let announcement = Announcement {
            addresses: vec![format!("/memory/{}", start.node + 1)],
            kinds: hosted_kinds(KIND_VERSION),
            capacity: CAPACITY,
            ..Announcement::default()
        };
        Peer::new(overlay, objects, announcement)
    }

    fn started(&mut self, kernel: &mut PeersKernel, start: Start) {
        self.count_live(kernel);
        kernel.command(start.node, Duration::ZERO, Command::Join);
        let after = self
            .dice
            .duration(Duration::ZERO, Duration::from_millis(300));
        kernel.alarm(after, Alarm::Discover(start.process));
    }

    fn transmit(&mut self, message: Message) -> Result<Transmitted<Message>, String> {
        let message = match message {
            Message::Overlay(message) => {
                let protocol = protocol(&message);
                let sent = self.wire.transmit(message, protocol)?;
                return Ok(Transmitted {
                    message: Message::Overlay(sent.message),
                    bytes: sent.bytes,
                    hash: sent.hash,
                    protocol: sent.protocol,
                });
            }
            Message::Objects(message) => message,
        };
        let frame = frame::encode(&message).map_err(|error| error.to_string())?;
        let mut hash = RunningHash::default();
        hash.bytes(&frame);
        Ok(Transmitted {
            bytes: frame.len(),
            hash: hash.value(),
            protocol: protocol_of_objects(&message),
            message: Message::Objects(if self.wire.by_value() {
                message
            } else {
                Box::new(frame::decode(frame).map_err(|error| error.to_string())?)
            }),
        })
    }

    fn event(&mut self, kernel: &mut PeersKernel, node: u32, event: Event) {
        match event {
            Event::Overlay(event) => self.overlay_event(kernel, node, event),
            Event::Objects(event) => self.objects_event(kernel, node, event),
        }
    }

    fn alarm(&mut self, kernel: &mut PeersKernel, alarm: Alarm) {
        match alarm {
            Alarm::Discover(process) => self.discover(kernel, process),
            Alarm::Create(object) => self.create(kernel, object),
            Alarm::Work(place) => self.work(kernel, place),
            Alarm::Lookup => self.look_something_up(kernel),
            Alarm::Audit => self.audit(kernel),
            Alarm::Judge => self.judge(kernel),
        }
    }

    fn leave(&mut self, kernel: &mut PeersKernel, node: u32) {
        kernel.command(node, Duration::ZERO, Command::Leave);
    }

    fn handled(&mut self, kernel: &mut PeersKernel, node: u32) {
        self.handled += 1;
        let Some(peer) = kernel.machine(node) else {
            return;
        };
        if self.handled.is_multiple_of(CHECK_EVERY) {
            peer.objects().check_invariants();
        }
        let touched = peer.touched();
        if let Some(object) = touched
            && let Some(tracked) = self.tracked(&object)
        {
            tracked.sets.watch(kernel, node, &object);
        }
    }

    fn ended(&mut self, kernel: &mut PeersKernel, process: ProcessId, how: Ending) {
        let now = kernel.now();
        self.count_live(kernel);
        let crashed = how == Ending::Crashed;
        if crashed {
            self.repairs.crashed();
        }
        for (index, object) in self.objects.iter_mut().enumerate() {
            let named =
                |set: &objects_proto::object::Configuration| set.index_of(&process).is_some();
            if crashed && object.sets.newest().is_some_and(named) {
                self.repairs.lost(now, index, process);
            }
            object.sets.ended(&process);
        }
    }

    fn dial_failed(&mut self, kernel: &mut PeersKernel, node: u32, peer: PeerId, reason: LinkDown) {
        dial_failed(kernel, node, Duration::ZERO, (peer, reason));
    }

    fn resumed(&mut self, kernel: &mut PeersKernel, node: u32, slept: Duration) {
        wake(kernel, &mut self.dice, node, slept);
    }

    fn healed(&mut self, kernel: &mut PeersKernel) {
        self.healed_at = Some(kernel.now());
        self.balance.healed(kernel);
        kernel.alarm(self.heal_within, Alarm::Audit);
    }
}

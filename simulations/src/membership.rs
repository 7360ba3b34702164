//! The overlay machine in the world: joins, crashes, leaves, and one view after the heal.

mod agreement;
pub(crate) mod messages;
mod undisturbed;

use std::collections::{BTreeMap, BTreeSet};

use overlay_proto::member::SignedRecord;
use overlay_proto::plain_keys::PlainKeys;
use overlay_proto::view::MembershipView;
use overlay_proto::{
    Announcement, Command, Duration, Event, Instant, LinkDown, LostCause, Message, Overlay,
    OverlayConfig, PeerId, ProcessId, Role,
};

use self::messages::{introduction, protocol};
pub use self::undisturbed::undisturbed;
use crate::environment::{Ending, Environment, Start, Transmitted, Wire};
use crate::faults::{Fault, FaultKinds, FaultPlan};
use crate::gossip::Mesh;
use crate::invariants::incarnation_monotonic::{self, IncarnationMonotonic};
use crate::invariants::left_stays_left::{self, LeftStaysLeft};
use crate::invariants::no_live_member_buried::{self, NoLiveMemberBuried};
use crate::invariants::view_converges;
use crate::kernel::Kernel;
use crate::scenario::Scenario;
use crate::seed::{Dice, Seed};
use crate::world::World;

/// A node that knows nobody asks the registry this often.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(2);
/// Mean time between two changes of some member's record.
const CHANGE_PERIOD: Duration = Duration::from_secs(4);
/// How often convergence is looked at after the heal.
const POLL_PERIOD: Duration = Duration::from_millis(250);
/// Once converged, views stay so at least this long before the run ends.
const STABLE_FOR: Duration = Duration::from_secs(10);
/// Largest loss at which no burial of a live member is excused.
const LITTLE_LOSS: f64 = 0.02;
/// Nodes of a large world whose views are watched one by one.
const OBSERVERS_WATCHED: u32 = 16;
/// Of the views that are watched in a large world, one of so many is gone through.
const VIEWS_SKIPPED: u32 = 16;
/// Unix time of the start of the world, milliseconds.
pub(crate) const WORLD_START_UNIX_MS: u64 = 1_800_000_000_000;

type OverlayKernel = Kernel<Overlay, Alarm>;

/// What the membership environment wakes itself for.
#[derive(Clone, Copy, Debug)]
pub enum Alarm {
    /// A process that knows nobody asks the registry.
    Discover(ProcessId),
    /// Some member changes its record.
    Change,
    /// Looks whether the views agree.
    Poll,
}

/// The environment of overlay machines.
pub struct Membership {
    mesh: Mesh,
    dice: Dice,
    /// The node that runs as a client, if any.
    client: Option<u32>,
    announced: BTreeMap<ProcessId, Announcement>,
    wire: Wire,
    /// Of all machines, which share its parts.
    config: OverlayConfig,
    /// In a large world only every so many nodes' views are watched one by one, and of theirs
    /// only every so many.
    watched_every: u32,
    views_seen: u32,
    leaving: BTreeSet<ProcessId>,
    monotonic: IncarnationMonotonic,
    buried: NoLiveMemberBuried,
    left: LeftStaysLeft,
    heal_within: Duration,
    healed_at: Option<Instant>,
    /// Since when the views agree without a break.
    converged_at: Option<Instant>,
}

/// Runs a membership scenario with this seed; `keep` events are kept in words.
#[must_use]
pub fn run(scenario: &Scenario, nodes: u32, seed: Seed, keep: usize) -> World<Overlay, Membership> {
    let plan = scenario.fault_plan(seed, nodes);
    let environment = Membership::new(scenario, &plan, nodes, seed);
    let mut world = World::new(nodes, plan.conditions, seed, keep, environment);
    let mut dice = seed.child("starts").dice();
    for node in 0..nodes {
        let after = dice.duration(Duration::ZERO, Duration::from_secs(3));
        world.kernel.fault(after, Fault::Start(node));
    }
    world.kernel.alarm(CHANGE_PERIOD, Alarm::Change);
    world.schedule(&plan);
    let end = scenario.heal_at() + Duration::from_secs(scenario.heal_seconds) + STABLE_FOR;
    // A violation stays in the kernel, where the caller finds it with the last events.
    let _violation = world.run_until(end);
    if let (Some(healed), Some(converged)) =
        (world.environment.healed_at, world.environment.converged_at)
    {
        let took = converged.since(healed).as_millis() as u64;
        world.kernel.count("ms from heal to one view", took);
    }
    world
}

impl Membership {
    fn new(scenario: &Scenario, plan: &FaultPlan, nodes: u32, seed: Seed) -> Self {
        let FaultKinds {
            pause,
            partition,
            one_way,
            ..
        } = plan.kinds;
        let strict = !(pause || partition || one_way) && plan.conditions.loss <= LITTLE_LOSS;
        Self {
            heal_within: Duration::from_secs(scenario.heal_seconds),
            ..Self::watching(nodes, seed, strict)
        }
    }

    fn watching(nodes: u32, seed: Seed, strict: bool) -> Self {
        let mut dice = seed.child("membership").dice();
        Self {
            mesh: Mesh::new(nodes, seed),
            client: (nodes > 3 && dice.chance(0.3)).then(|| nodes - 1),
            dice,
            announced: BTreeMap::new(),
            wire: Wire::new(nodes),
            config: OverlayConfig::default(),
            watched_every: if nodes <= Wire::DECODED_MAX {
                1
            } else {
                nodes / OBSERVERS_WATCHED
            },
            views_seen: 0,
            leaving: BTreeSet::new(),
            monotonic: IncarnationMonotonic::default(),
            buried: NoLiveMemberBuried::new(strict),
            left: LeftStaysLeft::default(),
            heal_within: Duration::MAX,
            healed_at: None,
            converged_at: None,
        }
    }

    /// What a registry would say: some nodes that run or ran, as introductions.
    fn introductions(&mut self, kernel: &OverlayKernel, node: u32) -> Vec<SignedRecord> {
        let mut others: Vec<u32> = (0..kernel.node_count())
            .filter(|other| *other != node && Some(*other) != self.client)
            .filter(|other| !kernel.starts(*other).is_empty())
            .collect();
        self.dice.shuffle(&mut others);
        others.truncate(3);
        let processes = others
            .iter()
            .filter_map(|other| kernel.starts(*other).last());
        processes.map(introduction).collect()
    }

    fn announce(&mut self, kernel: &mut OverlayKernel, node: u32, process: ProcessId) {
        let load = self.dice.below(1_000) as u32;
        let announcement = Announcement {
            addresses: vec![format!("/memory/{}", node + 1)],
            kinds: Vec::new(),
            capacity: 1_000,
            load,
            ..Announcement::default()
        };
        self.announced.insert(process, announcement.clone());
        kernel.command(node, Duration::ZERO, Command::Announce(announcement));
    }

    /// The process on a node, if its view is watched.
    fn observer(&self, kernel: &OverlayKernel, node: u32) -> Option<ProcessId> {
        let watched = node.is_multiple_of(self.watched_every);
        kernel.process(node).filter(|_| watched)
    }

    fn changed_view(&mut self, kernel: &mut OverlayKernel, node: u32, view: &MembershipView) {
        let Some(observer) = self.observer(kernel, node) else {
            return;
        };
        self.views_seen += 1;
        if self.watched_every > 1 && !self.views_seen.is_multiple_of(VIEWS_SKIPPED) {
            return;
        }
        for member in view.iter() {
            let process = member.record.process;
            let Some(start) = kernel.start_of(&process) else {
                kernel.violate(incarnation_monotonic::NAME, format!("{process} never was"));
                return;
            };
            let seen = self
                .monotonic
                .entry(observer, process.peer, start, member.record.sequence);
            kernel.check(incarnation_monotonic::NAME, seen);
        }
    }

    fn lost(&mut self, kernel: &mut OverlayKernel, node: u32, process: ProcessId, why: LostCause) {
        let Some(observer) = kernel.process(node) else {
            return;
        };
        match why {
            LostCause::Dead if kernel.runs(&process) && !self.leaving.contains(&process) => {
                let excused = self.buried.buried(kernel.now(), observer, process);
                kernel.check(no_live_member_buried::NAME, excused);
                kernel.count("live members buried", 1);
            }
            LostCause::Left => {
                if self.observer(kernel, node).is_some() {
                    self.left.left(observer, process);
                }
                if !self.leaving.contains(&process) {
                    let words = format!("{observer} says that {process} left, which never said so");
                    kernel.violate(left_stays_left::NAME, words);
                }
            }
            LostCause::Dead | LostCause::Replaced => {}
        }
    }

    fn publish(&mut self, kernel: &mut OverlayKernel, node: u32, batch: bytes::Bytes) {
        let receivers = self.mesh.publish(kernel, node, batch.len());
        kernel.count("gossip messages", receivers.len() as u64);
        kernel.count("gossip bytes", (receivers.len() * batch.len()) as u64);
        let client = self.client;
        let receivers = receivers
            .into_iter()
            .filter(|(receiver, _)| Some(*receiver) != client);
        match self.wire.gossip(batch) {
            Ok(make) => kernel.broadcast(receivers, make),
            Err(error) => kernel.violate("survives_the_wire", error),
        }
    }

    /// Compares all views with the truth; the run must converge in time and then stay so.
    fn poll(&mut self, kernel: &mut OverlayKernel) {
        let Some(healed_at) = self.healed_at else {
            return;
        };
        let now = kernel.now();
        match self.agreement(kernel) {
            Ok(()) => {
                self.converged_at.get_or_insert(now);
            }
            Err(_) if now.since(healed_at) <= self.heal_within => self.converged_at = None,
            Err(detail) => kernel.violate(view_converges::NAME, detail),
        }
        let refuted = self.buried.check(now, healed_at, self.heal_within);
        kernel.check(no_live_member_buried::NAME, refuted);
        kernel.alarm(POLL_PERIOD, Alarm::Poll);
    }
}

impl Environment<Overlay> for Membership {
    type Alarm = Alarm;

    fn start(&mut self, _kernel: &mut OverlayKernel, start: Start) -> Overlay {
        let offset_ms = start.clock.shows(Instant::ZERO).as_micros() / 1_000;
        let config = OverlayConfig {
            epoch_unix_ms: WORLD_START_UNIX_MS - offset_ms,
            ..self.config.clone()
        };
        let role = if Some(start.node) == self.client {
            Role::Client
        } else {
            Role::Member
        };
        let keys = Box::new(PlainKeys(start.process.peer));
        Overlay::new(config, keys, start.process, role, start.seed.value())
    }

    fn started(&mut self, kernel: &mut OverlayKernel, start: Start) {
        if Some(start.node) != self.client {
            self.announce(kernel, start.node, start.process);
        }
        let after = self
            .dice
            .duration(Duration::ZERO, Duration::from_millis(300));
        kernel.alarm(after, Alarm::Discover(start.process));
    }

    fn transmit(&mut self, message: Message) -> Result<Transmitted<Message>, String> {
        let protocol = protocol(&message);
        self.wire.transmit(message, protocol)
    }

    fn event(&mut self, kernel: &mut OverlayKernel, node: u32, event: Event) {
        match event {
            Event::Publish(batch) => self.publish(kernel, node, batch),
            Event::View(view) => self.changed_view(kernel, node, &view),
            Event::Joined(process) => {
                if let Some(observer) = kernel.process(node) {
                    self.buried.revived(observer, process);
                    kernel.check(left_stays_left::NAME, self.left.joined(observer, process));
                }
            }
            Event::Lost { process, cause } => self.lost(kernel, node, process, cause),
            Event::Dial { peer, .. } => {
                if !kernel.dial(node, &peer) {
                    let reason = LinkDown::Unreachable;
                    let after = kernel.conditions().dial_timeout;
                    kernel.command(node, after, Command::DialFailed { peer, reason });
                }
            }
            Event::Close(process) => kernel.close(node, &process),
            Event::Left => kernel.stop(node),
            Event::Cluster(_) => kernel.count("cluster events", 1),
            Event::ClusterMerged { .. } => kernel.count("clusters merged", 1),
            Event::ClusterConflict { .. } => kernel.count("cluster conflicts", 1),
            Event::Remember(_) => {}
        }
    }

    fn alarm(&mut self, kernel: &mut OverlayKernel, alarm: Alarm) {
        match alarm {
            Alarm::Discover(process) => {
                let Some(node) = kernel.node_of(&process.peer) else {
                    return;
                };
                if !kernel.runs(&process) {
                    return;
                }
                if kernel.machine(node).is_some_and(|one| one.view().len() < 2) {
                    let records = self.introductions(kernel, node);
                    kernel.command(node, Duration::ZERO, Command::Introduce(records));
                }
                kernel.alarm(DISCOVERY_PERIOD, alarm);
            }
            Alarm::Change if self.healed_at.is_none() => {
                let members: Vec<u32> = kernel
                    .running()
                    .filter(|node| Some(*node) != self.client)
                    .collect();
                let chosen = self.dice.pick(&members).copied();
                let process = chosen.and_then(|node| kernel.process(node));
                if let (Some(node), Some(process)) = (chosen, process)
                    && !self.leaving.contains(&process)
                {
                    self.announce(kernel, node, process);
                }
                let after = self.dice.exponential(CHANGE_PERIOD);
                kernel.alarm(after, Alarm::Change);
            }
            Alarm::Change => {}
            Alarm::Poll => self.poll(kernel),
        }
    }

    fn leave(&mut self, kernel: &mut OverlayKernel, node: u32) {
        if let Some(process) = kernel.process(node) {
            self.leaving.insert(process);
            kernel.command(node, Duration::ZERO, Command::Leave);
        }
    }

    fn ended(&mut self, _kernel: &mut OverlayKernel, process: ProcessId, _how: Ending) {
        self.buried.ended(process);
        self.announced.remove(&process);
    }

    fn dial_failed(
        &mut self,
        kernel: &mut OverlayKernel,
        node: u32,
        peer: PeerId,
        reason: LinkDown,
    ) {
        kernel.command(node, Duration::ZERO, Command::DialFailed { peer, reason });
    }

    fn healed(&mut self, kernel: &mut OverlayKernel) {
        self.healed_at = Some(kernel.now());
        kernel.alarm(POLL_PERIOD, Alarm::Poll);
    }
}

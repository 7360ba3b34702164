//! The object layer in the world: clients call journals while hosts crash, freeze and are cut
//! off; afterwards nothing acknowledged is missing and nothing was done twice.

mod alarm;
pub mod ambush;
mod audit;
mod clients;
mod copies;
mod coverage;
mod cutoff;
pub(crate) mod figures;
mod founding;
mod half_made;
pub mod hints;
pub mod journal;
mod known;
mod search;
mod standing;
pub mod state;
pub mod tracked;
mod transfers;
mod vigil;
mod weak;
pub mod workload;

use std::collections::BTreeMap;

use bytes::Bytes;
use objects_proto::config::ObjectsConfig;
use objects_proto::frame::{self, FrameError};
use objects_proto::machine::{Command, Event, Ticket};
use objects_proto::message::Message;
use objects_proto::object::Slot;
use objects_proto::objects::Objects;
use objects_proto::register::Mutation;
use overlay_proto::{Duration, Instant, ProcessId};

pub use self::alarm::Alarm;
use self::alarm::Purpose;
use self::ambush::Ambushes;
use self::coverage::Coverage;
use self::half_made::HalfMade;
use self::hints::Hints;
use self::tracked::Tracked;
use self::transfers::Transfer;
use self::vigil::Vigil;
use self::workload::Place;
use crate::directory::{Directory, DirectoryConditions};
use crate::environment::{Ending, Environment, Start, Transmitted};
use crate::faults::Fault;
use crate::invariants::caps_hold;
use crate::kernel::Kernel;
use crate::scenario::Scenario;
use crate::seed::{Dice, Seed};
use crate::surroundings::{look_up, protocol, publish, wake};
use crate::trace::RunningHash;
use crate::world::World;

/// Nodes that only call.
const CLIENTS: u32 = 2;
/// How often a node looks at the membership.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// After the heal, each object's log is read at this time.
const AUDIT_AFTER: Duration = Duration::from_secs(45);

/// Inputs between two checks of a machine's own invariants.
const CHECK_EVERY: u64 = 32;
/// Inputs between two comparisons of all copies.
const COMPARE_EVERY: u64 = 128;

type ObjectsKernel = Kernel<Objects, Alarm>;

/// The environment of object machines.
pub struct Register {
    hosts: u32,
    /// The host that has a newer version of all kinds, if one has.
    newer: Option<u32>,
    mutation: Option<Mutation>,
    factor: u8,
    config: ObjectsConfig,
    dice: Dice,
    hints: Hints,
    directory: Directory<Slot, Bytes>,
    ambushes: Option<Ambushes>,
    /// Hosts forget their tombstones within seconds.
    forgetful: bool,
    vigil: Option<Vigil>,
    half: Option<HalfMade>,
    /// Links repeat what is lost on the way.
    lossy: bool,
    /// Calls are answered during the faults, too.
    serves_always: bool,
    objects: Vec<Tracked>,
    places: Vec<Place>,
    tickets: BTreeMap<Ticket, (ProcessId, Purpose)>,
    transfers: BTreeMap<Ticket, Transfer>,
    coverage: Coverage,
    names: u64,
    handled: u64,
    pace: Duration,
    healed_at: Option<Instant>,
}

/// Runs a register scenario with this seed, perhaps with a rule broken on purpose; `keep`
/// events are kept in words.
#[must_use]
pub fn run(
    scenario: &Scenario,
    nodes: u32,
    seed: Seed,
    keep: usize,
    mutation: Option<Mutation>,
) -> World<Objects, Register> {
    let plan = scenario.fault_plan(seed, nodes);
    let ambushes = Ambushes::draw(seed, scenario.heal_at()).filter(|_| !scenario.serves_always);
    let mut environment = Register::new(nodes, seed, mutation, ambushes);
    environment.lossy = plan.conditions.loss > 0.0;
    if scenario.serves_always {
        environment.serve_always();
    }
    let mut world = World::new(nodes, plan.conditions, seed, keep, environment);
    Coverage::begin(&mut world.kernel);
    for node in 0..nodes {
        world.fault(&Fault::Start(node));
    }
    for object in 0..world.environment.objects.len() {
        world
            .kernel
            .alarm(Duration::from_secs(2), Alarm::Create(object));
    }
    for place in 0..world.environment.places.len() {
        world
            .kernel
            .alarm(Duration::from_secs(3), Alarm::Work(place));
    }
    world.kernel.alarm(Duration::from_secs(4), Alarm::Ambush);
    world.kernel.alarm(Duration::from_secs(5), Alarm::CutOff);
    world.schedule(&plan);
    // A violation stays in the kernel, where the caller finds it with the last events.
    let _violation = world
        .run_until(scenario.heal_at() + Duration::from_secs(scenario.heal_seconds) + AUDIT_AFTER);
    world
}

impl Register {
    fn new(nodes: u32, seed: Seed, mutation: Option<Mutation>, ambushes: Option<Ambushes>) -> Self {
        let mut dice = seed.child("register").dice();
        let hosts = nodes.saturating_sub(CLIENTS).max(1);
        let newer = founding::newer_host(seed, hosts);
        let objects = dice.between(1, 4) as usize;
        let places = objects * dice.between(1, 3) as usize;
        let factor = match dice.below(10) {
            0 => 1,
            1 | 2 if hosts >= 5 => 5,
            _ => 3,
        };
        let conditions = DirectoryConditions::any(&mut dice);
        let mut sizes = seed.child("sizes").dice();
        let expiry = workload::expiry(&mut seed.child("expiry").dice());
        let mut config = workload::config(&mut dice);
        [config.timings.session_idle, config.client.session_rest] = expiry;
        config.pace = workload::pace(&mut seed.child("pace").dice());
        Self {
            hosts,
            newer,
            mutation,
            factor,
            hints: Hints::new(hosts, seed).with_newer(newer),
            directory: Directory::new(conditions, seed),
            ambushes,
            forgetful: config.timings.tombstones <= workload::TOMBSTONES_MAX,
            vigil: None,
            half: None,
            config,
            lossy: false,
            serves_always: false,
            objects: tracked::of_all_kinds(&mut dice, &mut sizes, objects),
            places: (0..places)
                .map(|place| Place {
                    object: place % objects,
                    handle: None,
                    open: 0,
                })
                .collect(),
            tickets: BTreeMap::new(),
            transfers: BTreeMap::new(),
            coverage: Coverage::default(),
            names: 0,
            handled: 0,
            pace: Duration::from_millis(dice.between(110, 740)),
            dice,
            healed_at: None,
        }
    }

    /// Calls must be answered all the while: no view is wrong, since who has nothing else to go by
    /// then finds nothing; no session is closed for being idle, since what was under way then has
    /// no answer.
    fn serve_always(&mut self) {
        self.serves_always = true;
        self.hints.heal();
        let default = ObjectsConfig::default();
        self.config.timings.session_idle = default.timings.session_idle;
        self.config.client.session_rest = default.client.session_rest;
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn ticket(&mut self, id: u64, process: ProcessId, purpose: Purpose) -> Ticket {
        self.tickets.insert(Ticket(id), (process, purpose));
        Ticket(id)
    }

    fn any_running(&mut self, kernel: &ObjectsKernel, below: u32) -> Option<(u32, ProcessId)> {
        let running: Vec<u32> = kernel
            .running()
            .filter(|node| *node < below && !kernel.paused(*node))
            .collect();
        let node = *self.dice.pick(&running)?;
        Some((node, kernel.process(node)?))
    }
}

impl Environment<Objects> for Register {
    type Alarm = Alarm;

    fn start(&mut self, _kernel: &mut ObjectsKernel, start: Start) -> Objects {
        let version = self.hints.version_of(start.node);
        let methods = journal::shared((start.node < self.hosts).then_some(version));
        let config = self.config.clone();
        let mut machine = Objects::new(config, start.process, methods, start.seed.value());
        machine.mutate(self.mutation);
        machine
    }

    fn started(&mut self, kernel: &mut ObjectsKernel, start: Start) {
        kernel.alarm(Duration::from_millis(1), Alarm::Look(start.process));
    }

    fn transmit(&mut self, message: Message) -> Result<Transmitted<Message>, String> {
        let in_words = |error: FrameError| error.to_string();
        let frame = frame::encode(&message).map_err(in_words)?;
        let mut hash = RunningHash::default();
        hash.bytes(&frame);
        Ok(Transmitted {
            bytes: frame.len(),
            hash: hash.value(),
            protocol: protocol(&message),
            message: frame::decode(frame).map_err(in_words)?,
        })
    }

    fn event(&mut self, kernel: &mut ObjectsKernel, node: u32, event: Event) {
        match event {
            Event::Created { ticket, result } => {
                if let Some((_, Purpose::Create(object))) = self.tickets.remove(&ticket) {
                    self.created(kernel, object, result.ok());
                }
            }
            Event::Completed { ticket, completion } => self.completed(kernel, ticket, &completion),
            Event::Execute(execution) => self.execute(kernel, node, execution),
            Event::Lookup(object) => look_up(kernel, &mut self.directory, node, object),
            Event::Publish { slot, holders } => {
                publish(kernel, &mut self.directory, node, slot, holders);
            }
            Event::Reconfigured {
                object,
                configuration,
            } => {
                kernel.count("reconfigurations", 1);
                self.check_leases(kernel);
                self.coverage.reconfigured(kernel, object, &configuration);
                if let Some(tracked) = self.tracked(&object) {
                    let runs = |one: &ProcessId| kernel.runs(one);
                    tracked.sets.established(&configuration, runs);
                }
            }
            Event::TookOver { .. } => {
                kernel.count("takeovers", 1);
                self.check_leases(kernel);
            }
            Event::ReplayDiffered { .. } => kernel.count("replays that differed", 1),
            Event::Drained { left_behind } => {
                kernel.count("replicas left behind", u64::from(left_behind));
                kernel.stop(node);
            }
            Event::Lost { object, lost } => self.lost(kernel, &object, &lost),
            Event::Announce(_) | Event::Inspected { .. } | Event::Recovered { .. } => {}
        }
    }

    fn alarm(&mut self, kernel: &mut ObjectsKernel, alarm: Alarm) {
        match alarm {
            Alarm::Look(process) => {
                let Some(node) = kernel.node_of(&process.peer) else {
                    return;
                };
                if !kernel.runs(&process) {
                    return;
                }
                self.watch_weak(kernel, node);
                self.cover_leases(kernel, node);
                if !kernel.paused(node)
                    && let Some(view) = self.hints.look(kernel, node)
                {
                    kernel.command(node, Duration::ZERO, Command::View(view));
                }
                kernel.alarm(LOOK_PERIOD, alarm);
            }
            Alarm::Create(object) => self.create(kernel, object),
            Alarm::Work(place) => self.work(kernel, place),
            Alarm::Ambush => self.ambush(kernel),
            Alarm::CutOff => self.aim(kernel),
            Alarm::HalfMade(object) => self.give_half_up(kernel, object),
            Alarm::Vigil => self.keep_vigil(kernel),
            Alarm::Audit => self.audit(kernel),
            Alarm::Judge => self.judge(kernel),
        }
    }

    fn handled(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        self.handled += 1;
        if self.handled.is_multiple_of(CHECK_EVERY)
            && let Some(machine) = kernel.machine(node)
        {
            machine.check_invariants();
            if let Some(process) = kernel.process(node) {
                let caps = caps_hold::check(process, machine.tables());
                kernel.check(caps_hold::NAME, caps);
            }
            self.check_leases(kernel);
        }
        if self.handled.is_multiple_of(COMPARE_EVERY) {
            let copies = copies::equal_copies(kernel);
            kernel.check("equal_copies", copies);
            Self::check_writers(kernel);
        }
        for tracked in &mut self.objects {
            if let Some(object) = tracked.reference.as_ref().map(|one| one.id) {
                tracked.sets.watch(kernel, node, &object);
            }
        }
        self.watch_seals(kernel, node);
        self.watch_weak(kernel, node);
        self.check_chain(kernel, node);
        self.cover_wins(kernel, node);
        self.lose_newcomers(kernel, node);
        self.watch_half(kernel, node);
    }

    fn leave(&mut self, kernel: &mut ObjectsKernel, node: u32) {
        kernel.command(node, Duration::ZERO, Command::Drain);
    }

    fn ended(&mut self, kernel: &mut ObjectsKernel, process: ProcessId, _how: Ending) {
        self.hints.ended(process);
        self.cover_end(kernel, &process);
        self.end_transfers(&process);
        let now = kernel.now();
        for object in &mut self.objects {
            object.losses.ended(now, process);
            object.sets.ended(&process);
        }
        let created: Vec<(Ticket, usize)> = self
            .tickets
            .iter()
            .filter_map(|(ticket, (owner, purpose))| match purpose {
                Purpose::Create(object) if *owner == process => Some((*ticket, *object)),
                _ => None,
            })
            .collect();
        for (ticket, object) in created {
            self.tickets.remove(&ticket);
            kernel.alarm(Duration::from_secs(1), Alarm::Create(object));
        }
    }

    fn resumed(&mut self, kernel: &mut ObjectsKernel, node: u32, slept: Duration) {
        self.cover_thaw(kernel, node);
        wake(kernel, &mut self.dice, node, slept);
    }

    fn healed(&mut self, kernel: &mut ObjectsKernel) {
        self.healed_at = Some(kernel.now());
        self.hints.heal();
        kernel.alarm(AUDIT_AFTER, Alarm::Audit);
    }
}

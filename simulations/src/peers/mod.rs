//! Whole peers in the world: overlays that gossip, and shared objects that are placed, moved and
//! repaired by what those overlays really know, while peers come, go and die.

mod balance;
mod calls;
mod judge;
mod machine;
mod repairs;
mod surroundings;

use std::collections::BTreeMap;

use bytes::Bytes;
use objects_proto::config::ObjectsConfig;
use objects_proto::machine::{Command as ObjectsCommand, Ticket};
use objects_proto::object::{ObjectId, Slot};
use objects_proto::objects::Objects;
use overlay_proto::{Duration, Instant, ProcessId};

use self::balance::Balance;
pub use self::machine::{Command, Event, Message, Peer, Timer};
use self::repairs::Repairs;
use crate::directory::{Directory, DirectoryConditions};
use crate::environment::Wire;
use crate::faults::Fault;
use crate::gossip::Mesh;
use crate::kernel::Kernel;
use crate::load::Load;
use crate::register::journal::{KIND, LEASED};
use crate::register::tracked::Tracked;
use crate::register::workload::Place;
use crate::scenario::Scenario;
use crate::seed::{Dice, Seed};
use crate::surroundings::WithObjects;
use crate::world::World;

/// Replicas of each object.
const FACTOR: u8 = 3;
/// When objects begin to be made: the peers have found each other.
const CREATED_FROM: Duration = Duration::from_secs(20);
/// Within this time all of them are made.
const CREATED_WITHIN: Duration = Duration::from_secs(20);
/// When clients begin to call and to look objects up.
const CALLED_FROM: Duration = Duration::from_secs(45);

type PeersKernel = Kernel<Peer, Alarm>;

/// What the environment wakes itself for.
#[derive(Clone, Copy, Debug)]
pub enum Alarm {
    /// A process that knows nobody asks the registry.
    Discover(ProcessId),
    /// An object is to be created.
    Create(usize),
    /// A client may call.
    Work(usize),
    /// Somebody looks an object up.
    Lookup,
    /// The final reads begin.
    Audit,
    /// Everything is judged.
    Judge,
}

/// What a ticket was for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Create(usize),
    Call { place: usize, object: usize },
    Lookup(usize),
    Audit(usize),
}

/// The environment of whole peers.
pub struct Peers {
    load: Load,
    /// Of all overlays, which share its parts.
    overlay: overlay_proto::OverlayConfig,
    config: ObjectsConfig,
    mesh: Mesh,
    wire: Wire,
    directory: Directory<Slot, Bytes>,
    dice: Dice,
    objects: Vec<Tracked>,
    by_id: BTreeMap<ObjectId, usize>,
    places: Vec<Place>,
    tickets: BTreeMap<Ticket, (ProcessId, Purpose)>,
    names: u64,
    handled: u64,
    repairs: Repairs,
    balance: Balance,
    /// How long each takeover took, from the first doubt, milliseconds.
    failovers: Vec<f64>,
    /// How long each lookup took that found its object, milliseconds.
    lookups: Vec<f64>,
    heal_within: Duration,
    healed_at: Option<Instant>,
}

impl WithObjects for Peer {
    fn objects(&self) -> &Objects {
        Self::objects(self)
    }

    fn for_objects(command: ObjectsCommand) -> Command {
        Command::Objects(command)
    }
}

/// Runs a scenario of whole peers with this seed; `keep` events are kept in words.
#[must_use]
pub fn run(scenario: &Scenario, nodes: u32, seed: Seed, keep: usize) -> World<Peer, Peers> {
    let plan = scenario.fault_plan(seed, nodes);
    let environment = Peers::new(scenario, nodes, seed);
    let (objects, places) = (environment.objects.len(), environment.places.len());
    let mut world = World::new(nodes, plan.conditions, seed, keep, environment);
    let mut dice = seed.child("starts").dice();
    for node in 0..nodes {
        let after = dice.duration(Duration::ZERO, Duration::from_secs(3));
        world.kernel.fault(after, Fault::Start(node));
    }
    for object in 0..objects {
        let after = CREATED_FROM + dice.duration(Duration::ZERO, CREATED_WITHIN);
        world.kernel.alarm(after, Alarm::Create(object));
    }
    for place in 0..places {
        world.kernel.alarm(CALLED_FROM, Alarm::Work(place));
    }
    world.kernel.alarm(CALLED_FROM, Alarm::Lookup);
    world.schedule(&plan);
    let end = scenario.heal_at() + Duration::from_secs(scenario.heal_seconds) + judge::TAKES;
    // A violation stays in the kernel, where the caller finds it with the last events.
    let _violation = world.run_until(end);
    world
}

impl Peers {
    fn new(scenario: &Scenario, nodes: u32, seed: Seed) -> Self {
        let load = scenario.objects.unwrap_or_default();
        let handles = (0..load.count as usize).cycle();
        let handles = handles.take((load.count * load.handles) as usize);
        let kinds = [KIND, LEASED].into_iter().cycle();
        Self {
            overlay: overlay_proto::OverlayConfig::default(),
            load,
            config: ObjectsConfig::default(),
            mesh: Mesh::new(nodes, seed),
            wire: Wire::new(nodes),
            directory: Directory::new(DirectoryConditions::LAN, seed),
            dice: seed.child("peers").dice(),
            objects: kinds.take(load.count as usize).map(Tracked::new).collect(),
            by_id: BTreeMap::new(),
            places: handles
                .map(|object| Place {
                    object,
                    handle: None,
                    open: 0,
                })
                .collect(),
            tickets: BTreeMap::new(),
            names: 0,
            handled: 0,
            repairs: Repairs::default(),
            balance: Balance::default(),
            failovers: Vec::new(),
            lookups: Vec::new(),
            heal_within: Duration::from_secs(scenario.heal_seconds),
            healed_at: None,
        }
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn ticket(&mut self, id: u64, process: ProcessId, purpose: Purpose) -> Ticket {
        self.tickets.insert(Ticket(id), (process, purpose));
        Ticket(id)
    }

    /// Any process that runs and is not stopped.
    fn anybody(&mut self, kernel: &PeersKernel) -> Option<(u32, ProcessId)> {
        let nodes = kernel.node_count();
        let tries = (0..4 * nodes).map(|_| self.dice.index(nodes as usize) as u32);
        let mut running = tries.filter(|node| !kernel.paused(*node));
        running.find_map(|node| Some((node, kernel.process(node)?)))
    }

    fn tracked(&mut self, object: &ObjectId) -> Option<&mut Tracked> {
        let index = self.by_id.get(object)?;
        self.objects.get_mut(*index)
    }
}

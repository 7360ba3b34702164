//! Names in the world: several processes make one name at the same moment, while hosts crash,
//! freeze and are cut off. They run production's naming, [`objects_proto::naming`].

mod audit;
mod contests;
mod jobs;
mod kinds;
mod process;
mod surroundings;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use objects_proto::kinds_table::KindTable;
use objects_proto::object::{ObjectId, Slot};
use objects_proto::objects::Objects;
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, Instant, ProcessId};

use self::contests::{Contest, Made};
use self::jobs::Life;
use crate::directory::{Directory, DirectoryConditions};
use crate::faults::{Fault, FaultPlan};
use crate::invariants::names_unique::NamesUnique;
use crate::kernel::Kernel;
use crate::register::hints::Hints;
use crate::scenario::Scenario;
use crate::seed::{Dice, Seed};
use crate::sets::ReplicaSets;
use crate::world::World;

/// The directory of names.
const ROOT: ObjectId = ObjectId(0x1d);
/// Replicas of it, and of what gets a name.
const FACTOR: u8 = 3;
/// Nodes that only call.
const CLIENTS: u32 = 2;
/// Names of one run. Half of them are made before the first fault.
const NAMES: usize = 4;
/// When the directory of names is made.
const FOUNDED_AT: Duration = Duration::from_secs(1);
/// When the first name may be made: the directory of names has grown by then.
const NAMES_FROM: Duration = Duration::from_secs(4);
/// A contest that a fault is to strike begins at most this long before it.
const FAULT_AHEAD: Duration = Duration::from_millis(300);
/// How often a node looks at the membership.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// The futures of a paused process are polled again after this time.
const PAUSED_POLL: Duration = Duration::from_millis(100);
/// After the heal, what has no name must be gone at this time: the longest pause between two
/// attempts to delete it is a minute.
const AUDIT_AFTER: Duration = Duration::from_secs(80);

type NamingKernel = Kernel<Objects, Alarm>;

/// A rule of naming that is broken on purpose, to show that the sweep catches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Binding a name does not look whether another object has it.
    LastWriterWins,
    /// Who loses the race keeps its object.
    LosersKeep,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::LastWriterWins, Self::LosersKeep];
}

/// What the environment wakes itself for.
#[derive(Clone, Copy, Debug)]
pub enum Alarm {
    /// A process looks at the membership.
    Look(ProcessId),
    /// A process hears where the directory of names is.
    Hear(ProcessId),
    /// The futures of a process may go on.
    Poll(ProcessId),
    /// The directory of names is made.
    Found,
    /// A contest begins.
    Contest(usize),
    /// A process begins to make the name of a contest.
    Make {
        /// Which contest.
        contest: usize,
        /// Who.
        process: ProcessId,
    },
    /// The final lookups begin.
    Audit,
    /// Everything is judged.
    Judge,
}

/// The environment of object machines that make names.
pub struct Naming {
    hosts: u32,
    mutant: Option<Mutant>,
    kinds: Arc<KindTable>,
    dice: Dice,
    hints: Hints,
    directory: Directory<Slot, Bytes>,
    lives: BTreeMap<ProcessId, Life>,
    contests: Vec<Contest>,
    made: BTreeMap<ObjectId, Made>,
    root: Option<RawRef>,
    root_sets: ReplicaSets,
    unique: NamesUnique,
}

/// Runs a scenario of names with this seed, perhaps with a rule broken on purpose; `keep`
/// events are kept in words.
#[must_use]
pub fn run(
    scenario: &Scenario,
    nodes: u32,
    seed: Seed,
    keep: usize,
    mutant: Option<Mutant>,
) -> World<Objects, Naming> {
    let plan = scenario.fault_plan(seed, nodes);
    let environment = Naming::new(nodes, seed, mutant);
    let mut world = World::new(nodes, plan.conditions, seed, keep, environment);
    for node in 0..nodes {
        world.fault(&Fault::Start(node));
    }
    world.kernel.alarm(FOUNDED_AT, Alarm::Found);
    for (number, at) in moments(scenario, &plan, seed).into_iter().enumerate() {
        world.kernel.alarm(at, Alarm::Contest(number));
    }
    world.schedule(&plan);
    // A violation stays in the kernel, where the caller finds it with the last events.
    let _violation = world
        .run_until(scenario.heal_at() + AUDIT_AFTER + Duration::from_secs(scenario.heal_seconds));
    world
}

/// When each contest begins, from the start of the world: half of them before the first fault,
/// the others while faults happen, mostly right before one.
fn moments(scenario: &Scenario, plan: &FaultPlan, seed: Seed) -> [Duration; NAMES] {
    let mut dice = seed.child("moments").dice();
    let calm = Duration::from_secs(scenario.calm_seconds).max(NAMES_FROM);
    let heal = scenario.heal_at().since(Instant::ZERO).max(calm);
    std::array::from_fn(|number| {
        let fault = dice.pick(&plan.faults).map(|(at, _)| *at);
        let before = dice.duration(Duration::ZERO, FAULT_AHEAD);
        let fault = fault.map(|at| at.since(Instant::ZERO).saturating_sub(before));
        match fault {
            _ if number < NAMES / 2 => dice.duration(NAMES_FROM, calm),
            Some(fault) if dice.chance(0.7) => fault.max(NAMES_FROM),
            _ => dice.duration(calm, heal),
        }
    })
}

impl Naming {
    fn new(nodes: u32, seed: Seed, mutant: Option<Mutant>) -> Self {
        let mut dice = seed.child("names").dice();
        let hosts = nodes.saturating_sub(CLIENTS).max(1);
        let conditions = DirectoryConditions::any(&mut dice);
        let contests = (0..NAMES).map(|_| Contest {
            strictly: dice.chance(0.25),
            creators: dice.between(2, 4) as u32,
            spread: match dice.below(4) {
                0 => Duration::from_millis(50),
                1 => Duration::from_millis(5),
                _ => Duration::ZERO,
            },
            leads_to: None,
        });
        let contests = contests.collect();
        Self {
            hosts,
            mutant,
            kinds: kinds::hosted(mutant == Some(Mutant::LastWriterWins)),
            hints: Hints::new(hosts, seed),
            directory: Directory::new(conditions, seed),
            lives: BTreeMap::new(),
            contests,
            made: BTreeMap::new(),
            root: None,
            root_sets: ReplicaSets::default(),
            unique: NamesUnique::default(),
            dice,
        }
    }
}

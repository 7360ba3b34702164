//! The directory's cores in the world: objects move from crash to crash, and lookups find where
//! they are, never on a record's word alone.

pub mod machine;

use std::collections::BTreeMap;

use overlay_proto::config::DirectoryConfig;
use overlay_proto::directory::ObjectKey;
use overlay_proto::{Duration, Instant, ProcessId};

use self::machine::{Command, Event, Finder, Message};
use crate::environment::{Ending, Environment, Start, Transmitted, over_the_wire};
use crate::faults::Fault;
use crate::kernel::Kernel;
use crate::scenario::Scenario;
use crate::seed::{Dice, Seed};
use crate::world::World;

/// Life of a record in these worlds: short, so that a run sees many of them expire.
const TTL: Duration = Duration::from_secs(30);
/// How often a node's table of the hash table follows the truth.
const TABLE_PERIOD: Duration = Duration::from_secs(2);
/// Mean time between lookups.
const FIND_PERIOD: Duration = Duration::from_millis(400);
/// Mean time between moves of an object without any fault.
const MOVE_PERIOD: Duration = Duration::from_secs(15);
/// A lookup ends within this time if its node is not stopped: all asked nodes and as many
/// candidates as signers fit may time out, one after the other.
const FIND_MAX: Duration = Duration::from_secs(60);
/// After the heal and one life of a record, every lookup finds its object.
const FOUND_AFTER: Duration = Duration::from_secs(40);
/// A record's expiry and the tables' lag may still hide an object that moved this recently.
const SETTLED: Duration = Duration::from_secs(15);

type FinderKernel = Kernel<Finder, Alarm>;

/// What the environment wakes itself for.
#[derive(Clone, Copy, Debug)]
pub enum Alarm {
    /// A process's table follows the truth.
    Table(ProcessId),
    /// Somebody looks something up.
    Find,
    /// An object moves, if it still has this epoch.
    Move(usize, u64),
}

#[derive(Debug)]
struct Object {
    key: ObjectKey,
    epoch: u64,
    holder: Option<ProcessId>,
    since: Instant,
}

/// The environment of directory nodes.
pub struct Finding {
    dice: Dice,
    objects: Vec<Object>,
    searches: BTreeMap<(ProcessId, ObjectKey), Instant>,
    calm: bool,
    healed_at: Option<Instant>,
}

/// Runs a directory scenario with this seed; `keep` events are kept in words.
#[must_use]
pub fn run(scenario: &Scenario, nodes: u32, seed: Seed, keep: usize) -> World<Finder, Finding> {
    let plan = scenario.fault_plan(seed, nodes);
    let mut world = World::new(nodes, plan.conditions, seed, keep, Finding::new(seed));
    for node in 0..nodes {
        world.fault(&Fault::Start(node));
    }
    for object in 0..world.environment.objects.len() {
        world
            .kernel
            .alarm(Duration::from_secs(1), Alarm::Move(object, 0));
    }
    world.kernel.alarm(Duration::from_secs(3), Alarm::Find);
    world.schedule(&plan);
    let end = scenario.heal_at() + Duration::from_secs(scenario.heal_seconds) + FIND_MAX;
    // A violation stays in the kernel, where the caller finds it with the last events.
    let _violation = world.run_until(end);
    world
}

impl Finding {
    fn new(seed: Seed) -> Self {
        let mut dice = seed.child("finding").dice();
        let objects = (0..dice.between(1, 12)).map(|_| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&dice.word().to_be_bytes());
            key[8..].copy_from_slice(&dice.word().to_be_bytes());
            Object {
                key: ObjectKey(key),
                epoch: 0,
                holder: None,
                since: Instant::ZERO,
            }
        });
        Self {
            objects: objects.collect(),
            dice,
            searches: BTreeMap::new(),
            calm: false,
            healed_at: None,
        }
    }

    /// The object moves to another running node, as the object layer would move it.
    fn relocate(&mut self, kernel: &mut FinderKernel, index: usize) {
        let running: Vec<u32> = kernel
            .running()
            .filter(|node| !kernel.paused(*node))
            .collect();
        let Some(node) = self.dice.pick(&running).copied() else {
            let epoch = self.objects[index].epoch;
            kernel.alarm(Duration::from_secs(1), Alarm::Move(index, epoch));
            return;
        };
        let object = &mut self.objects[index];
        let old = object.holder.take().filter(|process| kernel.runs(process));
        if let Some(old) = old.and_then(|process| kernel.node_of(&process.peer)) {
            kernel.command(old, Duration::ZERO, Command::Drop(object.key));
        }
        object.epoch += 1;
        object.holder = kernel.process(node);
        object.since = kernel.now();
        let hold = Command::Hold(object.key, object.epoch);
        kernel.command(node, Duration::ZERO, hold);
        if !self.calm {
            let after = self.dice.exponential(MOVE_PERIOD);
            kernel.alarm(after, Alarm::Move(index, object.epoch));
        }
        kernel.count("moves", 1);
    }

    fn find(&mut self, kernel: &mut FinderKernel) {
        let after = self.dice.exponential(FIND_PERIOD);
        kernel.alarm(after, Alarm::Find);
        let running: Vec<u32> = kernel
            .running()
            .filter(|node| !kernel.paused(*node))
            .collect();
        let chosen = self.dice.pick(&running).copied();
        let index = self.dice.index(self.objects.len());
        let key = self.objects[index].key;
        if let Some((node, process)) = chosen.and_then(|n| Some((n, kernel.process(n)?)))
            && !self.searches.contains_key(&(process, key))
        {
            self.searches.insert((process, key), kernel.now());
            kernel.command(node, Duration::ZERO, Command::Find(key));
        }
        self.check_ends(kernel);
    }

    fn check_ends(&self, kernel: &mut FinderKernel) {
        let now = kernel.now();
        let from = self.healed_at.unwrap_or(now);
        let late = self.searches.iter().find(|((process, _), at)| {
            kernel.runs(process) && now.since((**at).max(from)) > FIND_MAX
        });
        if let Some(((process, key), at)) = late {
            let detail = format!("{process} looks for {key:?} since {at:?}");
            kernel.violate("every_lookup_ends", detail);
        }
    }

    fn ended_search(&mut self, kernel: &FinderKernel, node: u32, key: ObjectKey) -> bool {
        let Some(process) = kernel.process(node) else {
            return false;
        };
        let Some(began) = self.searches.remove(&(process, key)) else {
            return false;
        };
        let object = self.objects.iter().find(|object| object.key == key);
        let settled = object.is_some_and(|o| o.holder.is_some() && began.since(o.since) > SETTLED);
        let calm = self
            .healed_at
            .is_some_and(|at| began.since(at) > FOUND_AFTER);
        settled && calm
    }
}

impl Environment<Finder> for Finding {
    type Alarm = Alarm;

    fn start(&mut self, kernel: &mut FinderKernel, start: Start) -> Finder {
        let config = DirectoryConfig {
            ttl: TTL,
            ..DirectoryConfig::default()
        };
        Finder::new(config, start.process, kernel.now().as_micros())
    }

    fn started(&mut self, kernel: &mut FinderKernel, start: Start) {
        kernel.alarm(Duration::ZERO, Alarm::Table(start.process));
    }

    fn transmit(&mut self, message: Message) -> Result<Transmitted<Message>, String> {
        over_the_wire(&message)
    }

    fn event(&mut self, kernel: &mut FinderKernel, node: u32, event: Event) {
        match event {
            Event::Found(key, process) => {
                kernel.count("lookups that found", 1);
                let must = self.ended_search(kernel, node, key);
                let holder = self.objects.iter().find(|object| object.key == key);
                let right = holder.is_some_and(|object| object.holder == Some(process));
                if must && !right {
                    kernel.violate("lookup_finds_the_holder", format!("{process} for {key:?}"));
                }
                let ever = kernel.starts(kernel.node_of(&process.peer).unwrap_or_default());
                if !ever.contains(&process) {
                    kernel.violate("lookup_finds_the_holder", format!("{process} never was"));
                }
            }
            Event::NotFound(key) => {
                kernel.count("lookups that found nobody", 1);
                if self.ended_search(kernel, node, key) {
                    let detail = format!("node {node} found nobody for {key:?}");
                    kernel.violate("lookup_finds_the_holder", detail);
                }
            }
        }
    }

    fn alarm(&mut self, kernel: &mut FinderKernel, alarm: Alarm) {
        match alarm {
            Alarm::Table(process) => {
                let Some(node) = kernel.node_of(&process.peer) else {
                    return;
                };
                if !kernel.runs(&process) {
                    return;
                }
                let table: Vec<ProcessId> = kernel
                    .running()
                    .filter(|other| *other != node && kernel.reachable(node, *other))
                    .filter_map(|other| kernel.process(other))
                    .collect();
                kernel.command(node, Duration::ZERO, Command::Table(table));
                kernel.alarm(TABLE_PERIOD, alarm);
            }
            Alarm::Find => self.find(kernel),
            Alarm::Move(index, epoch) => {
                if self.objects[index].epoch == epoch {
                    self.relocate(kernel, index);
                }
            }
        }
    }

    fn handled(&mut self, kernel: &mut FinderKernel, node: u32) {
        let stored = kernel.machine(node).map_or(0, Finder::stored);
        let most = self.objects.len() * overlay_proto::directory::SIGNERS_MAX;
        if stored > most {
            kernel.violate(
                "store_is_bounded",
                format!("{stored} records, {most} allowed"),
            );
        }
    }

    fn ended(&mut self, kernel: &mut FinderKernel, process: ProcessId, _how: Ending) {
        self.searches
            .retain(|(searcher, _), _| *searcher != process);
        for index in 0..self.objects.len() {
            if self.objects[index].holder == Some(process) {
                self.objects[index].holder = None;
                let after = Duration::from_millis(self.dice.between(500, 3_000));
                kernel.alarm(after, Alarm::Move(index, self.objects[index].epoch));
            }
        }
    }

    fn healed(&mut self, kernel: &mut FinderKernel) {
        self.calm = true;
        self.healed_at = Some(kernel.now());
    }
}

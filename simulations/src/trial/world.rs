//! What surrounds the machines of a trial: the directory, views, clients, and answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use objects_proto::config::ObjectsConfig;
use objects_proto::kinds_table::KindTable;
use objects_proto::machine::{Command, Event, Ticket};
use objects_proto::message::Message;
use objects_proto::object::{ObjectId, Slot};
use objects_proto::objects::Objects;
use objects_proto::servant::{ServantLimits, Servants};
use overlay_proto::{Duration, Instant, ProcessId};

use super::client::{Books, Client, Made};
use super::life::{Done, Job, Life, Stage};
use super::program::Program;
use crate::caller::{Answer, SimCaller};
use crate::directory::{Directory, DirectoryConditions};
use crate::environment::{Ending, Environment, Start, Transmitted, over_the_wire};
use crate::kernel::Kernel;
use crate::register::hints::{Hints, hosting};
use crate::seed::{Dice, Seed};
use crate::sets::ReplicaSets;
use crate::surroundings::{look_up, publish, wake};

/// How often a node looks at the membership.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// The futures of a paused process are polled again after this time.
const PAUSED_POLL: Duration = Duration::from_millis(100);
/// Pause before something that is not possible yet is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Mean pause of a client between two rounds.
const PACE: Duration = Duration::from_millis(300);
/// How often a client goes to another process.
const MOVES: f64 = 0.05;
/// After the heal, clients go on for this long.
const WORK_AFTER: Duration = Duration::from_secs(20);
/// After the heal, the invariants are checked at this time: what calls have recorded by
/// `after_commit` has arrived by then.
pub(super) const AUDIT_AFTER: Duration = Duration::from_secs(60);

pub(super) type TrialKernel = Kernel<Objects, Alarm>;

/// What the world of a trial wakes itself for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alarm {
    /// A process looks at the membership.
    Look(ProcessId),
    /// The futures of a process may go on.
    Poll(ProcessId),
    /// The setup begins.
    Setup,
    /// A client begins a round.
    Round(usize),
    /// The invariants are checked.
    Audit,
    /// Everything is judged.
    Judge,
}

/// An object that the world watches.
pub(super) struct Watched {
    pub(super) made: Made,
    pub(super) sets: ReplicaSets,
}

impl Watched {
    /// Its kind and its id, for people.
    pub(super) fn name(&self) -> String {
        let reference = &self.made.reference;
        format!("{} {}", reference.kind, reference.id)
    }
}

/// The environment of object machines that run a user's kinds.
pub(super) struct TrialWorld {
    pub(super) program: Arc<Program>,
    pub(super) books: Books,
    pub(super) objects: BTreeMap<ObjectId, Watched>,
    pub(super) lives: BTreeMap<ProcessId, Life>,
    pub(super) checked: BTreeMap<usize, Result<(), String>>,
    pub(super) stage: Option<Stage>,
    hosts: u32,
    hints: Hints,
    directory: Directory<Slot, Bytes>,
    dice: Dice,
    places: Vec<Option<ProcessId>>,
    healed_at: Option<Instant>,
}

impl TrialWorld {
    pub(super) fn new(program: Arc<Program>, hosts: u32, seed: Seed) -> Self {
        let mut dice = seed.child("trial").dice();
        let conditions = DirectoryConditions::any(&mut dice);
        let places = vec![None; program.clients.len()];
        Self {
            program,
            books: Books::default(),
            objects: BTreeMap::new(),
            lives: BTreeMap::new(),
            checked: BTreeMap::new(),
            stage: None,
            hosts,
            hints: Hints::new(hosts, seed),
            directory: Directory::new(conditions, seed),
            dice,
            places,
            healed_at: None,
        }
    }

    /// A process that runs and is not stopped.
    fn somebody(&mut self, kernel: &TrialKernel) -> Option<ProcessId> {
        let running = kernel.running().filter(|node| !kernel.paused(*node));
        let running: Vec<u32> = running.collect();
        kernel.process(*self.dice.pick(&running)?)
    }

    fn set_up(&mut self, kernel: &mut TrialKernel) {
        let process = self.somebody(kernel);
        let Some(life) = process.and_then(|process| self.lives.get_mut(&process)) else {
            kernel.alarm(RETRY, Alarm::Setup);
            return;
        };
        let setup = (self.program.setup)(life.client.clone());
        life.begin(Job::Setup, setup);
        process.into_iter().for_each(|one| self.poll(kernel, one));
    }

    fn round(&mut self, kernel: &mut TrialKernel, number: usize) {
        let over = self
            .healed_at
            .is_some_and(|at| kernel.now().since(at) > WORK_AFTER);
        if over {
            return;
        }
        let Some(stage) = self.stage.clone() else {
            kernel.alarm(RETRY, Alarm::Round(number));
            return;
        };
        let stays = !self.dice.chance(MOVES);
        let here = self.places[number].filter(|process| {
            let node = kernel.node_of(&process.peer);
            stays && kernel.runs(process) && node.is_some_and(|node| !kernel.paused(node))
        });
        let place = here.or_else(|| self.somebody(kernel));
        self.places[number] = place;
        let Some(life) = place.and_then(|process| self.lives.get_mut(&process)) else {
            kernel.alarm(RETRY, Alarm::Round(number));
            return;
        };
        let round = (self.program.clients[number])(life.client.clone(), stage);
        life.begin(Job::Round(number), round);
        place.into_iter().for_each(|one| self.poll(kernel, one));
    }

    /// Lets the futures of a process go on, and carries their commands to its machine.
    pub(super) fn poll(&mut self, kernel: &mut TrialKernel, process: ProcessId) {
        let node = kernel.node_of(&process.peer);
        let Some(node) = node.filter(|_| kernel.runs(&process)) else {
            return;
        };
        if kernel.paused(node) {
            kernel.alarm(PAUSED_POLL, Alarm::Poll(process));
            return;
        }
        let Some(life) = self.lives.get_mut(&process) else {
            return;
        };
        let sim = life.client.sim().clone();
        sim.set_now(kernel.now());
        let (ended, executed) = life.poll();
        for executed in executed {
            kernel.command(node, Duration::ZERO, Command::Executed(executed));
        }
        for command in sim.take_commands() {
            kernel.command(node, Duration::ZERO, command);
        }
        for pause in sim.take_sleeps() {
            kernel.alarm(pause, Alarm::Poll(process));
        }
        self.watch_made(kernel);
        for (job, done) in ended {
            self.done(kernel, job, done);
        }
    }

    fn watch_made(&mut self, kernel: &TrialKernel) {
        for made in self.books.take_made() {
            let mut sets = ReplicaSets::default();
            if let Some(configuration) = &made.reference.configuration {
                sets.established(configuration, |one| kernel.runs(one));
            }
            let object = made.reference.id;
            self.objects.insert(object, Watched { made, sets });
        }
    }

    fn done(&mut self, kernel: &mut TrialKernel, job: Job, done: Done) {
        match (job, done) {
            (_, Done::Ready(Ok(stage))) => self.stage = Some(stage),
            (_, Done::Ready(Err(problem))) => kernel.violate("setup", problem),
            (Job::Round(number), _) => {
                kernel.count("rounds", 1);
                let pause = self.dice.exponential(PACE);
                kernel.alarm(pause, Alarm::Round(number));
            }
            (Job::Invariant(number), Done::Checked(result)) => {
                self.checked.insert(number, result);
            }
            (Job::Setup | Job::Invariant(_), _) => {}
        }
    }

    fn answered(&mut self, kernel: &mut TrialKernel, node: u32, ticket: Ticket, answer: Answer) {
        let process = kernel.process(node);
        if let Some(life) = process.and_then(|process| self.lives.get(&process)) {
            life.client.sim().answer(ticket, answer);
        }
        process.into_iter().for_each(|one| self.poll(kernel, one));
    }

    fn look(&mut self, kernel: &mut TrialKernel, process: ProcessId) {
        let node = kernel.node_of(&process.peer);
        let Some(node) = node.filter(|_| kernel.runs(&process)) else {
            return;
        };
        if !kernel.paused(node)
            && let Some(view) = self.hints.look(kernel, node)
        {
            let view = hosting(&view, &self.program.kinds.hosted());
            kernel.command(node, Duration::ZERO, Command::View(view));
        }
        kernel.alarm(LOOK_PERIOD, Alarm::Look(process));
    }
}

impl Environment<Objects> for TrialWorld {
    type Alarm = Alarm;

    fn start(&mut self, _kernel: &mut TrialKernel, start: Start) -> Objects {
        let kinds = if start.node < self.hosts {
            self.program.kinds.clone()
        } else {
            Arc::new(KindTable::default())
        };
        let sim = SimCaller::new(start.seed);
        let client = Client::new(start.process, sim, self.books.clone(), self.program.factor);
        let caller = client.caller().clone();
        let servants = Servants::new(kinds.clone(), caller, ServantLimits::default());
        let life = Life::new(client, servants);
        self.lives.insert(start.process, life);
        let config = ObjectsConfig::default();
        let mut machine = Objects::new(config, start.process, kinds, start.seed.value());
        machine.mutate(self.program.mutation);
        machine
    }

    fn started(&mut self, kernel: &mut TrialKernel, start: Start) {
        kernel.alarm(Duration::from_millis(1), Alarm::Look(start.process));
    }

    fn transmit(&mut self, message: Message) -> Result<Transmitted<Message>, String> {
        over_the_wire(&message)
    }

    fn event(&mut self, kernel: &mut TrialKernel, node: u32, event: Event) {
        match event {
            Event::Created { ticket, result } => {
                self.answered(kernel, node, ticket, Answer::Created(result));
            }
            Event::Completed { ticket, completion } => {
                self.answered(kernel, node, ticket, Answer::Completed(completion));
            }
            Event::Execute(execution) => {
                let took = Duration::from_micros(self.dice.between(20, 500));
                let process = kernel.process(node);
                let life = process.and_then(|one| self.lives.get_mut(&one));
                if let Some(executed) = life.and_then(|life| {
                    life.client.sim().set_now(kernel.now());
                    life.execute(execution)
                }) {
                    kernel.command(node, took, Command::Executed(executed));
                }
                process.into_iter().for_each(|one| self.poll(kernel, one));
            }
            Event::Lookup(object) => look_up(kernel, &mut self.directory, node, object),
            Event::Publish { slot, holders } => {
                publish(kernel, &mut self.directory, node, slot, holders);
            }
            Event::Reconfigured {
                object,
                configuration,
            } => {
                kernel.count("reconfigurations", 1);
                if let Some(watched) = self.objects.get_mut(&object) {
                    let runs = |one: &ProcessId| kernel.runs(one);
                    watched.sets.established(&configuration, runs);
                }
            }
            Event::TookOver { .. } => kernel.count("takeovers", 1),
            Event::ReplayDiffered { kind, method, .. } => {
                let detail = format!("{kind}.{method} is marked deterministic and is not");
                kernel.violate("deterministic", detail);
            }
            Event::Drained { .. } => kernel.stop(node),
            Event::Announce(_)
            | Event::Inspected { .. }
            | Event::Lost { .. }
            | Event::Recovered { .. } => {}
        }
    }

    fn alarm(&mut self, kernel: &mut TrialKernel, alarm: Alarm) {
        match alarm {
            Alarm::Look(process) => self.look(kernel, process),
            Alarm::Poll(process) => self.poll(kernel, process),
            Alarm::Setup => self.set_up(kernel),
            Alarm::Round(number) => self.round(kernel, number),
            Alarm::Audit => self.audit(kernel),
            Alarm::Judge => self.judge(kernel),
        }
    }

    fn handled(&mut self, kernel: &mut TrialKernel, node: u32) {
        for (object, watched) in &mut self.objects {
            watched.sets.watch(kernel, node, object);
        }
    }

    fn leave(&mut self, kernel: &mut TrialKernel, node: u32) {
        kernel.command(node, Duration::ZERO, Command::Drain);
    }

    fn ended(&mut self, kernel: &mut TrialKernel, process: ProcessId, _how: Ending) {
        self.hints.ended(process);
        for watched in self.objects.values_mut() {
            watched.sets.ended(&process);
        }
        let Some(life) = self.lives.remove(&process) else {
            return;
        };
        for job in life.jobs() {
            match job {
                Job::Setup => kernel.alarm(RETRY, Alarm::Setup),
                Job::Round(number) => kernel.alarm(RETRY, Alarm::Round(number)),
                Job::Invariant(_) => {}
            }
        }
    }

    fn resumed(&mut self, kernel: &mut TrialKernel, node: u32, slept: Duration) {
        wake(kernel, &mut self.dice, node, slept);
    }

    fn healed(&mut self, kernel: &mut TrialKernel) {
        self.healed_at = Some(kernel.now());
        self.hints.heal();
        kernel.alarm(AUDIT_AFTER, Alarm::Audit);
    }
}

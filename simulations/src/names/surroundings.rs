//! What surrounds the machines: the directory, views, executors, and answers on their way.

use std::sync::Arc;

use objects_proto::config::ObjectsConfig;
use objects_proto::guard::Unguarded;
use objects_proto::kinds_table::KindTable;
use objects_proto::machine::{Command, Event, Ticket};
use objects_proto::message::Message;
use objects_proto::naming::{Names, NamingNode};
use objects_proto::object::{Configuration, ObjectId};
use objects_proto::objects::Objects;
use objects_proto::reference::RawRef;
use objects_proto::servant::{ServantLimits, Servants};
use objects_proto::shared::SharedObject;
use overlay_proto::{Duration, ProcessId};

use super::jobs::{Job, Life};
use super::process::SimNode;
use super::{AUDIT_AFTER, Alarm, LOOK_PERIOD, Naming, NamingKernel, ROOT};
use crate::caller::{Answer, SimCaller};
use crate::environment::{Ending, Environment, Start, Transmitted, over_the_wire};
use crate::invariants::no_orphans::Excuse;
use crate::register::hints::hosting;
use crate::surroundings::{look_up, publish, wake};

/// How long it takes at most until a process hears that the directory of names has moved.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

impl Naming {
    /// The directory of names has a new replica set; the news spread.
    pub(super) fn moved(&mut self, kernel: &mut NamingKernel, root: &RawRef) {
        let Some(configuration) = &root.configuration else {
            return;
        };
        let runs = |one: &ProcessId| kernel.runs(one);
        self.root_sets.established(configuration, runs);
        self.root = Some(root.clone());
        let processes: Vec<ProcessId> = self.lives.keys().copied().collect();
        for process in processes {
            let after = self.dice.duration(Duration::ZERO, HEARD_WITHIN);
            kernel.alarm(after, Alarm::Hear(process));
        }
    }

    fn hear(&mut self, kernel: &mut NamingKernel, process: ProcessId) {
        if let (Some(life), Some(root)) = (self.lives.get(&process), &self.root) {
            life.node.hear(root.clone());
            self.poll(kernel, process);
        }
    }

    /// The machine of a node answered.
    fn answered(&mut self, kernel: &mut NamingKernel, node: u32, ticket: Ticket, answer: Answer) {
        let Some(process) = kernel.process(node) else {
            return;
        };
        let Some(life) = self.lives.get(&process) else {
            return;
        };
        life.node.caller.answer(ticket, answer);
        self.poll(kernel, process);
    }

    fn reconfigured(
        &mut self,
        kernel: &mut NamingKernel,
        object: ObjectId,
        configuration: Configuration,
    ) {
        kernel.count("reconfigurations", 1);
        if object == ROOT {
            let root = RawRef {
                configuration: Some(Arc::new(configuration)),
                ..RawRef::bare(ROOT, Names::KIND)
            };
            self.moved(kernel, &root);
        } else if let Some(made) = self.made.get_mut(&object) {
            let runs = |one: &ProcessId| kernel.runs(one);
            made.sets.established(&configuration, runs);
        }
    }

    fn look(&mut self, kernel: &mut NamingKernel, process: ProcessId) {
        let Some(node) = kernel
            .node_of(&process.peer)
            .filter(|_| kernel.runs(&process))
        else {
            return;
        };
        if !kernel.paused(node)
            && let Some(view) = self.hints.look(kernel, node)
        {
            let view = hosting(&view, &self.kinds.hosted());
            kernel.command(node, Duration::ZERO, Command::View(view));
        }
        kernel.alarm(LOOK_PERIOD, Alarm::Look(process));
    }
}

impl Environment<Objects> for Naming {
    type Alarm = Alarm;

    fn start(&mut self, _kernel: &mut NamingKernel, start: Start) -> Objects {
        let kinds = if start.node < self.hosts {
            self.kinds.clone()
        } else {
            Arc::new(KindTable::default())
        };
        let node = SimNode::new(SimCaller::new(start.seed), self.mutant);
        let servants = Servants::new(
            kinds.clone(),
            node.caller().clone(),
            ServantLimits::default(),
        );
        let life = Life {
            node,
            servants,
            tasks: Vec::new(),
        };
        self.lives.insert(start.process, life);
        let config = ObjectsConfig::default();
        Objects::new(config, start.process, kinds, start.seed.value())
    }

    fn started(&mut self, kernel: &mut NamingKernel, start: Start) {
        kernel.alarm(Duration::from_millis(1), Alarm::Look(start.process));
        let after = self.dice.duration(Duration::ZERO, HEARD_WITHIN);
        kernel.alarm(after, Alarm::Hear(start.process));
    }

    fn transmit(&mut self, message: Message) -> Result<Transmitted<Message>, String> {
        over_the_wire(&message)
    }

    fn event(&mut self, kernel: &mut NamingKernel, node: u32, event: Event) {
        match event {
            Event::Created { ticket, result } => {
                self.answered(kernel, node, ticket, Answer::Created(result));
            }
            Event::Completed { ticket, completion } => {
                self.answered(kernel, node, ticket, Answer::Completed(completion));
            }
            Event::Inspected { ticket, result } => {
                self.answered(kernel, node, ticket, Answer::Inspected(result));
            }
            Event::Execute(execution) => {
                let took = Duration::from_micros(self.dice.between(20, 500));
                let process = kernel.process(node);
                if let Some(life) = process.and_then(|one| self.lives.get_mut(&one)) {
                    let executed = life.servants.run_sync(execution, &Unguarded);
                    kernel.command(node, took, Command::Executed(executed));
                }
            }
            Event::Lookup(object) => look_up(kernel, &mut self.directory, node, object),
            Event::Publish { slot, holders } => {
                publish(kernel, &mut self.directory, node, slot, holders);
            }
            Event::Reconfigured {
                object,
                configuration,
            } => self.reconfigured(kernel, object, configuration),
            Event::TookOver { .. } => kernel.count("takeovers", 1),
            Event::Drained { .. } => kernel.stop(node),
            Event::Announce(_)
            | Event::Lost { .. }
            | Event::Recovered { .. }
            | Event::ReplayDiffered { .. } => {}
        }
    }

    fn alarm(&mut self, kernel: &mut NamingKernel, alarm: Alarm) {
        match alarm {
            Alarm::Look(process) => self.look(kernel, process),
            Alarm::Hear(process) => self.hear(kernel, process),
            Alarm::Poll(process) => self.poll(kernel, process),
            Alarm::Found => self.found(kernel),
            Alarm::Contest(number) => self.contest(kernel, number),
            Alarm::Make { contest, process } => self.make(kernel, contest, process),
            Alarm::Audit => self.audit(kernel),
            Alarm::Judge => self.judge(kernel),
        }
    }

    fn handled(&mut self, kernel: &mut NamingKernel, node: u32) {
        self.root_sets.watch(kernel, node, &ROOT);
        for (object, made) in &mut self.made {
            made.sets.watch(kernel, node, object);
        }
    }

    fn leave(&mut self, kernel: &mut NamingKernel, node: u32) {
        kernel.command(node, Duration::ZERO, Command::Drain);
    }

    fn ended(&mut self, kernel: &mut NamingKernel, process: ProcessId, _how: Ending) {
        self.hints.ended(process);
        self.root_sets.ended(&process);
        for made in self.made.values_mut() {
            made.sets.ended(&process);
        }
        let tasks = self.lives.remove(&process).map(|life| life.tasks);
        for task in tasks.into_iter().flatten() {
            let left = match task.job {
                Job::Make(_) => task.node.made().map(|made| made.id),
                Job::Discard(object) => Some(object),
                Job::Found | Job::Look(_) | Job::Inspect(_) => None,
            };
            if matches!(task.job, Job::Make(_)) {
                kernel.count("creators that ended", 1);
            }
            if let Some(made) = left.and_then(|object| self.made.get_mut(&object)) {
                made.excuse = Some(Excuse::CreatorEnded);
            }
        }
    }

    fn resumed(&mut self, kernel: &mut NamingKernel, node: u32, slept: Duration) {
        wake(kernel, &mut self.dice, node, slept);
    }

    fn healed(&mut self, kernel: &mut NamingKernel) {
        self.hints.heal();
        kernel.alarm(AUDIT_AFTER, Alarm::Audit);
    }
}

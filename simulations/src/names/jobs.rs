//! What the processes do: make names, delete what lost, look names up. Each is a future of the
//! production code, polled when its process was answered.

use std::task::{Context, Poll, Waker};

use objects_proto::caller::BoxFuture;
use objects_proto::machine::Creation;
use objects_proto::message::Description;
use objects_proto::naming::{self, NamingError, NamingNode, NewObject};
use objects_proto::object::ObjectId;
use objects_proto::outcome::Cause;
use objects_proto::reference::RawRef;
use objects_proto::servant::Servants;
use overlay_proto::{Duration, ProcessId};

use super::process::SimNode;
use super::{Alarm, Naming, NamingKernel, PAUSED_POLL};

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Makes the directory of names.
    Found,
    /// Makes the name of this contest.
    Make(usize),
    /// Deletes an object that has no name.
    Discard(ObjectId),
    /// Looks up the name of this contest, at the end.
    Look(usize),
    /// Asks for this object, at the end.
    Inspect(ObjectId),
}

/// What a job came to.
pub(super) enum Done {
    /// The directory of names, or why there is none.
    Founded(Result<RawRef, Cause>),
    /// The object that the creator got.
    Made(Result<ObjectId, NamingError>),
    /// Whether the object is gone.
    Discarded(bool),
    /// The object that has the name.
    Looked(Result<Option<ObjectId>, NamingError>),
    /// What an operator is told.
    Inspected(Result<Description, Cause>),
}

/// One job under way.
pub(super) struct Task {
    /// What it is for.
    pub(super) job: Job,
    /// Its view of its process.
    pub(super) node: SimNode,
    future: BoxFuture<'static, Done>,
}

/// What runs on one process besides its machine.
pub(super) struct Life {
    /// The process as user code sees it.
    pub(super) node: SimNode,
    /// The objects' methods.
    pub(super) servants: Servants,
    /// What it does.
    pub(super) tasks: Vec<Task>,
}

impl Life {
    /// Makes the directory of names here.
    pub(super) fn found(&mut self, creation: Creation) {
        let node = self.node.operation();
        let created = node.create(creation);
        self.begin(Job::Found, node, async { Done::Founded(created.await) });
    }

    /// Makes the name of a contest; `strictly`: only if nobody has.
    pub(super) fn make(&mut self, contest: usize, name: String, strictly: bool, object: NewObject) {
        let node = self.node.operation();
        let own = node.clone();
        self.begin(Job::Make(contest), node, async move {
            let made = if strictly {
                naming::create_named(&own, &name, object).await
            } else {
                naming::get_or_create(&own, &name, object).await
            };
            Done::Made(made.map(|handle| handle.reference().id))
        });
    }

    /// Looks up the name of a contest.
    pub(super) fn look(&mut self, contest: usize, name: String) {
        let node = self.node.operation();
        let own = node.clone();
        self.begin(Job::Look(contest), node, async move {
            let found = naming::lookup(&own, &name).await;
            Done::Looked(found.map(|found| found.map(|object| object.id)))
        });
    }

    /// Asks for an object.
    pub(super) fn inspect(&mut self, target: RawRef, timeout: Duration) {
        let node = self.node.operation();
        let job = Job::Inspect(target.id);
        let inspected = node.inspect(target, timeout);
        self.begin(job, node, async { Done::Inspected(inspected.await) });
    }

    fn discard(&mut self, target: RawRef) {
        let node = self.node.operation();
        let own = node.clone();
        self.begin(Job::Discard(target.id), node, async move {
            Done::Discarded(naming::discard(&own, &target).await)
        });
    }

    fn begin(
        &mut self,
        job: Job,
        node: SimNode,
        future: impl Future<Output = Done> + Send + 'static,
    ) {
        let future = Box::pin(future);
        self.tasks.push(Task { job, node, future });
    }

    /// Polls everything once, and what came of it until nothing new begins.
    fn poll(&mut self) -> Vec<(Task, Done)> {
        let mut ended = Vec::new();
        loop {
            let mut cx = Context::from_waker(Waker::noop());
            for mut task in std::mem::take(&mut self.tasks) {
                match task.future.as_mut().poll(&mut cx) {
                    Poll::Ready(done) => ended.push((task, done)),
                    Poll::Pending => self.tasks.push(task),
                }
            }
            let discards = self.node.take_discards();
            if discards.is_empty() {
                return ended;
            }
            for target in discards {
                self.discard(target);
            }
        }
    }
}

impl Naming {
    /// Lets the futures of a process go on, and carries their commands to its machine.
    pub(super) fn poll(&mut self, kernel: &mut NamingKernel, process: ProcessId) {
        let Some(node) = kernel
            .node_of(&process.peer)
            .filter(|_| kernel.runs(&process))
        else {
            return;
        };
        if kernel.paused(node) {
            kernel.alarm(PAUSED_POLL, Alarm::Poll(process));
            return;
        }
        let Some(life) = self.lives.get_mut(&process) else {
            return;
        };
        life.node.caller.set_now(kernel.now());
        let ended = life.poll();
        let caller = life.node.caller.clone();
        let all = life.tasks.iter().chain(ended.iter().map(|(task, _)| task));
        let made: Vec<(usize, RawRef)> = all
            .filter_map(|task| match task.job {
                Job::Make(contest) => Some((contest, task.node.made()?)),
                _ => None,
            })
            .collect();
        for (contest, object) in made {
            self.created(kernel, contest, &object);
        }
        for (task, done) in ended {
            let made = task.node.made().map(|made| made.id);
            self.done(kernel, process, task.job, made, done);
        }
        for command in caller.take_commands() {
            kernel.command(node, Duration::ZERO, command);
        }
        for pause in caller.take_sleeps() {
            kernel.alarm(pause, Alarm::Poll(process));
        }
    }
}

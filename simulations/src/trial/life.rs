//! What runs on one process of a trial besides its machine: clients and methods, as futures.

use std::any::Any;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use objects_proto::caller::BoxFuture;
use objects_proto::execution::{Executed, Execution};
use objects_proto::run::Finished;
use objects_proto::servant::Servants;

use super::client::Client;
use super::methods::{Catch, Marks, close, open};

/// What the setup made, its type erased.
pub(super) type Stage = Arc<dyn Any + Send + Sync>;

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Makes what the clients work on.
    Setup,
    /// One round of a client.
    Round(usize),
    /// Checks an invariant, at the end.
    Invariant(usize),
}

/// What a job came to.
pub(super) enum Done {
    /// What the clients work on.
    Ready(Result<Stage, String>),
    /// The round is over.
    Worked,
    /// Whether the invariant holds.
    Checked(Result<(), String>),
}

struct Task {
    job: Job,
    future: BoxFuture<'static, Done>,
}

struct Method {
    marks: Marks,
    future: BoxFuture<'static, Finished>,
}

/// The futures of one process.
pub(super) struct Life {
    /// The process as its programs see it.
    pub(super) client: Client,
    servants: Servants,
    tasks: Vec<Task>,
    methods: Vec<Method>,
}

impl Life {
    pub(super) fn new(client: Client, servants: Servants) -> Self {
        Self {
            client,
            servants,
            tasks: Vec::new(),
            methods: Vec::new(),
        }
    }

    /// Begins a job.
    pub(super) fn begin(&mut self, job: Job, future: BoxFuture<'static, Done>) {
        self.tasks.push(Task { job, future });
    }

    /// The jobs under way.
    pub(super) fn jobs(&self) -> impl Iterator<Item = Job> + '_ {
        self.tasks.iter().map(|task| task.job)
    }

    /// Runs calls: at once if none of them can wait, else as a future.
    pub(super) fn execute(&mut self, execution: Execution) -> Option<Executed> {
        let (execution, marks) = match open(execution) {
            Ok(opened) => opened,
            Err(refused) => return Some(refused),
        };
        let running = self.servants.start(execution);
        if running.is_synchronous() {
            let executed = self.servants.finish(running.run_sync(&Catch));
            return Some(close(executed, marks));
        }
        let future = Box::pin(running.run(&Catch));
        self.methods.push(Method { marks, future });
        None
    }

    /// Polls everything once: which jobs ended, and which methods.
    pub(super) fn poll(&mut self) -> (Vec<(Job, Done)>, Vec<Executed>) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut executed = Vec::new();
        for mut method in std::mem::take(&mut self.methods) {
            match method.future.as_mut().poll(&mut cx) {
                Poll::Ready(finished) => {
                    let answer = self.servants.finish(finished);
                    executed.push(close(answer, method.marks));
                }
                Poll::Pending => self.methods.push(method),
            }
        }
        let mut ended = Vec::new();
        for mut task in std::mem::take(&mut self.tasks) {
            match task.future.as_mut().poll(&mut cx) {
                Poll::Ready(done) => ended.push((task.job, done)),
                Poll::Pending => self.tasks.push(task),
            }
        }
        (ended, executed)
    }
}

//! The queues of the threads that run the methods of objects.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use objects_proto::execution::{Executed, Execution, Ran};
use objects_proto::outcome::Cause;
use overlay_proto::Duration;
use tokio::sync::{Notify, mpsc, watch};

/// Executions that wait for one thread; further ones are refused as overloaded.
pub(crate) const EXECUTIONS_QUEUED_MAX: usize = 16_384;
/// How long the end of a node waits for its threads.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Results on their way from the threads to the machine. The machine bounds them: each answers
/// an execution that it asked for.
#[derive(Default)]
pub(crate) struct Results {
    ended: Mutex<Vec<Executed>>,
    some: AtomicBool,
    ready: Notify,
}

impl Results {
    /// Adds a result, without telling anybody.
    pub(crate) fn add(&self, executed: Executed) {
        self.ended().push(executed);
        self.some.store(true, Ordering::Release);
    }

    /// Tells whoever waits that there are results.
    pub(crate) fn tell(&self) {
        if self.some.load(Ordering::Acquire) {
            self.ready.notify_one();
        }
    }

    /// Waits until told of results.
    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Moves all results into `taken`.
    pub(crate) fn take(&self, taken: &mut Vec<Executed>) {
        if self.some.swap(false, Ordering::AcqRel) {
            taken.append(&mut self.ended());
        }
    }

    fn ended(&self) -> MutexGuard<'_, Vec<Executed>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queues of the threads.
pub(crate) struct Executors {
    results: Arc<Results>,
    queues: Vec<mpsc::Sender<Execution>>,
    stop: watch::Sender<bool>,
}

/// What one thread works on.
pub(crate) struct Work {
    pub(crate) queue: mpsc::Receiver<Execution>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Executors {
    /// Queues for `threads` threads (at least one), and what each is to be started with.
    pub(crate) fn new(threads: usize) -> (Self, Vec<Work>) {
        let (stop, stopped) = watch::channel(false);
        let (queues, work) = (0..threads.max(1))
            .map(|_| {
                let (sender, queue) = mpsc::channel(EXECUTIONS_QUEUED_MAX);
                (
                    sender,
                    Work {
                        queue,
                        stop: stopped.clone(),
                    },
                )
            })
            .unzip();
        let results = Arc::default();
        let executors = Self {
            results,
            queues,
            stop,
        };
        (executors, work)
    }

    /// What the threads came to.
    pub(crate) const fn results(&self) -> &Arc<Results> {
        &self.results
    }

    /// Queues an execution on the thread of its object, or gives the answer of a full queue.
    pub(crate) fn execute(&self, execution: Execution) -> Result<(), Executed> {
        let queue = (execution.object.0 % self.queues.len() as u128) as usize;
        let Some(queue) = self.queues.get(queue) else {
            return Err(refusal(&execution));
        };
        queue.try_send(execution).map_err(|error| match error {
            mpsc::error::TrySendError::Full(execution)
            | mpsc::error::TrySendError::Closed(execution) => refusal(&execution),
        })
    }

    /// Tells the threads to end.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Tells the threads to end and waits until they did, a second at most; says whether they
    /// did.
    pub(crate) async fn stopped(&self) -> bool {
        self.stop();
        tokio::time::timeout(STOP_TIMEOUT, self.stop.closed())
            .await
            .is_ok()
    }
}

fn refusal(execution: &Execution) -> Executed {
    let refused = || Ran::Refused(Cause::Overloaded("the queue of the methods' thread".into()));
    answer(execution, refused)
}

/// The same end for every call of an execution.
pub(crate) fn answer(execution: &Execution, ran: impl FnMut() -> Ran) -> Executed {
    Executed {
        object: execution.object,
        key: execution.key,
        ran: std::iter::repeat_with(ran)
            .take(execution.calls.len())
            .collect(),
    }
}

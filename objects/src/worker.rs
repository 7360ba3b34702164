//! The threads that run the methods of objects: never the overlay's tasks.
//!
//! A thread that is inside a method when its node ends is left behind: a method that never
//! returns cannot be stopped. An async one is dropped where it waits.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use objects_proto::caller::Caller;
use objects_proto::execution::{Executed, Execution, Ran};
use objects_proto::guard::PanicGuard;
use objects_proto::kinds_table::KindTable;
use objects_proto::outcome::Failure;
use objects_proto::run::Finished;
use objects_proto::servant::{ServantLimits, Servants};
use tokio::task::LocalSet;

use crate::executor::{Results, Work, answer};

/// Executions that a thread takes from its queue at a time.
const TAKEN_MAX: usize = 64;
/// Longest work whose results nobody is told of yet: whoever is waked for one finds several.
/// Should the next method take long, the node finds the results when it next does anything, at
/// its next heartbeat at last.
const UNTOLD_MAX: Duration = Duration::from_micros(50);

/// Starts a thread.
///
/// # Errors
/// The operating system's, if it gives no thread.
pub(crate) fn start(
    work: Work,
    kinds: Arc<KindTable>,
    node: Arc<dyn Caller>,
    results: Arc<Results>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new().name("objects".into());
    thread.spawn(move || {
        let servants = Servants::new(kinds, node, ServantLimits::default());
        LocalSet::new().block_on(&runtime, run(work, servants, results));
    })?;
    Ok(())
}

async fn run(mut work: Work, servants: Servants, results: Arc<Results>) {
    let servants = Rc::new(RefCell::new(servants));
    let mut taken = Vec::with_capacity(TAKEN_MAX);
    loop {
        let count = tokio::select! {
            biased;
            _ = work.stop.wait_for(|stop| *stop) => return,
            count = work.queue.recv_many(&mut taken, TAKEN_MAX) => count,
        };
        if count == 0 {
            return;
        }
        let mut pace = Pace::new();
        for execution in taken.drain(..) {
            if let Some(executed) = begin(execution, &servants, &results) {
                results.add(executed);
            }
            if pace.is_due() {
                results.tell();
            }
        }
        results.tell();
    }
}

/// Runs an execution that cannot wait, and sets one going that can.
fn begin(
    execution: Execution,
    servants: &Rc<RefCell<Servants>>,
    results: &Arc<Results>,
) -> Option<Executed> {
    let broken = answer(&execution, || {
        Ran::Failed(Failure::Panicked(UNSOUND.into()))
    });
    let Ok(running) = caught(|| servants.borrow_mut().start(execution)) else {
        return Some(broken);
    };
    if running.is_synchronous() {
        return Some(finish(running.run_sync(&Catch), broken, servants));
    }
    let (servants, results) = (servants.clone(), results.clone());
    tokio::task::spawn_local(async move {
        let finished = running.run(&Catch).await;
        results.add(finish(finished, broken, &servants));
        results.tell();
    });
    None
}

fn finish(finished: Finished, broken: Executed, servants: &RefCell<Servants>) -> Executed {
    caught(|| servants.borrow_mut().finish(finished)).unwrap_or(broken)
}

/// When results are told of: each at once where methods take their time, else some together.
struct Pace {
    last: Instant,
    untold: Duration,
}

impl Pace {
    fn new() -> Self {
        Self {
            last: Instant::now(),
            untold: Duration::ZERO,
        }
    }

    /// To be asked after each execution.
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        self.untold += now - self.last;
        self.last = now;
        let due = self.untold >= UNTOLD_MAX;
        if due {
            self.untold = Duration::ZERO;
        }
        due
    }
}

/// What a call whose execution panicked outside of its method comes to.
const UNSOUND: &str = "a servant panicked while it was dropped";

/// Catches the panics of user code.
struct Catch;

impl PanicGuard for Catch {
    fn run(&self, step: &mut dyn FnMut()) -> Result<(), String> {
        caught(step)
    }
}

fn caught<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|payload| message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}

/// Warns, once per process, that panics of methods end it.
pub(crate) fn warn_if_panics_abort() {
    static WARNED: std::sync::Once = std::sync::Once::new();
    if cfg!(panic = "abort") {
        WARNED.call_once(|| {
            tracing::warn!("built with panic = \"abort\": a method that panics ends this process");
        });
    }
}

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

use objects_proto::caller::Caller;
use objects_proto::execution::{Executed, Ran};
use objects_proto::guard::PanicGuard;
use objects_proto::kinds_table::KindTable;
use objects_proto::machine::Command;
use objects_proto::outcome::Failure;
use objects_proto::run::{Finished, Running};
use objects_proto::servant::{ServantLimits, Servants};
use overlay_proto::Input;
use tokio::task::LocalSet;

use crate::executor::{Work, answer};
use crate::shard::Shard;

/// Starts a thread.
///
/// # Errors
/// The operating system's, if it gives no thread.
pub(crate) fn start(
    work: Work,
    kinds: Arc<KindTable>,
    node: Arc<dyn Caller>,
    shard: Arc<Shard>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new().name("objects".into());
    thread.spawn(move || {
        let servants = Servants::new(kinds, node, ServantLimits::default());
        LocalSet::new().block_on(&runtime, run(work, servants, shard));
    })?;
    Ok(())
}

async fn run(mut work: Work, servants: Servants, shard: Arc<Shard>) {
    let servants = Rc::new(RefCell::new(servants));
    loop {
        let execution = tokio::select! {
            biased;
            _ = work.stop.wait_for(|stop| *stop) => return,
            execution = work.queue.recv() => execution,
        };
        let Some(execution) = execution else { return };
        let broken = answer(&execution, || {
            Ran::Failed(Failure::Panicked(UNSOUND.into()))
        });
        let Ok(running) = caught(|| servants.borrow_mut().start(execution)) else {
            shard.handle(Input::Command(Command::Executed(broken)));
            continue;
        };
        if running.is_synchronous() {
            finish(running.run_sync(&Catch), broken, &servants, &shard);
        } else {
            let (servants, shard) = (servants.clone(), shard.clone());
            tokio::task::spawn_local(wait(running, broken, servants, shard));
        }
    }
}

async fn wait(
    running: Running,
    broken: Executed,
    servants: Rc<RefCell<Servants>>,
    shard: Arc<Shard>,
) {
    let finished = running.run(&Catch).await;
    finish(finished, broken, &servants, &shard);
}

fn finish(finished: Finished, broken: Executed, servants: &RefCell<Servants>, shard: &Shard) {
    let executed = caught(|| servants.borrow_mut().finish(finished)).unwrap_or(broken);
    shard.handle(Input::Command(Command::Executed(executed)));
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

//! How far a run is, for somebody who waits. Written by the run and never read by it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use overlay_proto::Instant;

/// Microseconds of simulated time between two reports.
const STEP: u64 = 100_000;

thread_local! {
    static WATCHED: RefCell<Option<Arc<AtomicU64>>> = const { RefCell::new(None) };
}

/// Lets `now` follow the simulated time, in microseconds, of the worlds that are made by this
/// thread while `run` runs.
pub fn watched<T>(now: &Arc<AtomicU64>, run: impl FnOnce() -> T) -> T {
    WATCHED.with_borrow_mut(|watched| *watched = Some(Arc::clone(now)));
    let result = run();
    WATCHED.with_borrow_mut(|watched| *watched = None);
    result
}

/// Where a world tells its time, if anywhere.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    now: Option<Arc<AtomicU64>>,
    next: u64,
}

impl Progress {
    /// Where the worlds of this thread tell their time.
    pub(crate) fn of_this_thread() -> Self {
        let now = WATCHED.with_borrow(Option::clone);
        Self { now, next: 0 }
    }

    pub(crate) fn at(&mut self, now: Instant) {
        if now.as_micros() < self.next {
            return;
        }
        self.next = now.as_micros() + STEP;
        if let Some(watched) = &self.now {
            watched.store(now.as_micros(), Ordering::Relaxed);
        }
    }
}

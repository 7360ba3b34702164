//! What a long run tells somebody who waits, on the standard error stream.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::progress::watched;
use crate::report::Report;
use crate::run::Plan;

/// Time between two lines.
const PERIOD: Duration = Duration::from_secs(1);

/// Whether somebody waits: they asked for it, or look at a terminal.
#[must_use]
pub fn wanted(asked: bool) -> bool {
    asked || std::io::stderr().is_terminal()
}

/// Runs one seed and tells how far it is: simulated time, wall time, speed, and the time that is
/// left. The run does not know.
pub fn told(plan: &Plan, told: bool, run: impl FnOnce() -> Report) -> Report {
    if !told {
        return run();
    }
    let scenario = plan.scenario();
    let end = scenario.heal_at().as_micros() as f64 / 1e6 + scenario.heal_seconds as f64;
    let now = Arc::new(AtomicU64::new(0));
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let watched_now = Arc::clone(&now);
        scope.spawn(move || tell(&watched_now, end, &ended));
        let report = watched(&now, run);
        drop(done);
        report
    })
}

fn tell(now: &AtomicU64, end: f64, ended: &mpsc::Receiver<()>) {
    let began = Instant::now();
    while ended.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let simulated = now.load(Ordering::Relaxed) as f64 / 1e6;
        let wall = began.elapsed().as_secs_f64();
        let speed = simulated / wall;
        let left = (end - simulated).max(0.0) / speed.max(1e-9);
        line(&format!(
            "{simulated:.0} of about {end:.0} s simulated in {wall:.0} s, {speed:.1} x, \
             about {left:.0} s left"
        ));
    }
}

/// Prints one line of progress.
pub fn line(words: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody is told if nobody can be.
    let _written = writeln!(stderr, "{words}");
}

//! One caller alone, then many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WARM_UP: usize = 2_000;
const ALONE: usize = 10_000;
const TOGETHER: Duration = Duration::from_secs(3);

/// What a way of calling reaches.
pub(crate) struct Figures {
    /// Median of a call alone, microseconds.
    pub(crate) p50: f64,
    /// 99th percentile of a call alone, microseconds.
    pub(crate) p99: f64,
    /// Calls per second with 64 in flight.
    pub(crate) at_64: f64,
    /// Calls per second with 512 in flight.
    pub(crate) at_512: f64,
}

/// Measures a call. `caller(n)` makes the n-th caller's call function.
pub(crate) async fn measure<M, C, F>(mut caller: M) -> Figures
where
    M: FnMut(usize) -> C,
    C: FnMut() -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut alone = caller(0);
    for _ in 0..WARM_UP {
        alone().await;
    }
    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let sent = Instant::now();
        alone().await;
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Figures {
        p50: times[ALONE / 2],
        p99: times[ALONE * 99 / 100],
        at_64: together(64, &mut caller).await,
        at_512: together(512, &mut caller).await,
    }
}

async fn together<M, C, F>(callers: usize, caller: &mut M) -> f64
where
    M: FnMut(usize) -> C,
    C: FnMut() -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..callers)
        .map(|index| {
            let (mut call, stop, calls) = (caller(index), stop.clone(), calls.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    call().await;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (before, began) = (calls.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(TOGETHER).await;
    let rate = (calls.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("a caller");
    }
    rate
}

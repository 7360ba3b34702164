//! One caller alone, then many at once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const ALONE: usize = 10_000;
const WARM_UP: usize = 2_000;
const TOGETHER: Duration = Duration::from_secs(3);

/// What a library comes to.
pub(crate) struct Figures {
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// Calls per second.
    pub(crate) at_64: f64,
    /// Calls per second.
    pub(crate) at_512: f64,
}

/// Measures a call, of which each caller has a clone. Runs on one thread.
pub(crate) async fn measure<C, F>(call: C) -> Result<Figures, String>
where
    C: Fn() -> F + Clone + 'static,
    F: Future<Output = Result<(), String>> + 'static,
{
    let local = tokio::task::LocalSet::new();
    local.run_until(measured(call)).await
}

async fn measured<C, F>(call: C) -> Result<Figures, String>
where
    C: Fn() -> F + Clone + 'static,
    F: Future<Output = Result<(), String>> + 'static,
{
    for _ in 0..WARM_UP {
        call().await?;
    }
    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let sent = Instant::now();
        call().await?;
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(Figures {
        p50: times[ALONE / 2],
        p99: times[ALONE * 99 / 100],
        at_64: together(64, &call).await?,
        at_512: together(512, &call).await?,
    })
}

async fn together<C, F>(callers: usize, call: &C) -> Result<f64, String>
where
    C: Fn() -> F + Clone + 'static,
    F: Future<Output = Result<(), String>> + 'static,
{
    let (stop, calls) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0_u64)));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (call, stop, calls) = (call.clone(), stop.clone(), calls.clone());
            tokio::task::spawn_local(async move {
                while !stop.get() {
                    call().await?;
                    calls.set(calls.get() + 1);
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    tokio::time::sleep(TOGETHER / 4).await;
    let (before, began) = (calls.get(), Instant::now());
    tokio::time::sleep(TOGETHER).await;
    let rate = (calls.get() - before) as f64 / began.elapsed().as_secs_f64();
    stop.set(true);
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    Ok(rate)
}

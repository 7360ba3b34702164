//! One caller alone, and many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How a measured call ended: why it failed, for people.
pub(super) type Done = Result<(), String>;

/// How long things are measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Calls of one caller alone.
    pub(super) alone: usize,
    /// How long many call at once.
    pub(super) together: Duration,
}

/// Times of single calls, microseconds, in order of size.
#[derive(Clone, Debug)]
pub(super) struct Times(Vec<f64>);

impl Times {
    pub(super) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// The time that this share of the calls did not exceed; not a number without calls.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil().max(1.0) as usize;
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn all(&self) -> &[f64] {
        &self.0
    }
}

/// Calls one after the other.
pub(super) async fn alone<C, F>(pace: Pace, mut call: C) -> Result<Times, String>
where
    C: FnMut() -> F,
    F: Future<Output = Done>,
{
    for _ in 0..pace.alone / 5 {
        call().await?;
    }
    let mut times = Vec::with_capacity(pace.alone);
    for _ in 0..pace.alone {
        let sent = Instant::now();
        call().await?;
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Times::new(times))
}

/// Calls of `callers` at once, each of which makes its next call when the last one is answered;
/// calls per second. `caller(n)` makes the n-th one's call.
pub(super) async fn together<M, C, F>(
    pace: Pace,
    callers: usize,
    mut caller: M,
) -> Result<f64, String>
where
    M: FnMut(usize) -> C,
    C: FnMut() -> F + Send + 'static,
    F: Future<Output = Done> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..callers)
        .map(|index| {
            let (mut call, stop, calls) = (caller(index), stop.clone(), calls.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    call().await?;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                Done::Ok(())
            })
        })
        .collect();
    tokio::time::sleep(pace.together / 4).await;
    let (before, began) = (calls.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(pace.together).await;
    let rate = (calls.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await
            .map_err(|error| format!("a caller failed: {error}"))??;
    }
    Ok(rate)
}

/// Does `count` things, `at_once` of them at a time; things per second.
pub(super) async fn all<M, F>(count: usize, at_once: usize, job: M) -> Result<f64, String>
where
    M: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = Done> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..at_once)
        .map(|_| {
            let (next, job) = (next.clone(), job.clone());
            tokio::spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed) as usize;
                    if index >= count {
                        return Done::Ok(());
                    }
                    job(index).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await
            .map_err(|error| format!("a caller failed: {error}"))??;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// The middle one of several figures.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_calls_that_happened() {
        let times = Times::new((1..=1_000).rev().map(f64::from).collect());
        assert_eq!(times.quantile(0.5), 500.0);
        assert_eq!(times.quantile(0.999), 999.0);
        assert_eq!(times.quantile(1.0), 1_000.0);
        assert!(Times::new(Vec::new()).quantile(0.5).is_nan());
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
    }

    #[tokio::test]
    async fn each_thing_is_done_once_and_a_failure_ends_it() {
        let done = Arc::new(AtomicU64::new(0));
        let counted = done.clone();
        let job = move |index: usize| {
            counted.fetch_add(index as u64, Ordering::Relaxed);
            async { Done::Ok(()) }
        };
        all(100, 7, job).await.unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 4_950);
        let failed = all(9, 2, |_| async { Done::Err("no".to_owned()) }).await;
        assert_eq!(failed, Err("no".to_owned()));
    }
}

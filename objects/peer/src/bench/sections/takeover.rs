//! The death of a peer with 100,000 objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use objects::kinds::CounterProxy;

use crate::bench::Bench;
use crate::bench::cluster::{Cluster, create};
use crate::bench::measure::{Times, all};
use crate::bench::report::Table;

const HOSTS: usize = 3;
const AT_ONCE: usize = 512;
/// A call that is refused so often ends the part.
const REFUSALS_MAX: usize = 100;

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    let objects = bench.orphans * HOSTS;
    bench.progress(&format!("{objects} objects, of which a peer has a third"));
    let mut cluster = Cluster::start(HOSTS, 3).await?;
    let (made, _) = create(&cluster, objects, AT_ONCE).await?;
    let dead = cluster.hosts.pop().ok_or("no host")?;
    let of_dead = |counter: &CounterProxy| {
        let first = counter.as_ref().configuration.as_ref();
        let first = first.and_then(|set| set.members.first());
        first.is_some_and(|member| member.process.peer.to_string() == dead.peer)
    };
    let (orphans, others): (Vec<_>, Vec<_>) = made.into_iter().partition(of_dead);
    let live = others.first().ok_or("all objects are the dead peer's")?;
    let (count, orphans) = (orphans.len(), Arc::new(orphans));
    bench.progress(&format!("calls on the {count} objects"));
    let (_, before) = each_once(&orphans, live).await?;
    bench.progress("the same after their primary's death");
    let mut dead = dead;
    let killed = Instant::now();
    dead.kill().await;
    let (_, beside) = each_once(&orphans, live).await?;
    let took = killed.elapsed().as_secs_f64();
    let p99 = [&before, &beside].map(|times| times.quantile(0.99));
    let ratio = p99[1] / p99[0];
    let columns = ["objects", "all in s", "live p99 us", "before", "ratio"];
    let mut table = Table::new("a primary's death", &columns);
    let figures = vec![count as f64, took, p99[1], p99[0], ratio];
    table.row("factor 3, three hosts", figures);
    bench.report.figure("takeover_100k_s", took);
    bench.report.figure("takeover_live_p99_ratio", ratio);
    bench.report.table(table);
    cluster.stop().await;
    Ok(())
}

/// Calls each object once; objects per second, and how long calls on another one took meanwhile.
async fn each_once(
    objects: &Arc<Vec<CounterProxy>>,
    live: &CounterProxy,
) -> Result<(f64, Times), String> {
    let stop = Arc::new(AtomicBool::new(false));
    let meanwhile = tokio::spawn(watch(live.clone(), stop.clone()));
    let (count, objects) = (objects.len(), objects.clone());
    let job = move |index: usize| {
        let objects = objects.clone();
        async move { answered(&objects[index]).await }
    };
    let rate = all(count, AT_ONCE, job).await?;
    stop.store(true, Ordering::Relaxed);
    let times = meanwhile.await.map_err(|error| error.to_string())??;
    Ok((rate, times))
}

/// A call is refused where no primary was found in time: it is repeated until it is answered.
async fn answered(counter: &CounterProxy) -> Result<(), String> {
    let mut refused = 0;
    while let Err(error) = counter.increment(1).await {
        refused += 1;
        if refused == REFUSALS_MAX {
            return Err(error.to_string());
        }
    }
    Ok(())
}

/// Times of calls on an object until told to stop.
async fn watch(counter: CounterProxy, stop: Arc<AtomicBool>) -> Result<Times, String> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        answered(&counter).await?;
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Times::new(times))
}

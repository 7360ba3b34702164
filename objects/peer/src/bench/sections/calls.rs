//! One caller alone and many at once, with 1, 3 and 5 replicas.

use std::sync::Arc;

use bytes::Bytes;
use objects::kinds::CounterProxy;
use plot::panel::{Axis, Panel, Shape};

use crate::bench::Bench;
use crate::bench::bare::{Bare, CALL_BYTES};
use crate::bench::cluster::{Cluster, OBJECTS, write_alone, writes};
use crate::bench::measure::{Pace, Times, alone, median, together};
use crate::bench::process::cpu_seconds;
use crate::bench::report::Table;

const IN_FLIGHT: [usize; 4] = [1, 8, 64, 512];
const MANY_OBJECTS: usize = 10_000;
/// Handles on a hot object: it has a session with each.
const HANDLES: usize = 64;

/// What a way of calling comes to.
struct Figures {
    alone: Times,
    /// Calls per second by how many are in flight.
    rates: [f64; IN_FLIGHT.len()],
    /// Processor time of a call with 64 in flight, microseconds.
    cpu: f64,
}

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    let mut clusters = Vec::new();
    for factor in [1, 3, 5] {
        let cluster = Cluster::start(usize::from(factor), factor).await?;
        let counters = cluster.counters(OBJECTS).await?;
        clusters.push((format!("write, factor {factor}"), cluster, counters));
    }
    let mut taken: Vec<Vec<Figures>> = Vec::new();
    for round in 1..=bench.rounds {
        bench.progress(&format!("calls, round {round} of {}", bench.rounds));
        let mut figures = vec![of_bare(bench.pace, &bench.bare).await?];
        for (_, cluster, counters) in &clusters {
            figures.push(of_cluster(bench.pace, cluster, counters).await?);
        }
        taken.push(figures);
    }
    let names = ["bare stream".to_owned()];
    let names: Vec<String> = names
        .into_iter()
        .chain(clusters.iter().map(|(name, ..)| name.clone()))
        .collect();
    tables(bench, &names, &taken);
    ratios(bench, &taken);
    let three = &clusters[1];
    hot_and_many(bench, &three.1, &three.2).await?;
    for (_, cluster, counters) in clusters {
        drop(counters);
        cluster.stop().await;
    }
    Ok(())
}

async fn of_bare(pace: Pace, bare: &Arc<Bare>) -> Result<Figures, String> {
    let caller = |_| {
        let bare = bare.clone();
        move || {
            let bare = bare.clone();
            async move { bare.echo(Bytes::from_static(&[7; CALL_BYTES])).await }
        }
    };
    let alone = alone(pace, caller(0)).await?;
    let (mut rates, mut cpu) = ([0.0; IN_FLIGHT.len()], f64::NAN);
    let pids = [bare.pid(), std::process::id()];
    for (rate, callers) in rates.iter_mut().zip(IN_FLIGHT) {
        let (before, began) = (cpu_seconds(&pids), std::time::Instant::now());
        *rate = together(pace, callers, caller).await?;
        if callers == 64 {
            let (used, passed) = (cpu_seconds(&pids) - before, began.elapsed().as_secs_f64());
            cpu = used / passed / *rate * 1e6;
        }
    }
    Ok(Figures { alone, rates, cpu })
}

async fn of_cluster(
    pace: Pace,
    cluster: &Cluster,
    counters: &[CounterProxy],
) -> Result<Figures, String> {
    let first = counters.first().ok_or("no objects")?;
    let alone = write_alone(pace, first).await?;
    let (mut rates, mut cpu) = ([0.0; IN_FLIGHT.len()], f64::NAN);
    for (rate, callers) in rates.iter_mut().zip(IN_FLIGHT) {
        let (per_second, each) = writes(pace, cluster, counters, callers).await?;
        *rate = per_second;
        if callers == 64 {
            cpu = each;
        }
    }
    Ok(Figures { alone, rates, cpu })
}

/// The middle of a figure over the rounds.
fn middle(taken: &[Vec<Figures>], way: usize, figure: impl Fn(&Figures) -> f64) -> f64 {
    median(taken.iter().map(|round| figure(&round[way])).collect())
}

fn tables(bench: &mut Bench, names: &[String], taken: &[Vec<Figures>]) {
    let mut times = Table::new(
        "one caller alone, us",
        &["p50", "p99", "p99.9", "x bare p50"],
    );
    let mut rates = Table::new(
        "calls/s by calls in flight",
        &["1", "8", "64", "512", "x bare at 64", "CPU us/call"],
    );
    let in_flight = Axis::new("calls in flight", "").log();
    let mut drawn = Panel::new(
        "calls per second",
        in_flight,
        Axis::new("calls", "1/s").log(),
    );
    let mut latencies = Panel::new(
        "one caller alone",
        Axis::new("time", "us").log(),
        Axis::new("share of all", "").showing(0.0, 1.0),
    );
    for (way, name) in names.iter().enumerate() {
        let quantile = |share: f64| middle(taken, way, |figures| figures.alone.quantile(share));
        let ratio = median(
            (taken.iter())
                .map(|round| round[way].alone.quantile(0.5) / round[0].alone.quantile(0.5))
                .collect(),
        );
        times.row(
            name,
            vec![quantile(0.5), quantile(0.99), quantile(0.999), ratio],
        );
        let by_flight: Vec<f64> = (0..IN_FLIGHT.len())
            .map(|at| middle(taken, way, |figures| figures.rates[at]))
            .collect();
        let points = IN_FLIGHT.iter().zip(&by_flight);
        let points = points
            .map(|(callers, rate)| (*callers as f64, *rate))
            .collect();
        drawn = drawn.line(name, Shape::Straight, points);
        let ratio = median(
            (taken.iter())
                .map(|round| round[way].rates[2] / round[0].rates[2])
                .collect(),
        );
        let cpu = middle(taken, way, |figures| figures.cpu);
        rates.row(name, by_flight.into_iter().chain([ratio, cpu]).collect());
        let all = taken[0][way].alone.all();
        let step = (all.len() / 500).max(1);
        let points = all.iter().enumerate().step_by(step);
        let points = points.map(|(rank, time)| (*time, rank as f64 / all.len() as f64));
        latencies = latencies.line(name, Shape::Straight, points.collect());
    }
    bench.report.table(times);
    bench.report.table(rates);
    bench.report.panel(drawn);
    bench.report.panel(latencies);
}

fn ratios(bench: &mut Bench, taken: &[Vec<Figures>]) {
    let p50 = |round: &[Figures], way: usize| round[way].alone.quantile(0.5);
    let over_rounds = |figure: &dyn Fn(&[Figures]) -> f64| {
        median(taken.iter().map(|round| figure(round)).collect())
    };
    let figures = [
        (
            "call_f1_p50_ratio",
            over_rounds(&|round| p50(round, 1) / p50(round, 0)),
        ),
        (
            "call_f1_c64_ratio",
            over_rounds(&|round| round[1].rates[2] / round[0].rates[2]),
        ),
        ("call_f1_c64_per_s", over_rounds(&|round| round[1].rates[2])),
        (
            "write_f3_p50_ratio",
            over_rounds(&|round| p50(round, 2) / p50(round, 1)),
        ),
        (
            "write_f3_c64_per_s",
            over_rounds(&|round| round[2].rates[2]),
        ),
    ];
    for (name, value) in figures {
        bench.report.figure(name, value);
    }
}

/// One object that everybody calls, and ten thousand.
async fn hot_and_many(
    bench: &mut Bench,
    cluster: &Cluster,
    counters: &[CounterProxy],
) -> Result<(), String> {
    bench.progress("one hot object, and many objects");
    let count = MANY_OBJECTS.min(bench.idle);
    let many = cluster.counters(count).await?;
    let mut table = Table::new(
        "factor 3, calls/s by in flight",
        &["64", "512", "CPU us/call"],
    );
    for (name, counters) in [
        ("one hot object", &counters[..1]),
        ("10,000 objects", &many),
    ] {
        let pids = cluster.pids();
        let (before, began) = (cpu_seconds(&pids), std::time::Instant::now());
        let few = over(bench.pace, counters, 64).await?;
        let (used, passed) = (cpu_seconds(&pids) - before, began.elapsed().as_secs_f64());
        let lots = over(bench.pace, counters, 512).await?;
        let cpu = used / passed / few * 1e6;
        table.row(name, vec![few, lots, cpu]);
        if counters.len() == 1 {
            bench.report.figure("write_f3_hot_per_s", few.max(lots));
        }
    }
    bench.report.table(table);
    Ok(())
}

/// Callers that go from object to object; those that meet on one share some handles.
async fn over(pace: Pace, counters: &[CounterProxy], callers: usize) -> Result<f64, String> {
    let handles = counters.iter().cycle().take(counters.len().max(HANDLES));
    let handles: Vec<Arc<CounterProxy>> = handles.cloned().map(Arc::new).collect();
    let each = handles.len().div_ceil(callers);
    let caller = |index: usize| {
        let own = handles.iter().cycle().skip(index * each).take(each);
        let own: Vec<Arc<CounterProxy>> = own.cloned().collect();
        let mut next = 0;
        move || {
            next = (next + 1) % own.len();
            let call = own[next].increment(1);
            async move { call.await.map(drop).map_err(|error| error.to_string()) }
        }
    };
    together(pace, callers, caller).await
}

//! 2 to 16 host processes.

use plot::panel::{Axis, Panel, Shape};

use crate::bench::Bench;
use crate::bench::bare::CALL_BYTES;
use crate::bench::cluster::{Cluster, OBJECTS, write_alone, writes};
use crate::bench::measure::together;
use crate::bench::report::Table;

const HOSTS: [usize; 4] = [2, 4, 8, 16];

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    let columns = ["p50 us", "64/s", "CPU us/call", "64 x bare"];
    let mut table = Table::new("host processes, factor 3", &columns);
    let mut points = Vec::new();
    let payload = bytes::Bytes::from_static(&[7; CALL_BYTES]);
    for hosts in HOSTS {
        bench.progress(&format!("{hosts} host processes"));
        let bare = bench.bare.clone();
        let bare = together(bench.pace, 64, |_| {
            let (bare, payload) = (bare.clone(), payload.clone());
            move || {
                let (bare, payload) = (bare.clone(), payload.clone());
                async move { bare.echo(payload).await }
            }
        });
        let bare = bare.await?;
        let cluster = Cluster::start(hosts, 3).await?;
        let counters = cluster.counters(OBJECTS).await?;
        let first = counters.first().ok_or("no object")?;
        let times = write_alone(bench.pace, first).await?;
        let (rate, cpu) = writes(bench.pace, &cluster, &counters, 64).await?;
        let figures = vec![times.quantile(0.5), rate, cpu, rate / bare];
        table.row(&hosts.to_string(), figures);
        points.push((hosts as f64, rate));
        drop(counters);
        cluster.stop().await;
    }
    let panel = Panel::new(
        "writes with three replicas, 64 in flight",
        Axis::new("host processes on this machine", ""),
        Axis::new("calls", "1/s").showing(0.0, 0.0),
    );
    let panel = panel.line("factor 3", Shape::Straight, points);
    bench.report.table(table);
    bench.report.panel(panel);
    Ok(())
}

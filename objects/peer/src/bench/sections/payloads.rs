//! Arguments and results of 16 bytes to 1 MiB.

use bytes::Bytes;
use plot::panel::{Axis, Panel, Shape};

use crate::bench::Bench;
use crate::bench::cluster::Cluster;
use crate::bench::kinds::{Payload, PayloadProxy};
use crate::bench::measure::{Pace, alone};
use crate::bench::report::Table;

/// Sizes, bytes. The last one leaves a call its frame.
const SIZES: [usize; 5] = [16, 256, 4 * 1024, 64 * 1024, 1_000_000];
/// A transfer of so many bytes counts as many calls.
const HEAVY: usize = 32 * 1024;

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    let one = Cluster::start(1, 1).await?;
    let three = Cluster::start(3, 3).await?;
    let of_one = made(&one).await?;
    let of_three = made(&three).await?;
    let names = ["bare stream", "echo, factor 1", "store, factor 3"];
    let mut lines = names.map(|_| Vec::new());
    let mut table = Table::new(
        "payload bytes, p50 us",
        &[names[0], "echo f1", "store f3", "echo/bare"],
    );
    for size in SIZES {
        bench.progress(&format!("payloads of {size} bytes"));
        let pace = Pace {
            alone: (bench.pace.alone / (1 + size / HEAVY)).max(200),
            ..bench.pace
        };
        let payload = Bytes::from(vec![7; size]);
        let bare = alone(pace, || bench.bare.echo(payload.clone())).await?;
        let echo = alone(pace, || async {
            let echoed = of_one.echo(payload.clone()).await;
            echoed.map(drop).map_err(|error| error.to_string())
        });
        let echo = echo.await?;
        let put = alone(pace, || async {
            let stored = of_three.put(payload.clone()).await;
            stored.map_err(|error| error.to_string())
        });
        let put = put.await?;
        let p50 = [bare, echo, put].map(|times| times.quantile(0.5));
        for (line, time) in lines.iter_mut().zip(p50) {
            line.push((size as f64, time));
        }
        let figures = p50.into_iter().chain([p50[1] / p50[0]]).collect();
        table.row(&size.to_string(), figures);
    }
    let mut panel = Panel::new(
        "payloads, one caller alone",
        Axis::new("payload", "bytes").log(),
        Axis::new("p50", "us").log(),
    );
    for (name, line) in names.iter().zip(lines) {
        panel = panel.line(name, Shape::Straight, line);
    }
    bench.report.table(table);
    bench.report.panel(panel);
    one.stop().await;
    three.stop().await;
    Ok(())
}

async fn made(cluster: &Cluster) -> Result<PayloadProxy, String> {
    let made = cluster.node.create(Payload::default()).await;
    made.map_err(|error| error.to_string())
}

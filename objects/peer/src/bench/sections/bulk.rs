//! Small calls beside transfers of 1 MiB.

use bytes::Bytes;

use crate::bench::Bench;
use crate::bench::bare::CALL_BYTES;
use crate::bench::cluster::{Cluster, write_alone};
use crate::bench::kinds::Payload;
use crate::bench::measure::alone;
use crate::bench::report::Table;

/// A transfer, which leaves a call its frame.
const BULK_BYTES: usize = 1_000_000;

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    bench.progress("small calls beside a bulk transfer");
    let cluster = Cluster::start(1, 1).await?;
    let counters = cluster.counters(1).await?;
    let counter = counters.first().ok_or("no object")?;
    let store = cluster.node.create(Payload::default()).await;
    let store = store.map_err(|error| error.to_string())?;
    let without = write_alone(bench.pace, counter).await?;
    let transfers = tokio::spawn(async move {
        let payload = Bytes::from(vec![7; BULK_BYTES]);
        let began = std::time::Instant::now();
        let mut sent = 0_u32;
        loop {
            if let Err(error) = store.put(payload.clone()).await {
                return error.to_string();
            }
            sent += 1;
            if sent.is_multiple_of(64) {
                let seconds = began.elapsed().as_secs_f64();
                tracing::debug!(rate = f64::from(sent) / seconds, "transfers");
            }
        }
    });
    let beside = write_alone(bench.pace, counter).await?;
    if transfers.is_finished() {
        let why = transfers.await.map_err(|error| error.to_string())?;
        return Err(format!("a transfer failed: {why}"));
    }
    transfers.abort();
    let payload = Bytes::from_static(&[7; CALL_BYTES]);
    let bare = alone(bench.pace, || bench.bare.echo(payload.clone())).await?;
    let mut table = Table::new(
        "small calls, factor 1, us",
        &["p50", "p99", "p99.9", "x bare p99"],
    );
    for (name, times) in [("alone", &without), ("beside transfers of 1 MB", &beside)] {
        let p99 = times.quantile(0.99);
        let figures = vec![times.quantile(0.5), p99, times.quantile(0.999)];
        let ratio = p99 / bare.quantile(0.99);
        table.row(name, figures.into_iter().chain([ratio]).collect());
    }
    let ratio = beside.quantile(0.99) / without.quantile(0.99);
    bench.report.figure("small_beside_bulk_p99_ratio", ratio);
    bench.report.table(table);
    cluster.stop().await;
    Ok(())
}

//! Reads by a majority, under leases and stale, beside writes.

use futures::future::BoxFuture;
use objects::kinds::Counter;

use crate::bench::Bench;
use crate::bench::bare::CALL_BYTES;
use crate::bench::cluster::{Cluster, increment};
use crate::bench::kinds::{Leased, Stale};
use crate::bench::measure::{Done, alone, together};
use crate::bench::report::Table;

type Call = Box<dyn FnMut() -> BoxFuture<'static, Done> + Send>;

macro_rules! reader {
    ($proxy:expr) => {{
        let proxy = $proxy.clone();
        let call: Call = Box::new(move || {
            let call = proxy.count();
            Box::pin(async move { call.await.map(drop).map_err(|error| error.to_string()) })
        });
        call
    }};
}

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    bench.progress("reads");
    let cluster = Cluster::start(3, 3).await?;
    let text = |error: objects::Error| error.to_string();
    let node = &cluster.node;
    let counter = node.create(Counter::default()).await.map_err(text)?;
    let leased = node.create(Leased::default()).await.map_err(text)?;
    let stale = node.create(Stale::default()).await.map_err(text)?;
    let payload = bytes::Bytes::from_static(&[7; CALL_BYTES]);
    let bare = alone(bench.pace, || bench.bare.echo(payload.clone())).await?;
    let bare = bare.quantile(0.5);
    let mut table = Table::new(
        "factor 3, one object",
        &["p50 us", "p99 us", "x bare p50", "64/s"],
    );
    let ways: [(&str, &dyn Fn() -> Call); 4] = [
        ("write", &|| Box::new(increment(&counter))),
        ("read by a majority", &|| reader!(counter)),
        ("read under leases", &|| reader!(leased)),
        ("stale read", &|| reader!(stale)),
    ];
    for (name, caller) in ways {
        let times = alone(bench.pace, caller()).await?;
        let rate = together(bench.pace, 64, |_| caller()).await?;
        let p50 = times.quantile(0.5);
        table.row(name, vec![p50, times.quantile(0.99), p50 / bare, rate]);
    }
    bench.report.table(table);
    cluster.stop().await;
    Ok(())
}

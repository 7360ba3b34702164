//! Making objects.

use crate::bench::Bench;
use crate::bench::cluster::{Cluster, create};
use crate::bench::report::Table;

const IN_FLIGHT: [usize; 2] = [64, 512];

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    bench.progress("creations");
    let mut table = Table::new("creations/s by in flight", &["64", "512"]);
    let count = bench.orphans / 2;
    for factor in [1, 3] {
        let cluster = Cluster::start(usize::from(factor), factor).await?;
        create(&cluster, 1_000, 64).await?;
        let mut rates = Vec::new();
        for at_once in IN_FLIGHT {
            let (made, rate) = create(&cluster, count, at_once).await?;
            drop(made);
            rates.push(rate);
        }
        if factor == 3 {
            let best = rates.iter().copied().fold(0.0, f64::max);
            bench.report.figure("create_f3_per_s", best);
        }
        table.row(&format!("factor {factor}"), rates);
        cluster.stop().await;
    }
    bench.report.table(table);
    Ok(())
}

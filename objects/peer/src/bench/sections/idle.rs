//! What an idle object takes: memory, and nothing else.

use crate::bench::Bench;
use crate::bench::cluster::{Cluster, create};
use crate::bench::process::memory_bytes;
use crate::bench::report::Table;
use crate::processes::Process;

const AT_ONCE: usize = 512;
/// Messages of the object layer, as hosts report them.
const METRIC: &str = "messages_sent";
/// A counter's encoded state: a map of one field and its number.
const STATE_BYTES: f64 = 8.0;

pub(in crate::bench) async fn run(bench: &mut Bench) -> Result<(), String> {
    let mut table = Table::new("idle objects", &["bytes/replica", "messages"]);
    let mut largest: f64 = 0.0;
    for (factor, objects) in [(1, bench.idle), (3, bench.idle / 3)] {
        bench.progress(&format!("{objects} idle objects, factor {factor}"));
        let cluster = Cluster::start(usize::from(factor), factor).await?;
        let before = memory(&cluster.hosts)?;
        let (made, _) = create(&cluster, objects, AT_ONCE).await?;
        let replicas = (made.len() * usize::from(factor)) as f64;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let sent = messages(&cluster.hosts);
        let each = (memory(&cluster.hosts)? - before) / replicas - STATE_BYTES;
        bench.progress(&format!(
            "whether they are quiet, {} s",
            bench.quiet.as_secs()
        ));
        tokio::time::sleep(bench.quiet).await;
        let name = format!("{objects}, factor {factor}");
        table.row(&name, vec![each, messages(&cluster.hosts) - sent]);
        largest = largest.max(each);
        cluster.stop().await;
    }
    bench.report.figure("idle_object_bytes", largest);
    bench.report.table(table);
    Ok(())
}

fn memory(hosts: &[Process]) -> Result<f64, String> {
    let each = hosts.iter().map(|host| memory_bytes(host.pid));
    let all: Option<f64> = each.sum();
    all.ok_or_else(|| "this system does not tell how much memory a process has".to_owned())
}

fn messages(hosts: &[Process]) -> f64 {
    hosts.iter().map(|host| host.metric(METRIC) as f64).sum()
}

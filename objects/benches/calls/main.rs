//! Calls between processes on loopback, beside a bare libp2p stream in the same run.
//!
//! `cargo bench -p objects`. Figures of one run may be compared with each other; absolute ones
//! move by a factor of two on shared machines.

mod bare;
mod cluster;
mod measure;

use measure::Figures;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    match arguments.get(1).map(String::as_str) {
        Some("bare-server") => runtime.block_on(bare::serve()),
        Some("host") => runtime.block_on(cluster::host(&arguments[2..])),
        _ => runtime.block_on(compare()),
    }
}

async fn compare() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "optimised"
    };
    println!(
        "{} {}, {cores} cores, {build} build",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    println!(
        "{:<28} {:>9} {:>9} {:>12} {:>12}",
        "", "p50 us", "p99 us", "64 in flight", "512"
    );
    let bare = bare::measure().await;
    bare.print("bare stream");
    let one = cluster::measure(1).await;
    one.print("call, factor 1");
    let three = cluster::measure(3).await;
    three.print("write, factor 3");
    println!();
    ratio(
        "factor 1 / bare stream, p50",
        one.p50 / bare.p50,
        "goal <= 2",
    );
    ratio(
        "factor 1 / bare stream, 64 in flight",
        one.at_64 / bare.at_64,
        "goal >= 0.4",
    );
    ratio("factor 3 / factor 1, p50", three.p50 / one.p50, "goal <= 3");
}

fn ratio(what: &str, value: f64, goal: &str) {
    println!("{what:<40} {value:>6.2}  {goal}");
}

impl Figures {
    fn print(&self, name: &str) {
        println!(
            "{name:<28} {:>9.1} {:>9.1} {:>10.0}/s {:>10.0}/s",
            self.p50, self.p99, self.at_64, self.at_512
        );
    }
}

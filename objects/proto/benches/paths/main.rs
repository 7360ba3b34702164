//! Times of the object layer's hot paths, without a network: `cargo bench -p objects-proto`.
//!
//! `--instructions NAME COUNT` does one of them so often, for whoever counts instructions.

mod scenarios;
mod world;

use scenarios::{NAMES, Scenario};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--names") => NAMES.iter().for_each(|name| println!("{name}")),
        Some("--instructions") => {
            let name = arguments.get(2).expect("a name");
            let count = arguments.get(3).and_then(|count| count.parse().ok());
            let mut scenario = Scenario::new(name);
            (0..count.expect("a count")).for_each(|_: u32| scenario.step());
        }
        _ => divan::main(),
    }
}

#[divan::bench(args = NAMES)]
fn path(bencher: divan::Bencher<'_, '_>, name: &str) {
    let mut scenario = Scenario::new(name);
    bencher.bench_local(|| scenario.step());
}

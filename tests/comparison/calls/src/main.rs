//! The same counter on other libraries: two processes on loopback, one caller alone, then 64 and
//! 512 at once.
//!
//! `calls measure` prints a row of JSON for each, and `calls table BENCH.json ROWS.json PLOT.svg`
//! puts them beside what `peer bench --json` printed, as `../run` does.

mod grpc;
mod kameo;
mod measure;
mod peers;
mod pyro5;
mod ractor;
mod redis;
mod remoc;
mod table;
mod tarpc;

use std::process::ExitCode;

use serde_json::json;

use crate::measure::Figures;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread, as the peers of `peer bench` have.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let done = match arguments[..] {
        ["measure"] => runtime.block_on(measure_all()),
        ["ractor-client", port] => runtime.block_on(ractor::measure(port)).map(print),
        ["kameo-client", address] => runtime.block_on(kameo::measure(address)).map(print),
        ["serve", "kameo"] => runtime.block_on(kameo::serve()),
        ["serve", "ractor"] => runtime.block_on(ractor::serve()),
        ["serve", "remoc"] => runtime.block_on(remoc::serve()),
        ["serve", "tonic"] => runtime.block_on(grpc::serve()),
        ["serve", "tarpc"] => runtime.block_on(tarpc::serve()),
        ["table", bench, rows, plot] => table::print(bench, rows, plot),
        _ => Err("usage: calls measure | table BENCH.json ROWS.json PLOT.svg".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn print((name, figures): (&str, Figures)) {
    println!(
        "{}",
        json!({
            "name": name, "p50_us": figures.p50, "p99_us": figures.p99,
            "c64_per_s": figures.at_64, "c512_per_s": figures.at_512,
        })
    );
}

/// Measures whatever is here; what is not is left out with a note.
async fn measure_all() -> Result<(), String> {
    eprintln!("measuring tarpc");
    print(("tarpc (bincode)", tarpc::measure().await?));
    eprintln!("measuring tonic");
    print(("tonic (gRPC)", grpc::measure().await?));
    eprintln!("measuring remoc");
    print(("remoc rtc", remoc::measure().await?));
    // These have globals: client and server are processes that do nothing else.
    for (server, client) in [("ractor", "ractor-client"), ("kameo", "kameo-client")] {
        eprintln!("measuring {server}");
        let serve = ["serve", server];
        peers::run(&serve, async |address| {
            peers::inherit(&[client, &address]).await
        })
        .await?;
    }
    eprintln!("measuring Redis and Pyro5");
    match redis::measure().await {
        Ok(figures) => print(("Redis INCRBY", figures)),
        Err(why) => eprintln!("left out: Redis: {why}"),
    }
    if let Err(why) = pyro5::measure().await {
        eprintln!("left out: Pyro5: {why}");
    }
    Ok(())
}

//! `peer bench`: what calls cost, between processes on loopback, beside a bare libp2p stream in
//! the same run.
//!
//! Figures of one run may be compared with each other; absolute ones move by a factor of two on
//! shared machines.

mod bare;
mod cluster;
mod kinds;
mod measure;
mod process;
mod report;
mod sections;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use objects::Builder;

use self::bare::Bare;
use self::measure::Pace;
use self::report::Report;
use crate::commands;
use crate::exit::Exit;
use crate::options::{Global, RunArgs};
use crate::output;

/// Options of `peer bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchArgs {
    /// Draw the figures into this file, .svg or .html.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Measure only these parts [default: all].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Section>,
    /// A look at everything within two minutes: shorter, with fewer objects, less exact.
    #[arg(long)]
    quick: bool,
    /// Objects of the parts about idle objects and a primary's death [default: 1,000,000 and
    /// 100,000; with --quick 20,000 and 2,000].
    #[arg(long)]
    objects: Option<usize>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// One caller alone and many at once, with 1, 3 and 5 replicas.
    Calls,
    /// Arguments and results of 16 bytes to 1 MiB.
    Payloads,
    /// Reads by a majority, under leases and stale.
    Reads,
    /// Making objects.
    Creations,
    /// Small calls beside transfers of 1 MiB.
    Bulk,
    /// 2 to 16 host processes.
    Processes,
    /// What an idle object takes.
    Idle,
    /// The death of a peer with 100,000 objects.
    Takeover,
}

/// What the parts share.
struct Bench {
    pace: Pace,
    /// How often figures that are compared are taken, in turn.
    rounds: usize,
    /// Objects of the idle part, and of the dead peer.
    idle: usize,
    orphans: usize,
    /// How long idle objects are watched.
    quiet: Duration,
    bare: Arc<Bare>,
    report: Report,
}

impl Bench {
    async fn new(args: &BenchArgs) -> Result<Self, String> {
        let quick = args.quick;
        let objects = |many, few| args.objects.unwrap_or(if quick { few } else { many });
        let (alone, seconds) = if quick { (1_000, 0.5) } else { (10_000, 2.0) };
        Ok(Self {
            pace: Pace {
                alone,
                together: Duration::from_secs_f64(seconds),
            },
            rounds: if quick { 1 } else { 3 },
            idle: objects(1_000_000, 20_000),
            orphans: objects(100_000, 2_000),
            quiet: Duration::from_secs(if quick { 5 } else { 60 }),
            bare: Bare::start().await?,
            report: Report::default(),
        })
    }

    /// Tells whoever waits what is being measured.
    #[expect(clippy::unused_self, reason = "so that every part tells it alike")]
    fn progress(&self, what: &str) {
        eprintln!("measuring {what}");
    }

    async fn measure(&mut self, section: Section) -> Result<(), String> {
        match section {
            Section::Calls => sections::calls::run(self).await,
            Section::Payloads => sections::payloads::run(self).await,
            Section::Reads => sections::reads::run(self).await,
            Section::Creations => sections::creations::run(self).await,
            Section::Bulk => sections::bulk::run(self).await,
            Section::Processes => sections::processes::run(self).await,
            Section::Idle => sections::idle::run(self).await,
            Section::Takeover => sections::takeover::run(self).await,
        }
    }
}

/// Measures and reports.
pub(crate) async fn run(global: &Global, args: &BenchArgs) -> Exit {
    match measured(args).await {
        Ok(report) => {
            if global.json {
                output::json(&report.json());
            } else {
                report.print();
            }
            Exit::Success
        }
        Err(error) => {
            eprintln!("the benchmark could not go on: {error}");
            Exit::NotExecuted
        }
    }
}

async fn measured(args: &BenchArgs) -> Result<Report, String> {
    let plot = match &args.plot {
        Some(path) => Some((path, plot::Kind::of(path)?)),
        None => None,
    };
    let mut bench = Bench::new(args).await?;
    for section in Section::value_variants() {
        let wanted = args.only.is_empty() || args.only.contains(section);
        if wanted && let Err(error) = Box::pin(bench.measure(*section)).await {
            eprintln!("this part could not go on: {error}");
        }
    }
    if let Some((path, kind)) = plot {
        std::fs::write(path, bench.report.draw(kind))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(bench.report)
}

/// A host process of the benchmark: `peer run` with the kinds that are measured.
pub(crate) async fn host(
    global: &Global,
    args: &RunArgs,
    own: impl FnOnce(Builder) -> Builder,
) -> Exit {
    std::thread::spawn(end_with_parent);
    let kinds = |builder| {
        own(builder)
            .host::<kinds::Payload>()
            .host::<kinds::Leased>()
            .host::<kinds::Stale>()
    };
    commands::run::run(global, args, kinds).await
}

/// A benchmark that is killed leaves no hosts behind: it held the other end of their input.
fn end_with_parent() {
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
    std::process::exit(0);
}

/// The process at the other end of the bare stream.
pub(crate) async fn bare_server() -> Exit {
    std::thread::spawn(end_with_parent);
    match bare::serve().await {
        Ok(()) => Exit::Success,
        Err(error) => {
            eprintln!("{error}");
            Exit::NotExecuted
        }
    }
}

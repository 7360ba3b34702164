//! `sim`: runs scenarios of the simulated world.
//!
//! Exit codes: 0 every invariant held, 1 one did not, 2 the command line or scenario is wrong.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use simulations::report::Report;
use simulations::run::Plan;
use simulations::scenario::Scenario;

/// Runs PyDO's protocol cores in a simulated world, in virtual time.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run one seed of a scenario.
    Run {
        #[command(flatten)]
        which: Which,
        /// The seed: it alone decides everything that happens.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print this many of the last events, also when every invariant held.
        #[arg(long)]
        events: Option<usize>,
    },
    /// Run many seeds of a scenario; stop at the first failure.
    Sweep {
        #[command(flatten)]
        which: Which,
        /// How many seeds.
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Seeds run side by side; default: one per core.
        #[arg(long)]
        jobs: Option<usize>,
        /// Go on after a failure.
        #[arg(long)]
        keep_going: bool,
    },
    /// List the scenarios.
    List,
}

#[derive(Args)]
struct Which {
    /// A scenario's name, or a path to a TOML file.
    scenario: String,
    /// Number of peers, instead of the scenario's.
    #[arg(long)]
    peers: Option<u32>,
    /// Hours of faults, instead of the scenario's.
    #[arg(long)]
    hours: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Which {
    fn plan(&self) -> Result<Plan, String> {
        let scenario = if self.scenario.ends_with(".toml") {
            let text = std::fs::read_to_string(&self.scenario)
                .map_err(|error| format!("{}: {error}", self.scenario))?;
            Scenario::parse(&self.scenario, &text)
        } else {
            Scenario::named(&self.scenario)
        };
        let mut plan = Plan::new(&self.scenario, scenario.map_err(|error| error.to_string())?);
        if let Some(peers) = self.peers {
            if !(1..=10_000).contains(&peers) {
                return Err(format!("{peers} peers: 1 to 10000 can be simulated"));
            }
            plan.nodes = Some(peers);
            plan.arguments.push_str(&format!(" --peers {peers}"));
        }
        if let Some(hours) = self.hours {
            if !(0.0..=10_000.0).contains(&hours) {
                return Err(format!("{hours} hours cannot be simulated"));
            }
            plan.scenario.fault_seconds = (hours * 3_600.0) as u64;
            plan.arguments.push_str(&format!(" --hours {hours}"));
        }
        Ok(plan)
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Action::Run {
            which,
            seed,
            events,
        } => run(&which, seed, events),
        Action::Sweep {
            which,
            seeds,
            first,
            jobs,
            keep_going,
        } => sweep(&which, first, seeds, jobs, keep_going),
        Action::List => list(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("sim: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(which: &Which, seed: u64, events: Option<usize>) -> Result<bool, String> {
    let plan = which.plan()?;
    let report = match events {
        Some(events) => plan.run_traced(seed, events),
        None => plan.run(seed),
    };
    print(&report, which.json)?;
    Ok(report.failure.is_none())
}

fn print(report: &Report, json: bool) -> Result<(), String> {
    if json {
        println!(
            "{}",
            serde_json::to_string(report).map_err(|error| error.to_string())?
        );
    } else {
        print!("{report}");
    }
    Ok(())
}

fn sweep(
    which: &Which,
    first: u64,
    seeds: u64,
    jobs: Option<usize>,
    keep_going: bool,
) -> Result<bool, String> {
    let plan = which.plan()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done = 0_u64;
    let mut failures = Vec::new();
    let mut totals: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut events, mut simulated_ms) = (0, 0);
    plan.sweep(first, seeds, jobs.unwrap_or(cores), |report| {
        done += 1;
        events += report.events;
        simulated_ms += report.simulated_ms;
        for (name, count) in &report.counters {
            *totals.entry(name).or_default() += count;
        }
        if done.is_multiple_of(seeds.div_ceil(10).max(1)) {
            eprintln!("{done}/{seeds} seeds");
        }
        if report.failure.is_some() {
            failures.push(report);
        }
        keep_going || failures.is_empty()
    });
    for report in &failures {
        print(report, which.json)?;
    }
    let hours = simulated_ms as f64 / 3_600_000.0;
    let failed = failures.len();
    if which.json {
        let summary = serde_json::json!({
            "scenario": plan.name, "seeds": done, "failed": failed, "events": events,
            "simulated_hours": hours, "counters": totals,
        });
        println!("{summary}");
    } else {
        println!(
            "{}: {done} seeds, {hours:.1} h simulated, {events} events",
            plan.name
        );
        for (name, count) in &totals {
            println!("  {name:<28} {count:>12}");
        }
        println!("  {:<28} {failed:>12}", "failed seeds");
    }
    Ok(failures.is_empty())
}

fn list() -> Result<bool, String> {
    for name in Scenario::names() {
        let scenario = Scenario::named(name).map_err(|error| error.to_string())?;
        println!("{name:<12} {}", scenario.description);
    }
    Ok(true)
}

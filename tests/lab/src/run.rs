//! One run: start, faults, calm, last reads, verdict.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use simulations::seed::Seed;
use tokio::signal::unix::{SignalKind, signal};

use crate::faults::Fault;
use crate::field::{Field, PATIENCE};
use crate::figures;
use crate::history::{self, Line};
use crate::hosts::Hosts;
use crate::judge;
use crate::report::Report;
use crate::switch::Switch;
use crate::task::{Answer, Audit, Role, Task};

/// What the processes share: two of the sorts of logs and of what else there is would do; more
/// make more calls and more primaries to lose.
const ROLES: [(Role, usize); 4] = [
    (Role::Log, 4),
    (Role::LeasedLog, 4),
    (Role::Counter, 2),
    (Role::Account, 4),
];
/// After the last fault, calls go on for this long.
const CALM: Duration = Duration::from_secs(3);
/// Within this time after the last fault everybody's view must show exactly those that live.
const CONVERGES_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two looks at something that takes its time.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How long faults happen.
    #[arg(long, default_value_t = 180, value_name = "N")]
    pub seconds: u64,
    /// Draws the faults; printed, and random unless given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Peers that host objects, besides one client that no fault touches.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(5..=9))]
    pub peers: u8,
    /// Where the histories go, and stay, and logs if `RUST_LOG` is set. Otherwise they stay after
    /// a failure only.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Print the report as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What came of it.
pub enum Outcome {
    /// This machine cannot do it, and why.
    Skipped(String),
    /// SIGINT or SIGTERM came; all processes and namespaces are gone.
    Interrupted,
    /// It ran.
    Ran(Box<Report>),
}

/// Runs the lab, until its end or until this process gets SIGINT or SIGTERM. `program` is this
/// package's binary.
///
/// # Errors
/// In words, if the lab itself failed: a process did not start, a history cannot be read.
pub fn run(options: &Options, program: &Path) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        // Before anything is made that has to be removed.
        let caught = |kind| signal(kind).map_err(|error| error.to_string());
        let mut interrupt = caught(SignalKind::interrupt())?;
        let mut terminate = caught(SignalKind::terminate())?;
        tokio::select! {
            biased;
            _ = interrupt.recv() => Ok(Outcome::Interrupted),
            _ = terminate.recv() => Ok(Outcome::Interrupted),
            ran = run_to_end(options, program) => ran,
        }
    })
}

async fn run_to_end(options: &Options, program: &Path) -> Result<Outcome, String> {
    let (hosts, ports) = match Hosts::make(usize::from(options.peers) + 1) {
        Ok(made) => made,
        Err(problem) => return Ok(Outcome::Skipped(problem)),
    };
    let random = history::now() ^ u64::from(std::process::id()) << 40;
    let number = options.seed.unwrap_or(random % 1_000_000);
    let seed = Seed::new(number);
    let folder = Folder::make(options.folder.clone())?;
    eprintln!("seed {number}, histories in {}", folder.path.display());
    let switch = Switch::start(ports, seed);
    let seconds = Duration::from_secs(options.seconds);
    let mut field = Field::start(hosts, switch, program, &folder.path, seed).await?;
    let mut report = carry_out(&mut field, seconds, options).await?;
    report.seed = number;
    if options.folder.is_some() || !report.holds() {
        report.histories = Some(folder.keep());
    }
    Ok(Outcome::Ran(Box::new(report)))
}

/// Where the histories are; removed when this is dropped, unless the user named it.
struct Folder {
    path: PathBuf,
    stays: bool,
}

impl Folder {
    fn make(named: Option<PathBuf>) -> Result<Self, String> {
        let stays = named.is_some();
        let own = || std::env::temp_dir().join(format!("pydo-lab-{}", std::process::id()));
        let path = named.unwrap_or_else(own);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, stays })
    }

    fn keep(mut self) -> String {
        self.stays = true;
        self.path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.stays
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("{}: {error}", self.path.display());
        }
    }
}

async fn carry_out(
    field: &mut Field,
    seconds: Duration,
    options: &Options,
) -> Result<Report, String> {
    let roles = ROLES.into_iter();
    let roles = roles.flat_map(|(role, count)| std::iter::repeat_n(role, count));
    field.create(roles.collect()).await?;
    field.work_everywhere().await;
    let begin = Instant::now();
    while begin.elapsed() < seconds {
        let fault = Fault::draw(&mut field.dice);
        eprintln!("{:>4} s: {}", begin.elapsed().as_secs(), fault.name());
        field.carry_out(fault).await?;
    }
    field.calm().await?;
    tokio::time::sleep(CALM).await;
    field.rest_everywhere().await;
    converge(field).await;
    let audits = audit(field).await;
    let mut lines: Vec<Line> = Vec::new();
    for path in &field.histories {
        lines.extend(history::read(path)?);
    }
    let (checked, broken) = judge::check(&field.things, &audits, &lines);
    field.violations.extend(broken);
    let mut report = Report::of(options, field);
    report.ops = checked;
    report.outcomes = figures::outcomes(&lines);
    let roles: Vec<Role> = field.things.iter().map(|thing| thing.role).collect();
    let of = |fault| figures::failovers(fault, &roles, &field.faults, &lines);
    report.failovers(&of(Fault::Kill), &of(Fault::Stop));
    Ok(report)
}

/// Waits until everybody sees exactly those that live.
async fn converge(field: &mut Field) {
    let deadline = Instant::now() + CONVERGES_WITHIN;
    while let Err(problem) = field.views_agree().await {
        if Instant::now() >= deadline {
            field.violations.push(format!("view_converges: {problem}"));
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The last reads. What accounts sent each other must have arrived by then.
async fn audit(field: &mut Field) -> Vec<Audit> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let task = Task::Audit(field.things.clone());
        let answer = field.control.ask(&task, PATIENCE).await;
        let Some(Answer::Audited(audits)) = answer else {
            field
                .violations
                .push("serves_after_heal: no last reads".to_owned());
            return Vec::new();
        };
        if judge::all_arrived(&audits) || Instant::now() >= deadline {
            return audits;
        }
        tokio::time::sleep(LOOK).await;
    }
}

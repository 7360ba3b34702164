//! One process of the lab: a node that hosts the lab's kinds and calls its objects, told by
//! lines what to do.

mod work;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use examples::bank::Account;
use objects::kinds::Counter;
use objects::{Node, Ref};
use tokio::io::{AsyncBufReadExt, BufReader};
use tracing_subscriber::EnvFilter;

use self::work::Workers;
use crate::history::Recorder;
use crate::kinds::{LeasedLog, Log};
use crate::task::{Answer, Audit, Place, Role, Started, Task, Thing};

/// What an account has to begin with.
pub(crate) const BALANCE: u64 = 1_000;
/// How long the last reads may take.
const AUDIT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// One process of the lab.
#[derive(Args, Clone, Debug)]
pub struct Life {
    /// Unique in the run; call ids begin with it.
    #[arg(long)]
    number: u64,
    /// The cluster.
    #[arg(long)]
    cluster: String,
    /// Where to listen.
    #[arg(long)]
    listen: String,
    /// Peers to begin with.
    #[arg(long)]
    peer: Vec<String>,
    /// Where the history goes.
    #[arg(long)]
    history: PathBuf,
    /// Draws what is called and when.
    #[arg(long)]
    seed: u64,
    /// Hosts nothing.
    #[arg(long)]
    client: bool,
}

/// Lives until its input ends or it is told to leave.
pub fn live(life: &Life) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(life)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("a process of the lab: {problem}");
    ExitCode::from(2)
}

/// What `RUST_LOG` asks for goes into a file beside the history.
fn write_log(life: &Life) -> std::io::Result<()> {
    if let Ok(filter) = EnvFilter::try_from_default_env() {
        let file = std::fs::File::create(life.history.with_extension("log"))?;
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(file))
            .init();
    }
    Ok(())
}

async fn run(life: &Life) -> Result<(), String> {
    write_log(life).map_err(|error| error.to_string())?;
    let recorder = Recorder::create(&life.history).map_err(|error| error.to_string())?;
    let node = start(life).await?;
    let address = node.addresses().first().cloned().unwrap_or_default();
    let process = node.id().to_string();
    say(&Started { process, address });
    let workers = Workers::new(node.clone(), recorder, life.number, life.seed);
    let served = Arc::new(Served { node, workers });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let (id, task): (u64, Task) =
            serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
        if matches!(task, Task::Leave) {
            served.workers.rest().await;
            let left = served.node.shutdown().await;
            say(&(id, Answer::Done));
            return left.map_err(|error| error.to_string());
        }
        let served = served.clone();
        tokio::spawn(async move { say(&(id, served.carry_out(task).await)) });
    }
    Ok(())
}

async fn start(life: &Life) -> Result<Node, String> {
    let mut builder = Node::builder()
        .ignore_environment()
        .cluster(&life.cluster)
        .listen(&life.listen)
        .mdns(false)
        .runtime_folder(false);
    builder = if life.client {
        builder.client()
    } else {
        builder
            .host::<Log>()
            .host::<LeasedLog>()
            .host::<Counter>()
            .host::<Account>()
    };
    for peer in &life.peer {
        builder = builder.peer(peer);
    }
    builder.start().await.map_err(|error| error.to_string())
}

fn say(value: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        let _nobody_listens = writeln!(std::io::stdout().lock(), "{text}");
    }
}

struct Served {
    node: Node,
    workers: Workers,
}

impl Served {
    async fn carry_out(&self, task: Task) -> Answer {
        match task {
            Task::Create(roles) => self.create(&roles).await,
            Task::Work(things) => {
                self.workers.work(&things);
                Answer::Done
            }
            Task::Rest => {
                self.workers.rest().await;
                Answer::Done
            }
            Task::Places(things) => {
                let mut places = Vec::new();
                for thing in &things {
                    places.push(self.place(thing).await);
                }
                Answer::Places(places)
            }
            Task::Audit(things) => {
                let mut audits = Vec::new();
                for thing in &things {
                    audits.push(self.audit(thing).await);
                }
                Answer::Audited(audits)
            }
            Task::Members => {
                let view = self.node.members();
                let processes = view.members().iter().map(|one| one.record.process);
                Answer::Members(processes.map(|process| process.to_string()).collect())
            }
            Task::Leave => Answer::Failed("leaving is for the loop of lines".to_owned()),
        }
    }

    async fn create(&self, roles: &[Role]) -> Answer {
        let mut things = Vec::new();
        for role in roles {
            let node = &self.node;
            let made = match role {
                Role::Log => reference(node.create(Log::default()).await),
                Role::LeasedLog => reference(node.create(LeasedLog::default()).await),
                Role::Counter => reference(node.create(Counter::default()).await),
                Role::Account => reference(node.create(Account::with(BALANCE)).await),
            };
            match made {
                Ok(reference) => things.push(Thing {
                    role: *role,
                    reference,
                }),
                Err(problem) => return Answer::Failed(problem),
            }
        }
        Answer::Things(things)
    }

    async fn place(&self, thing: &Thing) -> Option<Place> {
        let found = self.node.inspect(&thing.reference).await.ok()?;
        let set = &found.configuration;
        Some(Place {
            primary: set.process(found.ballot.member)?.to_string(),
            members: set.processes().map(|one| one.to_string()).collect(),
        })
    }

    async fn audit(&self, thing: &Thing) -> Audit {
        let raw = thing.reference.clone();
        let node = &self.node;
        let read = async {
            Ok(match thing.role {
                Role::Log => {
                    let log = node.get(Ref::<Log>::from_raw(raw));
                    Audit::Entries(log.entries().timeout(AUDIT_TIMEOUT).await?)
                }
                Role::LeasedLog => {
                    let log = node.get(Ref::<LeasedLog>::from_raw(raw));
                    Audit::Entries(log.entries().timeout(AUDIT_TIMEOUT).await?)
                }
                Role::Counter => {
                    let counter = node.get(Ref::<Counter>::from_raw(raw));
                    Audit::Count(counter.count().timeout(AUDIT_TIMEOUT).await?)
                }
                Role::Account => {
                    let account = node.get(Ref::<Account>::from_raw(raw));
                    let (has, sent, received) = account.statement().timeout(AUDIT_TIMEOUT).await?;
                    Audit::Statement(has, sent, received)
                }
            })
        };
        let read: Result<Audit, objects::CallError> = read.await;
        read.unwrap_or_else(|error| Audit::Unread(error.to_string()))
    }
}

fn reference(
    made: objects::Result<impl AsRef<objects::RawRef>>,
) -> Result<objects::RawRef, String> {
    let made = made.map_err(|error| error.to_string())?;
    Ok(made.as_ref().clone())
}

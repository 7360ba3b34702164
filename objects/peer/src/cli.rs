//! What can be asked on the command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use objects::Builder;

use crate::exit::Exit;
use crate::options::{Global, RunArgs};
use crate::{bench, commands, demo};

/// Shared objects on a LAN: host them, call them, lose a peer, keep going.
///
/// Exit codes: 0 done; 1 the call ran and said no; 2 usage; 3 not executed; 4 unknown whether
/// it ran.
#[derive(Parser)]
#[command(name = "peer", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a peer that hosts objects, until SIGTERM or Ctrl-C: then it hands over and leaves;
    /// a second signal stops at once.
    Run(RunArgs),
    /// Play the story: a registry and real peers on loopback, a load, and kills.
    Demo(demo::DemoArgs),
    /// Measure what calls cost on this machine, beside a bare libp2p stream.
    Bench(bench::BenchArgs),
    /// A host process of the benchmark.
    #[command(hide = true)]
    BenchHost(RunArgs),
    /// The other end of the benchmark's bare stream.
    #[command(hide = true)]
    BenchBare,
    /// Run a registry, which introduces peers to each other.
    Registry(bootstrap::daemon::DaemonArgs),
    /// Make an object: `peer create Counter --name hits '{"count": 0}'`.
    Create {
        /// The kind, for example Counter, Map or Lock.
        kind: String,
        /// A name for it; without one it has only its id.
        #[arg(long)]
        name: Option<String>,
        /// The initial state [default: the kind's default].
        state: Option<String>,
    },
    /// Call a method: `peer call hits increment 1`.
    Call {
        /// The object's name, or its id.
        object: String,
        /// The method.
        method: String,
        /// The arguments in order, each as JSON; a bare word is taken as a string.
        arguments: Vec<String>,
    },
    /// Show the peers of the cluster.
    Members,
    /// Show the named objects.
    Objects,
    /// Explain where an object is, and what it survives.
    Inspect {
        /// The object's name, or its id.
        object: String,
    },
    /// Restore an object whose majority is lost from its best surviving copy. Calls that only
    /// the lost replicas knew are lost: use it when those are gone for good.
    Recover {
        /// The object's name, or its id.
        object: String,
    },
    /// Delete an object, and its name.
    Delete {
        /// The object's name, or its id.
        object: String,
    },
}

/// Runs the command line of this process. `kinds` adds the program's own kinds to the standard
/// ones wherever a peer is started.
pub fn main(kinds: impl FnOnce(Builder) -> Builder) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Success.into()
            };
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,libp2p_kad=error")),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            return Exit::NotExecuted.into();
        }
    };
    runtime.block_on(dispatch(cli, kinds)).into()
}

/// One thread for the network where there are two processors, because two wake each other up more
/// than they work; else all but one, which is left to methods.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = if processors > 2 {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(processors - 1);
        builder
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.enable_all().build()
}

async fn dispatch(cli: Cli, kinds: impl FnOnce(Builder) -> Builder) -> Exit {
    let global = cli.global;
    match cli.command {
        Command::Run(args) => commands::run::run(&global, &args, kinds).await,
        Command::Demo(args) => demo::run(&global, &args).await,
        Command::Bench(args) => bench::run(&global, &args).await,
        Command::BenchHost(args) => bench::host(&global, &args, kinds).await,
        Command::BenchBare => bench::bare_server().await,
        Command::Registry(args) => match bootstrap::daemon::run(&args, global.json).await {
            Ok(()) => Exit::Success,
            Err(error) => {
                eprintln!("{error}");
                Exit::NotExecuted
            }
        },
        Command::Create { kind, name, state } => {
            commands::create::run(&global, &kind, name.as_deref(), state.as_deref()).await
        }
        Command::Call {
            object,
            method,
            arguments,
        } => commands::call::run(&global, &object, &method, &arguments).await,
        Command::Members => commands::members::run(&global).await,
        Command::Objects => commands::objects::run(&global).await,
        Command::Inspect { object } => commands::inspect::run(&global, &object).await,
        Command::Recover { object } => commands::recover::run(&global, &object).await,
        Command::Delete { object } => commands::delete::run(&global, &object).await,
    }
}

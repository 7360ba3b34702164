//! Real processes that print JSON lines: registries and peers, for the demo and for tests.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// A child process of this executable that prints JSON lines.
pub struct Process {
    /// What it is called in the story.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// The peer id it printed; empty for a registry.
    pub peer: String,
    /// The first address it printed.
    pub address: String,
    /// How it ended: a signal's name, or `running`.
    pub ended: &'static str,
    child: Child,
    metrics: Arc<Mutex<Value>>,
}

impl Process {
    /// Starts this executable again with these arguments and waits for its first line.
    ///
    /// # Errors
    /// A text for people: it could not be started, or ended before it said that it runs.
    pub async fn start(name: &str, arguments: &[String]) -> Result<Self, String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("cannot find this executable: {error}"))?;
        Self::spawn(name, Command::new(program), arguments).await
    }

    /// Starts a command, to which `arguments` and `--json` are added, and waits for its first
    /// line.
    ///
    /// # Errors
    /// A text for people: it could not be started, or ended before it said that it runs.
    pub async fn spawn(
        name: &str,
        mut command: Command,
        arguments: &[String],
    ) -> Result<Self, String> {
        command.args(arguments).arg("--json").kill_on_drop(true);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "error");
        }
        for variable in ["CLUSTER", "REGISTRY", "PEER", "LISTEN", "DATA_DIR"] {
            command.env_remove(format!("PYDO_{variable}"));
        }
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let pid = child.id().unwrap_or_default();
        let stdout = child.stdout.take().ok_or("no output pipe")?;
        let (started, line) = oneshot::channel();
        let metrics = Arc::new(Mutex::new(Value::Null));
        tokio::spawn(follow(BufReader::new(stdout), started, metrics.clone()));
        let line = line
            .await
            .map_err(|_| format!("{name} ended before it was ready"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Self {
            name: name.to_owned(),
            pid,
            peer: text(&line["peer"]),
            address: text(&line["addresses"][0]),
            ended: "running",
            child,
            metrics,
        })
    }

    /// SIGKILL, without a word of goodbye.
    pub async fn kill(&mut self) {
        self.child.kill().await.ok();
        self.ended = "SIGKILL";
    }

    /// SIGTERM: hand over and leave. Waits for the end.
    pub async fn terminate(&mut self) {
        self.signal("TERM").await;
        self.child.wait().await.ok();
        self.ended = "SIGTERM";
    }

    /// Sends a signal by its name, for example `STOP`.
    pub async fn signal(&self, signal: &str) {
        let arguments = [format!("-{signal}"), self.pid.to_string()];
        Command::new("kill").args(arguments).status().await.ok();
    }

    /// Whether it has not been ended by the story.
    pub fn is_running(&self) -> bool {
        self.ended == "running"
    }

    /// A counter that the process reported last, 0 before the first report.
    pub fn metric(&self, name: &str) -> u64 {
        self.metrics
            .lock()
            .map(|metrics| metrics[name].as_u64().unwrap_or(0))
            .unwrap_or(0)
    }
}

async fn follow(
    mut output: BufReader<tokio::process::ChildStdout>,
    started: oneshot::Sender<Value>,
    metrics: Arc<Mutex<Value>>,
) {
    let mut started = Some(started);
    let mut line = String::new();
    while matches!(output.read_line(&mut line).await, Ok(1..)) {
        if let Ok(value) = serde_json::from_str::<Value>(&line) {
            if value["event"] == "started"
                && let Some(started) = started.take()
            {
                started.send(value).ok();
            } else if value["event"] == "metrics"
                && let Ok(mut metrics) = metrics.lock()
            {
                *metrics = value;
            }
        }
        line.clear();
    }
}

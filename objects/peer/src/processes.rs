//! Real processes that print JSON lines: registries and peers, for the demo and for tests.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

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
    events: watch::Receiver<VecDeque<(String, String)>>,
}

/// Events of a process that are remembered, the newest ones.
const EVENTS_KEPT: usize = 1_024;

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
            .stdin(Stdio::piped())
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
        let (told, events) = watch::channel(VecDeque::new());
        let output = Output {
            started: Some(started),
            metrics: metrics.clone(),
            told,
        };
        tokio::spawn(output.follow(BufReader::new(stdout)));
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
            events,
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

    /// Waits until the process has printed an event of this name with this detail; false if it
    /// ended without.
    pub async fn told(&self, event: &str, detail: &str) -> bool {
        let mut events = self.events.clone();
        let told = |(name, about): &(String, String)| name == event && about == detail;
        let told = events.wait_for(|events| events.iter().any(told)).await;
        told.is_ok()
    }

    /// Whether the process has printed an event of this name.
    pub fn has_told(&self, event: &str) -> bool {
        self.events.borrow().iter().any(|(name, _)| name == event)
    }
}

/// What a process prints, sorted.
struct Output {
    started: Option<oneshot::Sender<Value>>,
    metrics: Arc<Mutex<Value>>,
    told: watch::Sender<VecDeque<(String, String)>>,
}

impl Output {
    async fn follow(mut self, mut output: BufReader<tokio::process::ChildStdout>) {
        let mut line = String::new();
        while matches!(output.read_line(&mut line).await, Ok(1..)) {
            if let Ok(value) = serde_json::from_str::<Value>(&line) {
                self.take(value);
            }
            line.clear();
        }
    }

    fn take(&mut self, value: Value) {
        match value["event"].as_str() {
            Some("started") => {
                if let Some(started) = self.started.take() {
                    started.send(value).ok();
                }
            }
            Some("metrics") => {
                if let Ok(mut metrics) = self.metrics.lock() {
                    *metrics = value;
                }
            }
            Some(event) => {
                let detail = value["detail"].as_str().unwrap_or_default();
                let event = (event.to_owned(), detail.to_owned());
                self.told.send_modify(|told| {
                    told.push_back(event);
                    if told.len() > EVENTS_KEPT {
                        told.pop_front();
                    }
                });
            }
            None => {}
        }
    }
}

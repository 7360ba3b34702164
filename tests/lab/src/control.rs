//! A process of the lab as the lab sees it: started on its host, told what to do, ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

use crate::task::{Answer, Started, Task};

/// How long a process may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>;

/// A running process; killed when this is dropped.
pub(crate) struct Process {
    /// The host that it runs on.
    pub(crate) host: usize,
    /// As the others name it.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: String,
    /// Its history.
    pub(crate) history: PathBuf,
    child: Child,
    tasks: tokio::sync::Mutex<(u64, ChildStdin)>,
    waiting: Waiting,
}

impl Process {
    /// Starts a command on a host and waits for its first line.
    ///
    /// # Errors
    /// In words, if it does not start or does not say so in time.
    pub(crate) async fn start(
        command: std::process::Command,
        host: usize,
        history: PathBuf,
    ) -> Result<Self, String> {
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("host {host}: {error}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("host {host}: no pipes"));
        };
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
        let Ok(Ok(Some(first))) = first else {
            return Err(format!("the process on host {host} did not start"));
        };
        let Started { process, address } =
            serde_json::from_str(&first).map_err(|error| format!("{first}: {error}"))?;
        let waiting = Waiting::default();
        tokio::spawn(take_answers(lines, waiting.clone()));
        Ok(Self {
            host,
            name: process,
            address,
            history,
            child,
            tasks: tokio::sync::Mutex::new((0, stdin)),
            waiting,
        })
    }

    /// Has it do something. `None` if it ends first, or does not answer within `patience`.
    pub(crate) async fn ask(&self, task: &Task, patience: Duration) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        {
            let mut tasks = self.tasks.lock().await;
            tasks.0 += 1;
            let id = tasks.0;
            self.waiting().insert(id, sender);
            let line = serde_json::to_string(&(id, task)).ok()? + "\n";
            tasks.1.write_all(line.as_bytes()).await.ok()?;
        }
        tokio::time::timeout(patience, answer).await.ok()?.ok()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && let Err(error) = kill_process(pid, signal)
        {
            eprintln!("host {}: {signal:?}: {error}", self.host);
        }
    }

    /// Waits for its end, and ends it if it takes too long.
    pub(crate) async fn ended(&mut self, patience: Duration) {
        if tokio::time::timeout(patience, self.child.wait())
            .await
            .is_err()
        {
            self.child.kill().await.ok();
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take_answers(mut lines: Lines<BufReader<ChildStdout>>, waiting: Waiting) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok((id, answer)) = serde_json::from_str::<(u64, Answer)>(&line) else {
            eprintln!("a process of the lab said: {line}");
            continue;
        };
        let waits = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        if let Some(waits) = waits {
            let _nobody_waits_any_more = waits.send(answer);
        }
    }
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
}

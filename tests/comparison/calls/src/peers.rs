//! The other processes.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Runs this program again as a server, and `with` with the first line that it prints.
pub(crate) async fn run<T>(
    arguments: &[&str],
    with: impl AsyncFnOnce(String) -> Result<T, String>,
) -> Result<T, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(arguments);
    run_command(command, with).await
}

/// The same with any program.
pub(crate) async fn run_command<T>(
    mut command: Command,
    with: impl AsyncFnOnce(String) -> Result<T, String>,
) -> Result<T, String> {
    command.stdout(Stdio::piped()).kill_on_drop(true);
    let mut server = command
        .spawn()
        .map_err(|error| format!("the server cannot be started: {error}"))?;
    let output = server.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    let line = lines.next_line().await.map_err(|error| error.to_string())?;
    let line = line.ok_or("the server ended before it was ready")?;
    let done = with(line).await;
    server.kill().await.map_err(|error| error.to_string())?;
    done
}

/// Runs this program again; what it prints is this one's output.
pub(crate) async fn inherit(arguments: &[&str]) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let ended = Command::new(program).args(arguments).status().await;
    let ended = ended.map_err(|error| error.to_string())?;
    ended
        .success()
        .then_some(())
        .ok_or_else(|| format!("{arguments:?} failed"))
}

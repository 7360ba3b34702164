//! Redis' INCRBY on one connection, pipelined by a writer that drains its queue, unencrypted.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

use crate::measure::{self, Figures};

const INCREMENT: &[u8] = b"*3\r\n$6\r\nINCRBY\r\n$7\r\ncounter\r\n$1\r\n1\r\n";
const QUEUED_MAX: usize = 4_096;

pub(crate) async fn measure() -> Result<Figures, String> {
    let port = free_port().await?;
    let mut server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("redis-server cannot be started: {error}"))?;
    let stream = connected(port).await?;
    let figures = measured(stream).await;
    server.kill().await.map_err(|error| error.to_string())?;
    figures
}

async fn free_port() -> Result<u16, String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

async fn connected(port: u16) -> Result<TcpStream, String> {
    for _ in 0..100 {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            return Ok(stream);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Err("redis-server does not answer".to_owned())
}

async fn measured(stream: TcpStream) -> Result<Figures, String> {
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let (reader, mut writer) = stream.into_split();
    let (calls, mut queue) = mpsc::channel::<oneshot::Sender<()>>(QUEUED_MAX);
    let (asked, mut waiting) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
    tokio::spawn(async move {
        let mut batch = Vec::new();
        let mut buffer = Vec::new();
        while queue.recv_many(&mut batch, 1_024).await > 0 {
            buffer.clear();
            for caller in batch.drain(..) {
                buffer.extend_from_slice(INCREMENT);
                asked.send(caller).ok();
            }
            if writer.write_all(&buffer).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let mut lines = BufReader::new(reader).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(caller) = waiting.recv().await
                && line.starts_with(':')
            {
                caller.send(()).ok();
            }
        }
    });
    measure::measure(move || {
        let calls = calls.clone();
        async move {
            let (done, answer) = oneshot::channel();
            let gone = "the connection with Redis is gone";
            calls.send(done).await.map_err(|_| gone)?;
            answer.await.map_err(|_| gone.to_owned())
        }
    })
    .await
}

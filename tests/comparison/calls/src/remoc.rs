//! remoc's remote traits over TCP, unencrypted.

use std::sync::Arc;

use remoc::prelude::*;
use remoc::rtc::CallError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::RwLock;

use crate::measure::{self, Figures};
use crate::peers;

#[remoc::rtc::remote(clone)]
trait Counter {
    /// Adds and returns the new number.
    async fn increment(&mut self, by: u64) -> Result<u64, CallError>;
}

struct Held(u64);

impl Counter for Held {
    async fn increment(&mut self, by: u64) -> Result<u64, CallError> {
        self.0 += by;
        Ok(self.0)
    }
}

pub(crate) async fn serve() -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|error| error.to_string())?;
    println!(
        "{}",
        listener.local_addr().map_err(|error| error.to_string())?
    );
    let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let (reader, writer) = stream.into_split();
    let (server, client) =
        CounterServerSharedMut::<_, remoc::codec::Default>::new(Arc::new(RwLock::new(Held(0))));
    remoc::Connect::io(remoc::Cfg::default(), reader, writer)
        .provide(client)
        .await
        .map_err(|error| error.to_string())?;
    server.serve().await.map_err(|error| error.to_string())
}

pub(crate) async fn measure() -> Result<Figures, String> {
    peers::run(&["serve", "remoc"], async |address| {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| error.to_string())?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let (reader, writer) = stream.into_split();
        let connected = remoc::Connect::io(remoc::Cfg::default(), reader, writer);
        let counter: CounterClient = connected
            .consume()
            .await
            .map_err(|error| error.to_string())?;
        measure::measure(move || {
            let mut counter = counter.clone();
            async move {
                let counted = counter.increment(1).await;
                counted.map(drop).map_err(|error| error.to_string())
            }
        })
        .await
    })
    .await
}

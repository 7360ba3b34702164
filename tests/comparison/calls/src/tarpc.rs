//! tarpc over TCP with bincode, unencrypted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context, serde_transport};

use crate::measure::{self, Figures};
use crate::peers;

#[tarpc::service]
trait Counter {
    /// Adds and returns the new number.
    async fn increment(by: u64) -> u64;
}

#[derive(Clone)]
struct Server(Arc<AtomicU64>);

impl Counter for Server {
    async fn increment(self, _: context::Context, by: u64) -> u64 {
        self.0.fetch_add(by, Ordering::Relaxed) + by
    }
}

pub(crate) async fn serve() -> Result<(), String> {
    let listening = serde_transport::tcp::listen("127.0.0.1:0", Bincode::default).await;
    let mut listening = listening.map_err(|error| error.to_string())?;
    println!("{}", listening.local_addr());
    let server = Server(Arc::default());
    while let Some(Ok(transport)) = listening.next().await {
        if let Err(error) = transport.get_ref().set_nodelay(true) {
            return Err(error.to_string());
        }
        let calls = BaseChannel::with_defaults(transport).execute(server.clone().serve());
        tokio::spawn(calls.for_each(|call| async {
            tokio::spawn(call);
        }));
    }
    Ok(())
}

pub(crate) async fn measure() -> Result<Figures, String> {
    peers::run(&["serve", "tarpc"], async |address| {
        let transport = serde_transport::tcp::connect(address, Bincode::default).await;
        let transport = transport.map_err(|error| error.to_string())?;
        transport
            .get_ref()
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let counter = CounterClient::new(client::Config::default(), transport).spawn();
        measure::measure(move || {
            let counter = counter.clone();
            async move {
                let called = counter.increment(context::current(), 1).await;
                called.map(drop).map_err(|error| error.to_string())
            }
        })
        .await
    })
    .await
}

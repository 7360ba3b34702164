//! tonic: gRPC over HTTP/2, unencrypted, on one connection.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::measure::{self, Figures};
use crate::peers;

/// The request.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Increment {
    /// By how much.
    #[prost(uint64, tag = "1")]
    by: u64,
}

/// The answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Count {
    /// The new number.
    #[prost(uint64, tag = "1")]
    count: u64,
}

mod generated {
    #![allow(clippy::all, clippy::pedantic, missing_docs, unused)]
    include!(concat!(env!("OUT_DIR"), "/comparison.Counter.rs"));
}

use generated::counter_client::CounterClient;
use generated::counter_server::{Counter, CounterServer};

#[derive(Default)]
struct Held(AtomicU64);

#[tonic::async_trait]
impl Counter for Held {
    async fn increment(&self, request: Request<Increment>) -> Result<Response<Count>, Status> {
        let by = request.into_inner().by;
        let count = self.0.fetch_add(by, Ordering::Relaxed) + by;
        Ok(Response::new(Count { count }))
    }
}

pub(crate) async fn serve() -> Result<(), String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|error| error.to_string())?;
    println!(
        "{}",
        listener.local_addr().map_err(|error| error.to_string())?
    );
    let accepted = stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        Some((accepted, listener))
    });
    Server::builder()
        .add_service(CounterServer::new(Held::default()))
        .serve_with_incoming(accepted)
        .await
        .map_err(|error| error.to_string())
}

pub(crate) async fn measure() -> Result<Figures, String> {
    peers::run(&["serve", "tonic"], async |address| {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let channel = endpoint.tcp_nodelay(true).connect().await;
        let counter = CounterClient::new(channel.map_err(|error| error.to_string())?);
        measure::measure(move || {
            let mut counter = counter.clone();
            async move {
                let counted = counter.increment(Increment { by: 1 }).await;
                counted.map(drop).map_err(|error| error.to_string())
            }
        })
        .await
    })
    .await
}

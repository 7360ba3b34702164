//! `ractor_cluster`'s remote actors over TCP, unencrypted.

use ractor::concurrency::Duration;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::{NodeServer, NodeServerMessage, RactorClusterMessage};

use crate::measure::{self, Figures};

const GROUP: &str = "counters";
const COOKIE: &str = "comparison";

#[derive(RactorClusterMessage)]
enum CounterMessage {
    #[rpc]
    Increment(u64, RpcReplyPort<u64>),
}

struct Counter;

impl Actor for Counter {
    type Msg = CounterMessage;
    type State = u64;
    type Arguments = ();

    async fn pre_start(
        &self,
        own: ActorRef<Self::Msg>,
        (): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        pg::join(GROUP.to_owned(), vec![own.get_cell()]);
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        count: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let CounterMessage::Increment(by, reply) = message;
        *count += by;
        reply.send(*count)?;
        Ok(())
    }
}

async fn node(port: u16, name: &str) -> Result<ActorRef<NodeServerMessage>, String> {
    let node = NodeServer::new(
        port,
        COOKIE.to_owned(),
        name.to_owned(),
        "localhost".to_owned(),
        None,
        None,
    );
    let started = Actor::spawn(None, node, ()).await;
    started
        .map(|(node, _)| node)
        .map_err(|error| error.to_string())
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

pub(crate) async fn serve() -> Result<(), String> {
    let port = free_port()?;
    let _node = node(port, "server").await?;
    let counter = Actor::spawn(None, Counter, ()).await;
    let (_counter, ended) = counter.map_err(|error| error.to_string())?;
    println!("{port}");
    ended.await.map_err(|error| error.to_string())
}

pub(crate) async fn measure(port: &str) -> Result<(&'static str, Figures), String> {
    let own = node(free_port()?, "client").await?;
    let address = format!("127.0.0.1:{port}");
    ractor_cluster::client_connect(&own, address)
        .await
        .map_err(|error| error.to_string())?;
    let group = GROUP.to_owned();
    let counter = loop {
        match pg::get_members(&group).into_iter().next() {
            Some(counter) => break ActorRef::<CounterMessage>::from(counter),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let figures = measure::measure(move || {
        let counter = counter.clone();
        async move {
            let counted = ractor::call!(counter, CounterMessage::Increment, 1);
            counted.map(drop).map_err(|error| error.to_string())
        }
    });
    Ok(("ractor_cluster", figures.await?))
}

//! kameo's remote actors: libp2p over TCP with noise and yamux, as this project's peers.

use std::sync::Arc;

use futures::StreamExt;
use kameo::Actor;
use kameo::actor::{RemoteActorRef, Spawn};
use kameo::message::{Context, Message};
use kameo::remote;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};
use serde::{Deserialize, Serialize};

use crate::measure::{self, Figures};

const NAME: &str = "counter";

#[derive(Actor, kameo::RemoteActor)]
struct Counter {
    count: u64,
}

#[derive(Serialize, Deserialize)]
struct Increment {
    by: u64,
}

#[kameo::remote_message]
impl Message<Increment> for Counter {
    type Reply = u64;

    async fn handle(&mut self, message: Increment, _: &mut Context<Self, Self::Reply>) -> u64 {
        self.count += message.by;
        self.count
    }
}

fn swarm() -> Result<Swarm<remote::Behaviour>, String> {
    let nodelay = tcp::Config::default().nodelay(true);
    let text = |error: &dyn std::error::Error| error.to_string();
    // More requests at once than its default of 100, which the 512 callers need.
    let config = remote::messaging::Config::default().with_max_concurrent_streams(2_048);
    let built = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(nodelay, noise::Config::new, yamux::Config::default)
        .map_err(|error| text(&error))?
        .with_behaviour(|key| remote::Behaviour::new(key.public().to_peer_id(), config))
        .map_err(|_| "no behaviour")?;
    let swarm = built.build();
    swarm.behaviour().init_global();
    Ok(swarm)
}

pub(crate) async fn serve() -> Result<(), String> {
    let mut swarm = swarm()?;
    let any: Multiaddr = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
    swarm.listen_on(any).map_err(|error| error.to_string())?;
    let counter = Counter::spawn(Counter { count: 0 });
    let peer = *swarm.local_peer_id();
    tokio::spawn(async move { counter.register(NAME).await });
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            println!("{address}/p2p/{peer}");
        }
    }
}

pub(crate) async fn measure(server: &str) -> Result<(&'static str, Figures), String> {
    let mut swarm = swarm()?;
    let (address, peer) = server.rsplit_once("/p2p/").ok_or("no peer id")?;
    let address: Multiaddr = address.parse().map_err(|_| "no address")?;
    let peer: PeerId = peer.parse().map_err(|_| "no peer id")?;
    swarm.add_peer_address(peer, address.clone());
    swarm.dial(address).map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let counter = loop {
        match RemoteActorRef::<Counter>::lookup(NAME).await {
            Ok(Some(counter)) => break Arc::new(counter),
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    };
    let figures = measure::measure(move || {
        let counter = counter.clone();
        async move {
            let asked = counter.ask(&Increment { by: 1 }).await;
            asked.map(drop).map_err(|error| error.to_string())
        }
    });
    Ok(("kameo remote", figures.await?))
}

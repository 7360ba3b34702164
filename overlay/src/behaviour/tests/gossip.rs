//! Gossip between real swarms, and in the simulator's model of it.

use gossipsub::{Event, IdentTopic, MessageAcceptance};
use libp2p::swarm::SwarmEvent;
use overlay_proto::{Duration, Input, Instant, Machine, Sink};
use simulations::conditions::{Conditions, Latency};
use simulations::environment::{Environment, Start, Transmitted};
use simulations::faults::Fault;
use simulations::gossip::Mesh;
use simulations::kernel::Kernel;
use simulations::seed::Seed;
use simulations::world::World;

use super::swarms::{BothEvent, Comparison, Swarms, runtime, sizes};
use super::*;

const MESSAGES: usize = 60;

/// What became of the messages, on average.
#[derive(Debug)]
struct Spread {
    /// Share of the other nodes that a message reached.
    delivered: f64,
    /// Copies of a message that arrived at each of them.
    copies: f64,
    /// Links of a node in the mesh.
    degree: f64,
}

async fn real(nodes: usize) -> Spread {
    let mut swarms = Swarms::start(nodes).await;
    swarms.link().await;
    let topic = IdentTopic::new("/pydo/calibration/topic/all");
    for swarm in &mut swarms.all {
        swarm.behaviour_mut().gossip.subscribe(&topic).unwrap();
    }
    let hash = topic.hash();
    let degree = |swarms: &Swarms| {
        let mesh = |swarm: &libp2p::Swarm<_>| degree_of(swarm, &hash);
        swarms.all.iter().map(mesh).collect::<Vec<usize>>()
    };
    let least = 5.min(nodes - 1);
    // The mesh is tended with each heartbeat, and each heartbeat makes no event: messages do.
    let mut number = 0_u64;
    while degree(&swarms).iter().any(|links| *links < least) {
        number += 1;
        let data = number.to_be_bytes();
        let _ = swarms.all[0]
            .behaviour_mut()
            .gossip
            .publish(hash.clone(), data);
        settle(&mut swarms, nodes - 1).await;
        assert!(number < 100, "no mesh: {:?}", degree(&swarms));
    }
    let before = swarms.seen();
    let mut delivered = 0;
    for message in 0..MESSAGES {
        let from = message % nodes;
        let data = [&b"measured"[..], &message.to_be_bytes()].concat();
        let published = swarms.all[from]
            .behaviour_mut()
            .gossip
            .publish(hash.clone(), data);
        published.unwrap();
        delivered += settle(&mut swarms, nodes - 1).await;
    }
    // Second and further copies may still be on their way.
    delivered += settle(&mut swarms, usize::MAX).await;
    let copies = swarms.seen() - before - MESSAGES as u64;
    let links: usize = degree(&swarms).iter().sum();
    swarms.stop();
    let wanted = (MESSAGES * (nodes - 1)) as f64;
    Spread {
        delivered: delivered as f64 / wanted,
        copies: copies as f64 / wanted,
        degree: links as f64 / nodes as f64,
    }
}

fn degree_of(swarm: &libp2p::Swarm<super::swarms::Both>, topic: &TopicHash) -> usize {
    swarm.behaviour().gossip.mesh_peers(topic).count()
}

/// Passes messages on until they were new to so many nodes, or none is under way. To how many.
async fn settle(swarms: &mut Swarms, wanted: usize) -> usize {
    let mut news = 0;
    while news < wanted {
        let Some((node, event)) = swarms.soon().await else {
            break;
        };
        let SwarmEvent::Behaviour(BothEvent::Gossip(Event::Message {
            propagation_source,
            message_id,
            ..
        })) = event
        else {
            continue;
        };
        news += 1;
        let gossip = &mut swarms.all[node].behaviour_mut().gossip;
        gossip.report_message_validation_result(
            &message_id,
            &propagation_source,
            MessageAcceptance::Accept,
        );
    }
    news
}

/// A machine that does nothing: the model of gossip is part of its surroundings.
struct Idle;

impl Machine for Idle {
    type Command = ();
    type Message = ();
    type Timer = ();
    type Event = ();

    fn handle(&mut self, _: Instant, _: Input<(), (), ()>, _: &mut impl Sink<(), (), ()>) {}
}

struct Nothing;

impl Environment<Idle> for Nothing {
    type Alarm = ();

    fn start(&mut self, _: &mut Kernel<Idle, ()>, _: Start) -> Idle {
        Idle
    }

    fn transmit(&mut self, (): ()) -> Result<Transmitted<()>, String> {
        Err(String::from("nothing is sent"))
    }

    fn event(&mut self, _: &mut Kernel<Idle, ()>, _: u32, (): ()) {}

    fn alarm(&mut self, _: &mut Kernel<Idle, ()>, (): ()) {}
}

/// The model without faults, as there are none on the loopback address; over many seeds.
fn model(nodes: usize) -> Spread {
    let (mut delivered, mut copies, mut degree) = (0.0, 0.0, 0.0);
    let count = u32::try_from(nodes).unwrap();
    for number in 0..SEEDS {
        let seed = Seed::new(number);
        let mut conditions = Conditions::any(&mut seed.dice());
        conditions.latency = Latency::Uniform {
            low: Duration::from_micros(50),
            high: Duration::from_micros(500),
        };
        let mut world = World::new(count, conditions.healed(), seed, 0, Nothing);
        for node in 0..count {
            world.fault(&Fault::Start(node));
        }
        let mut mesh = Mesh::new(count, seed);
        (mesh.loss, mesh.duplicates) = (0.0, 0.0);
        for message in 0..MESSAGES {
            let from = message as u32 % count;
            delivered += mesh.publish(&mut world.kernel, from, 100).len() as f64;
        }
        copies += world.kernel.traffic().messages() as f64;
        degree += mesh.degree();
    }
    let wanted = SEEDS as f64 * (MESSAGES * (nodes - 1)) as f64;
    Spread {
        delivered: delivered / wanted,
        copies: copies / wanted,
        degree: degree / SEEDS as f64,
    }
}

const SEEDS: u64 = 20;

#[test]
fn the_model_of_gossip_is_as_real_swarms_are() {
    let mut compared = Comparison::default();
    for nodes in sizes(&[3, 10, 30]) {
        let (real, model) = (runtime().block_on(real(nodes)), model(nodes));
        compared.add(
            nodes,
            "share of nodes reached",
            real.delivered,
            model.delivered,
        );
        compared.add(nodes, "links in the mesh", real.degree, model.degree);
        compared.add(nodes, "copies of a message", real.copies, model.copies);
    }
}

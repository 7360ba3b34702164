//! Records in a hash table of real swarms, and in the simulator's model of it.

use std::collections::{BTreeMap, VecDeque};

use kad::store::RecordStore;
use kad::{Event, GetRecordOk, QueryId, QueryResult, Quorum, Record, RecordKey};
use libp2p::swarm::SwarmEvent;
use overlay_proto::config::DirectoryConfig;
use overlay_proto::directory::ObjectKey;
use overlay_proto::member::Keys;
use overlay_proto::plain_keys::PlainKeys;
use overlay_proto::{Incarnation, Input, Instant, Machine, Output, ProcessId};
use simulations::finder::machine::{self, Command, Finder, Message};

use super::swarms::{BothEvent, Comparison, Swarms, runtime, sizes};
use super::*;

const RECORDS: usize = 30;

/// What writes and lookups took, on average.
#[derive(Debug)]
struct Effort {
    /// Share of lookups that found the record.
    found: f64,
    /// Nodes that keep a record.
    kept: f64,
    /// Nodes that one lookup asked.
    asked: f64,
}

async fn real(nodes: usize) -> Effort {
    let mut swarms = Swarms::start(nodes).await;
    let names: Vec<libp2p::PeerId> = swarms.all.iter().map(|s| *s.local_peer_id()).collect();
    let addresses = swarms.addresses.clone();
    for (place, swarm) in swarms.all.iter_mut().enumerate() {
        // As the driver does: the routing table is the view.
        for (other, (name, address)) in names.iter().zip(&addresses).enumerate() {
            if other != place {
                swarm
                    .behaviour_mut()
                    .directory
                    .add_address(name, address.clone());
            }
        }
    }
    let (mut found, mut asked) = (0, 0);
    for number in 0..RECORDS {
        let key = RecordKey::new(&key(number).0);
        let writer = &mut swarms.all[number % nodes].behaviour_mut().directory;
        let record = Record::new(key.clone(), vec![1; 100]);
        let write = writer.put_record(record, Quorum::One).unwrap();
        end(&mut swarms, number % nodes, write).await;
        let reader = (number * 7 + 1) % nodes;
        let reader = if reader == number % nodes {
            (reader + 1) % nodes
        } else {
            reader
        };
        let lookup = swarms.all[reader].behaviour_mut().directory.get_record(key);
        let (answers, requests) = end(&mut swarms, reader, lookup).await;
        found += usize::from(answers > 0);
        asked += requests;
    }
    let stored = |swarm: &mut libp2p::Swarm<super::swarms::Both>| {
        swarm
            .behaviour_mut()
            .directory
            .store_mut()
            .records()
            .count()
    };
    let kept: usize = swarms.all.iter_mut().map(stored).sum();
    swarms.stop();
    Effort {
        found: found as f64 / RECORDS as f64,
        kept: kept as f64 / RECORDS as f64,
        asked: f64::from(asked) / RECORDS as f64,
    }
}

/// Lets a query end. How many records it found, and how many nodes it asked.
async fn end(swarms: &mut Swarms, node: usize, query: QueryId) -> (usize, u32) {
    let mut answers = 0;
    loop {
        let (at, event) = swarms.next("the end of a query").await;
        let SwarmEvent::Behaviour(BothEvent::Directory(event)) = event else {
            continue;
        };
        match event {
            Event::InboundRequest {
                request:
                    kad::InboundRequest::PutRecord {
                        record: Some(record),
                        ..
                    },
            } => {
                let store = swarms.all[at].behaviour_mut().directory.store_mut();
                store.put(record).unwrap();
            }
            Event::OutboundQueryProgressed {
                id,
                result,
                stats,
                step,
            } if at == node && id == query => {
                if let QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(_))) = result {
                    answers += 1;
                }
                if step.last {
                    return (answers, stats.num_requests());
                }
            }
            _ => {}
        }
    }
}

fn key(number: usize) -> ObjectKey {
    let spread = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ObjectKey(spread.to_be_bytes())
}

/// The model's nodes without a network between them.
struct Model {
    nodes: BTreeMap<ProcessId, Finder>,
    asked: usize,
    found: usize,
}

impl Model {
    fn new(count: usize) -> Self {
        let process = |number: usize| ProcessId {
            peer: PlainKeys::numbered(number as u64).peer(),
            incarnation: Incarnation(1),
        };
        let finder = |process| Finder::new(DirectoryConfig::default(), process, 1);
        let nodes = (0..count).map(process).map(|one| (one, finder(one)));
        let mut model = Self {
            nodes: nodes.collect(),
            asked: 0,
            found: 0,
        };
        let all = model.all();
        for process in &all {
            let others = all.iter().filter(|other| *other != process).copied();
            model.run(*process, Command::Table(others.collect()));
        }
        model
    }

    fn all(&self) -> Vec<ProcessId> {
        self.nodes.keys().copied().collect()
    }

    /// Everything that follows from a command.
    fn run(&mut self, at: ProcessId, command: Command) {
        let mut inputs = VecDeque::from([(at, Input::Command(command))]);
        while let Some((to, input)) = inputs.pop_front() {
            let mut out = Vec::new();
            let node = self.nodes.get_mut(&to).unwrap();
            node.handle(Instant::from_micros(10_000_000), input, &mut out);
            for output in out {
                match output {
                    Output::Send {
                        to: receiver,
                        message,
                    } => {
                        self.asked += usize::from(matches!(message, Message::Get(_)));
                        let received = Input::Received { from: to, message };
                        inputs.push_back((receiver, received));
                    }
                    Output::Emit(machine::Event::Found(..)) => self.found += 1,
                    _ => {}
                }
            }
        }
    }
}

fn model(nodes: usize) -> Effort {
    let mut model = Model::new(nodes);
    let all = model.all();
    for number in 0..RECORDS {
        let writer = all[number % nodes];
        model.run(writer, Command::Hold(key(number), 1));
        let reader = (number * 7 + 1) % nodes;
        let reader = if reader == number % nodes {
            (reader + 1) % nodes
        } else {
            reader
        };
        model.run(all[reader], Command::Find(key(number)));
    }
    let kept: usize = model.nodes.values().map(Finder::stored).sum();
    Effort {
        found: model.found as f64 / RECORDS as f64,
        kept: kept as f64 / RECORDS as f64,
        asked: model.asked as f64 / RECORDS as f64,
    }
}

#[test]
fn the_model_of_the_directory_is_as_real_swarms_are() {
    let mut compared = Comparison::default();
    for nodes in sizes(&[3, 10, 30]) {
        let (real, model) = (runtime().block_on(real(nodes)), model(nodes));
        compared.add(nodes, "share of lookups that find", real.found, model.found);
        compared.add(nodes, "nodes that keep a record", real.kept, model.kept);
        compared.add(nodes, "nodes asked by a lookup", real.asked, model.asked);
    }
}

//! The directory's cores on one node, with the least of a hash table around them: records go
//! to the known nodes closest to the key, lookups ask the same ones, candidates are contacted.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use overlay_proto::config::DirectoryConfig;
use overlay_proto::directory::{
    Bundle, Lookup, ObjectKey, Publications, SignedDirectoryRecord, Store,
};
use overlay_proto::plain_keys::PlainKeys;
use overlay_proto::{Duration, Input, Instant, Machine, Output, ProcessId, Sink, codec};
use serde::{Deserialize, Serialize};

/// Nodes that store one record beside its writer, and whose answers a lookup waits for: the
/// replication factor of the overlay's Kademlia.
pub const CLOSEST: usize = 5;
/// Nodes that a lookup asks: Kademlia asks on while the closest ones have not answered.
pub const ASKED: usize = 12;
/// An operation on the hash table ends after this time, whoever has not answered.
pub const TIMEOUT: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(100);

/// What the environment asks for.
#[derive(Clone, Debug)]
pub enum Command {
    /// The nodes that the hash table knows, this one excluded.
    Table(Vec<ProcessId>),
    /// This node holds the object from now on, under this epoch.
    Hold(ObjectKey, u64),
    /// It does not any more.
    Drop(ObjectKey),
    /// Where is the object?
    Find(ObjectKey),
}

/// What nodes say to each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Store this.
    Put(ObjectKey, SignedDirectoryRecord),
    /// Stored, or refused: there is something newer.
    Stored(ObjectKey),
    /// What is stored there?
    Get(ObjectKey),
    /// This, or nothing.
    Found(ObjectKey, Option<Bundle>),
    /// Do you hold it?
    Contact(ObjectKey),
    /// Yes or no.
    Answer(ObjectKey, bool),
}

/// What the node tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The lookup found the object: this process said that it holds it.
    Found(ObjectKey, ProcessId),
    /// The lookup found nobody.
    NotFound(ObjectKey),
}

/// The one timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick;

#[derive(Debug)]
struct Search {
    lookup: Lookup,
    awaited: BTreeSet<ProcessId>,
    ends: Instant,
    contacted: Option<(ProcessId, Instant)>,
}

#[derive(Debug)]
struct Putting {
    stored: usize,
    wanted: usize,
    ends: Instant,
}

/// One node of the directory.
pub struct Finder {
    process: ProcessId,
    keys: PlainKeys,
    config: DirectoryConfig,
    table: Vec<ProcessId>,
    store: Store,
    publications: Option<Publications>,
    puts: BTreeMap<ObjectKey, Putting>,
    searches: BTreeMap<ObjectKey, Search>,
    held: BTreeSet<ObjectKey>,
    first_sequence: u64,
}

impl Finder {
    /// A node that holds and knows nothing. `first_sequence` must be above what its peer used
    /// before.
    #[must_use]
    pub fn new(config: DirectoryConfig, process: ProcessId, first_sequence: u64) -> Self {
        Self {
            process,
            keys: PlainKeys(process.peer),
            table: Vec::new(),
            store: Store::new(config.clone()),
            config,
            publications: None,
            puts: BTreeMap::new(),
            searches: BTreeMap::new(),
            held: BTreeSet::new(),
            first_sequence,
        }
    }

    /// Whether the node holds the object.
    #[must_use]
    pub fn holds(&self, object: &ObjectKey) -> bool {
        self.held.contains(object)
    }

    /// Records stored here for others.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.store.len()
    }

    /// The `count` known nodes closest to a key, by exclusive or of the first 16 bytes, the
    /// closest first.
    fn closest(&self, key: &ObjectKey, count: usize) -> Vec<ProcessId> {
        let target = u128::from_be_bytes(key.0);
        let mut all: Vec<(u128, ProcessId)> = self
            .table
            .iter()
            .map(|process| {
                let first = process.peer.0.iter().take(16);
                let id = first.fold(0_u128, |id, byte| (id << 8) | u128::from(*byte));
                (id ^ target, *process)
            })
            .collect();
        all.sort_unstable();
        all.truncate(count);
        all.into_iter().map(|(_, process)| process).collect()
    }

    fn publish(&mut self, now: Instant, out: &mut impl Sink<Message, Tick, Event>) {
        loop {
            let Some(publications) = &mut self.publications else {
                return;
            };
            let Some(publication) = publications.next(now, &self.keys) else {
                return;
            };
            let key = publication.object;
            // The writer keeps it, too. A refusal says that it keeps something newer.
            let _refused = self
                .store
                .put(now, key, publication.record.clone(), &self.keys);
            let nodes = self.closest(&key, CLOSEST);
            let wanted = nodes.len() / 2 + 1;
            self.puts.insert(
                key,
                Putting {
                    stored: 0,
                    wanted,
                    ends: now + TIMEOUT,
                },
            );
            for node in nodes {
                out.send(node, Message::Put(key, publication.record.clone()));
            }
        }
    }

    fn end_puts(&mut self, now: Instant) {
        let ended: Vec<(ObjectKey, bool)> = self
            .puts
            .iter()
            .filter(|(_, put)| put.stored >= put.wanted || put.ends <= now)
            .map(|(key, put)| (*key, put.stored >= put.wanted))
            .collect();
        for (key, succeeded) in ended {
            self.puts.remove(&key);
            if let Some(publications) = &mut self.publications {
                publications.finished(now, &key, succeeded);
            }
        }
    }

    fn find(&mut self, now: Instant, key: ObjectKey, out: &mut impl Sink<Message, Tick, Event>) {
        let mut lookup = Lookup::new(key, self.config.candidates_max);
        if let Some(own) = self.store.get(now, &key) {
            lookup.found(&own, &self.keys);
        }
        let closest = self.closest(&key, ASKED);
        for node in &closest {
            out.send(*node, Message::Get(key));
        }
        let search = Search {
            lookup,
            awaited: closest.into_iter().take(CLOSEST).collect(),
            ends: now + TIMEOUT,
            contacted: None,
        };
        self.searches.insert(key, search);
    }

    /// Goes on with every search: the next candidate, or the end.
    fn search_on(&mut self, now: Instant, out: &mut impl Sink<Message, Tick, Event>) {
        let mut done = Vec::new();
        for (key, search) in &mut self.searches {
            if search.awaited.is_empty() || search.ends <= now {
                search.lookup.ended();
            }
            if search.contacted.is_some_and(|(_, until)| until <= now) {
                search.lookup.refuted();
                search.contacted = None;
            }
            while search.contacted.is_none() {
                let Some(record) = search.lookup.next_candidate() else {
                    break;
                };
                match codec::decode::<ProcessId>(&record.value) {
                    Ok(process) if process == self.process => search.lookup.refuted(),
                    Ok(process) => {
                        search.contacted = Some((process, now + TIMEOUT));
                        out.send(process, Message::Contact(*key));
                    }
                    Err(_) => search.lookup.refuted(),
                }
            }
            if search.contacted.is_none() && search.lookup.is_exhausted() {
                done.push(*key);
            }
        }
        for key in done {
            self.searches.remove(&key);
            out.emit(Event::NotFound(key));
        }
    }

    fn command(
        &mut self,
        now: Instant,
        command: Command,
        out: &mut impl Sink<Message, Tick, Event>,
    ) {
        match command {
            Command::Table(table) => {
                if self.publications.is_none() {
                    let (config, first) = (self.config.clone(), self.first_sequence);
                    self.publications = Some(Publications::new(config, now, first));
                    out.set_timer(Tick, TICK);
                }
                self.table = table;
            }
            Command::Hold(key, epoch) => {
                self.held.insert(key);
                let value: Bytes = codec::encode(&self.process).unwrap_or_default().into();
                if let Some(publications) = &mut self.publications {
                    let epoch = Bytes::copy_from_slice(&epoch.to_be_bytes());
                    let published = publications.publish(now, key, epoch, value);
                    debug_assert!(published.is_ok(), "worlds are small");
                }
            }
            Command::Drop(key) => {
                self.held.remove(&key);
                self.puts.remove(&key);
                if let Some(publications) = &mut self.publications {
                    publications.withdraw(&key);
                }
            }
            Command::Find(key) if self.held.contains(&key) => {
                out.emit(Event::Found(key, self.process));
            }
            Command::Find(key) => self.find(now, key, out),
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        from: ProcessId,
        message: Message,
        out: &mut impl Sink<Message, Tick, Event>,
    ) {
        match message {
            Message::Put(key, record) => {
                // A refusal answers too: there is something newer, so the key is served.
                let _refused = self.store.put(now, key, record, &self.keys);
                out.send(from, Message::Stored(key));
            }
            Message::Stored(key) => {
                if let Some(put) = self.puts.get_mut(&key) {
                    put.stored += 1;
                }
            }
            Message::Get(key) => out.send(from, Message::Found(key, self.store.get(now, &key))),
            Message::Found(key, bundle) => {
                if let Some(search) = self.searches.get_mut(&key) {
                    search.awaited.remove(&from);
                    search.lookup.found(&bundle.unwrap_or_default(), &self.keys);
                }
            }
            Message::Contact(key) => {
                out.send(from, Message::Answer(key, self.held.contains(&key)));
            }
            Message::Answer(key, holds) => {
                let Some(search) = self.searches.get_mut(&key) else {
                    return;
                };
                if search.contacted.map(|(process, _)| process) != Some(from) {
                    return;
                }
                search.contacted = None;
                if holds {
                    self.searches.remove(&key);
                    out.emit(Event::Found(key, from));
                } else {
                    search.lookup.refuted();
                }
            }
        }
    }

    /// Nothing is to be expected of a process whose link is down.
    fn lost(&mut self, process: ProcessId) {
        for search in self.searches.values_mut() {
            search.awaited.remove(&process);
            if search.contacted.map(|(contacted, _)| contacted) == Some(process) {
                search.contacted = None;
                search.lookup.refuted();
            }
        }
    }
}

impl Machine for Finder {
    type Command = Command;
    type Message = Message;
    type Timer = Tick;
    type Event = Event;

    fn handle(
        &mut self,
        now: Instant,
        input: Input<Command, Message, Tick>,
        out: &mut impl Sink<Message, Tick, Event>,
    ) {
        match input {
            Input::Command(command) => self.command(now, command, out),
            Input::Received { from, message } => self.receive(now, from, message, out),
            Input::TimerFired(Tick) => {
                self.store.expire(now);
                out.push(Output::SetTimer {
                    timer: Tick,
                    after: TICK,
                });
            }
            Input::LinkUp(_) => {}
            Input::LinkDown { process, .. } => self.lost(process),
        }
        self.end_puts(now);
        self.publish(now, out);
        self.search_on(now, out);
    }
}

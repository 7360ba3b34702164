//! The directory: Kademlia value records, and the routing table that follows the view.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use libp2p::Multiaddr;
use libp2p::kad::store::{self, RecordStore};
use libp2p::kad::{self, KBucketKey, QueryId, QueryResult, Quorum, Record, RecordKey};
use overlay_proto::Role;
use overlay_proto::view::MembershipView;
use tokio::sync::{mpsc, oneshot};

use super::Driver;
use super::routing::{Route, Routing};
use crate::behaviour::DIRECTORY_REPLICAS;
use crate::identity::to_libp2p;
use crate::metrics::count;
use crate::records;

/// Lookups and writes under way at one time: the query pool is walked with each event.
pub const DIRECTORY_QUERIES_MAX: usize = 64;

/// What is under way, and whom the routing table knows.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    gets: HashMap<QueryId, mpsc::Sender<Bytes>>,
    puts: HashMap<QueryId, oneshot::Sender<bool>>,
    routing: Routing,
}

impl Driver {
    pub(super) fn put_record(&mut self, key: &[u8], value: &[u8], kept: oneshot::Sender<bool>) {
        let busy = self.lookups.puts.len() >= DIRECTORY_QUERIES_MAX;
        if busy || !records::fits(key, value) {
            let _ = kept.send(false);
            return;
        }
        let record = Record::new(key.to_vec(), value.to_vec());
        match self.put(record) {
            Ok(query) => {
                count(&self.shared.counts.directory_writes);
                self.lookups.puts.insert(query, kept);
            }
            Err(error) => {
                tracing::debug!(%error, "a directory record is not kept");
                let _ = kept.send(false);
            }
        }
    }

    /// Begins to put a record where lookups find it. The routing table is the view, so the members
    /// closest to the key are known, and not searched for first.
    fn put(&mut self, mut record: Record) -> Result<QueryId, store::Error> {
        let closest = (self.lookups.routing).closest(&record.key, DIRECTORY_REPLICAS);
        let own = *self.swarm.local_peer_id();
        let directory = &mut self.swarm.behaviour_mut().directory;
        if closest.is_empty() {
            return directory.put_record(record, Quorum::One);
        }
        record.publisher = Some(own);
        directory.store_mut().put(record.clone())?;
        Ok(directory.put_record_to(record, closest.into_iter(), Quorum::One))
    }

    pub(super) fn get_record(&mut self, key: &[u8], candidates: mpsc::Sender<Bytes>) {
        if self.lookups.gets.len() >= DIRECTORY_QUERIES_MAX {
            return;
        }
        count(&self.shared.counts.directory_lookups);
        let query = self
            .swarm
            .behaviour_mut()
            .directory
            .get_record(RecordKey::new(&key));
        self.lookups.gets.insert(query, candidates);
    }

    pub(super) fn on_directory(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed {
                id, result, step, ..
            } => {
                self.on_progress(id, result, step.last);
            }
            kad::Event::InboundRequest {
                request:
                    kad::InboundRequest::PutRecord {
                        record: Some(record),
                        ..
                    },
            } => self.on_offered(record),
            _ => {}
        }
    }

    fn on_progress(&mut self, id: QueryId, result: QueryResult, last: bool) {
        match result {
            QueryResult::GetRecord(result) => self.on_candidate(id, result.ok()),
            QueryResult::PutRecord(result) => {
                if let Some(kept) = self.lookups.puts.remove(&id) {
                    let _ = kept.send(result.is_ok());
                }
            }
            _ => {}
        }
        if last {
            self.lookups.gets.remove(&id);
        }
    }

    fn on_candidate(&mut self, id: QueryId, found: Option<kad::GetRecordOk>) {
        let Some(candidates) = self.lookups.gets.get(&id) else {
            return;
        };
        let wanted = match found {
            Some(kad::GetRecordOk::FoundRecord(found)) => {
                count(&self.shared.counts.directory_answers);
                candidates.try_send(found.record.value.into()).is_ok()
            }
            _ => !candidates.is_closed(),
        };
        if !wanted {
            self.finish(id);
        }
    }

    fn finish(&mut self, id: QueryId) {
        self.lookups.gets.remove(&id);
        if let Some(mut query) = self.swarm.behaviour_mut().directory.query_mut(&id) {
            query.finish();
        }
    }

    /// Ends the lookups whose callers do not wait any more.
    pub(super) fn sweep_lookups(&mut self) {
        let done: Vec<QueryId> = (self.lookups.gets.iter())
            .filter(|(_, candidates)| candidates.is_closed())
            .map(|(id, _)| *id)
            .collect();
        done.into_iter().for_each(|id| self.finish(id));
    }

    /// Another peer wants this node to keep a record.
    fn on_offered(&mut self, record: Record) {
        let store = self.swarm.behaviour_mut().directory.store_mut();
        let key = record.key.as_ref();
        let old = store.get(&record.key).map(|old| old.into_owned());
        let old_value = old.as_ref().map(|old| old.value.as_slice());
        if !records::fits(key, &record.value)
            || !self
                .shared
                .handler
                .accept_record(key, old_value, &record.value)
        {
            return tracing::debug!("an offered directory record is refused");
        }
        if let Err(error) = store.put(record) {
            tracing::debug!(%error, "an offered directory record does not fit");
        }
    }

    /// Makes the routing table follow the view: addresses come from signed records only, and a
    /// dead member would otherwise never be evicted from the table of a small network.
    pub(super) fn route(&mut self, view: &MembershipView) {
        if self.role == Role::Client && view.is_empty() {
            return;
        }
        let own = self.shared.process.peer;
        let directory = &mut self.swarm.behaviour_mut().directory;
        let mut routed = BTreeMap::new();
        for member in view
            .members()
            .iter()
            .filter(|member| member.record.process.peer != own)
        {
            let peer = member.record.process.peer;
            let addresses = member.record.addresses.clone();
            let Some(name) = to_libp2p(&peer) else {
                continue;
            };
            let before = self.lookups.routing.get(&peer);
            if before.is_none_or(|route| route.addresses != addresses) {
                directory.remove_peer(&name);
                for address in addresses
                    .iter()
                    .filter_map(|text| text.parse::<Multiaddr>().ok())
                {
                    directory.add_address(&name, address);
                }
            }
            let key = KBucketKey::from(name);
            routed.insert(peer, Route { addresses, key });
        }
        for gone in self.lookups.routing.replace(routed) {
            directory.remove_peer(&gone);
        }
    }
}

//! What the tasks of one node share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use overlay_proto::member::SignedRecord;
use overlay_proto::view::MembershipView;
use overlay_proto::{ClusterRecord, Counters, ProcessId};
use tokio::sync::{broadcast, mpsc, watch};

use crate::cluster_name::ClusterName;
use crate::command::Request;
use crate::handler::{FrameHandler, OverlayEvent};
use crate::identity::Identity;
use crate::link::table::Links;
use crate::link::wire::Traffic;
use crate::metrics::{Counts, Metrics};
use crate::request::Services;
use crate::tasks::Tasks;

/// Events that wait for one listener; older ones are dropped and counted.
pub const EVENTS_MAX: usize = 1024;

/// The parts of a node that its tasks and handles share.
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    pub(crate) process: ProcessId,
    pub(crate) cluster_name: ClusterName,
    pub(crate) links: Arc<Links>,
    pub(crate) services: Arc<Services>,
    pub(crate) handler: Arc<dyn FrameHandler>,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) view: watch::Sender<MembershipView>,
    pub(crate) cluster: watch::Sender<Option<ClusterRecord>>,
    pub(crate) addresses: watch::Sender<Vec<String>>,
    pub(crate) own_record: watch::Sender<Option<SignedRecord>>,
    pub(crate) remembered: watch::Sender<Vec<SignedRecord>>,
    pub(crate) left: watch::Sender<bool>,
    /// Registries at which this node is registered.
    pub(crate) registrations: watch::Sender<usize>,
    pub(crate) events: broadcast::Sender<OverlayEvent>,
    pub(crate) counters: Mutex<Counters>,
    pub(crate) counts: Counts,
    pub(crate) tasks: Tasks,
}

impl Shared {
    /// Introduces those of these peers that are not members yet.
    pub(crate) async fn introduce(&self, mut records: Vec<SignedRecord>) {
        let view = self.view.borrow().clone();
        records.retain(|signed| {
            signed.claim().is_ok_and(|record| {
                record.process.peer != self.process.peer && view.process(&record.process).is_none()
            })
        });
        if !records.is_empty() {
            drop(self.requests.send(Request::Introduce(records)).await);
        }
    }

    /// What the node counted, live links included.
    pub(crate) fn metrics(&self) -> Metrics {
        let counts = &self.counts;
        let links = self.links.all();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let live = |part: fn(&Traffic) -> &AtomicU64| -> u64 {
            links.iter().map(|link| read(part(&link.traffic))).sum()
        };
        Metrics {
            overlay: *self.counters.lock().unwrap_or_else(PoisonError::into_inner),
            registry_calls: read(&counts.registry_calls),
            registry_calls_after_join: read(&counts.registry_calls_after_join),
            directory_writes: read(&counts.directory_writes),
            directory_lookups: read(&counts.directory_lookups),
            directory_answers: read(&counts.directory_answers),
            topic_messages: read(&counts.topic_messages),
            links: links.len() as u64,
            links_opened: read(&counts.links_opened),
            links_lost: read(&counts.links_lost),
            frames_in: read(&counts.frames_in) + live(|traffic| &traffic.frames_in),
            frames_out: read(&counts.frames_out) + live(|traffic| &traffic.frames_out),
            connections: read(&counts.connections),
            strangers: read(&counts.strangers),
        }
    }
}

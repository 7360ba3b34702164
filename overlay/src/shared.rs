//! What the tasks of one node share.

use std::sync::Arc;
use std::sync::Mutex;

use overlay_proto::member::SignedRecord;
use overlay_proto::view::MembershipView;
use overlay_proto::{ClusterRecord, Counters, ProcessId};
use tokio::sync::{mpsc, watch};

use crate::cluster_name::ClusterName;
use crate::command::Request;
use crate::handler::{FrameHandler, OverlayEvent};
use crate::identity::Identity;
use crate::link::table::Links;
use crate::metrics::Counts;
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
    pub(crate) events: tokio::sync::broadcast::Sender<OverlayEvent>,
    pub(crate) counters: Mutex<Counters>,
    pub(crate) counts: Counts,
    pub(crate) tasks: Tasks,
}

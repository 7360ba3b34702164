//! What the overlay calls, from its link tasks, when something arrives or happens.

use std::sync::Arc;

use bytes::Bytes;
use objects_proto::config::ObjectsConfig;
use objects_proto::kinds_table::KindTable;
use objects_proto::machine::Command;
use objects_proto::objects::Objects;
use overlay::{FrameHandler, MembershipView, Outbound, OverlayEvent};
use overlay_proto::{ClusterRecord, Input, LinkDown, ProcessId};
use tokio::sync::{mpsc, watch};

use crate::directory;
use crate::events::Event;
use crate::shard::Shard;

/// Feeds the machine of a node.
pub(crate) struct Handler {
    pub(crate) shard: Arc<Shard>,
    pub(crate) kinds: Arc<KindTable>,
    pub(crate) config: ObjectsConfig,
    /// The cluster as the overlay told it last.
    pub(crate) cluster: watch::Sender<Option<ClusterRecord>>,
    /// Meetings of clusters, for a task that can wait.
    pub(crate) meetings: mpsc::Sender<OverlayEvent>,
}

impl FrameHandler for Handler {
    fn started(&self, process: ProcessId, outbound: Outbound) {
        let (config, kinds) = (self.config.clone(), self.kinds.clone());
        self.shard.start(
            Objects::new(config, process, kinds, rand::random()),
            outbound,
        );
    }

    fn frames(&self, from: ProcessId, frames: &mut Vec<Bytes>) {
        self.shard.receive(from, frames);
    }

    fn link_up(&self, process: ProcessId) {
        self.shard.handle(Input::LinkUp(process));
    }

    fn link_down(&self, process: ProcessId, reason: LinkDown) {
        self.shard.handle(Input::LinkDown { process, reason });
    }

    fn view(&self, view: &MembershipView) {
        self.shard
            .handle(Input::Command(Command::View(view.clone())));
    }

    fn event(&self, event: &OverlayEvent) {
        match event {
            OverlayEvent::Joined(process) => self.shard.events().tell(Event::Joined(*process)),
            OverlayEvent::Lost { process, cause } => {
                self.shard.events().tell(Event::Lost {
                    process: *process,
                    cause: *cause,
                });
            }
            OverlayEvent::Cluster(record) => {
                self.cluster.send_replace(Some(record.clone()));
            }
            OverlayEvent::ClusterMerged { won, .. } => {
                self.cluster.send_replace(Some(won.clone()));
                let _ignored_when_many_meet = self.meetings.try_send(event.clone());
            }
            OverlayEvent::ClusterConflict { .. } => {
                let _ignored_when_many_meet = self.meetings.try_send(event.clone());
            }
            _ => {}
        }
    }

    fn accept_record(&self, key: &[u8], _old: Option<&[u8]>, new: &[u8]) -> bool {
        directory::supersedes(key, new)
    }
}

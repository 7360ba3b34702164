//! The directory of a trial: records of where objects are, slow and sometimes stale.

use objects_proto::directory::DirectoryRecord;
use objects_proto::machine::Command;
use objects_proto::object::{Configuration, ObjectId};

use super::world::{TrialKernel, TrialWorld};
use crate::directory::online;

impl TrialWorld {
    pub(super) fn published(
        &mut self,
        kernel: &TrialKernel,
        node: u32,
        object: ObjectId,
        configuration: Configuration,
    ) {
        let kind = self
            .objects
            .get(&object)
            .map(|one| &one.made.reference.kind);
        let record = DirectoryRecord {
            object,
            kind: kind.map(ToString::to_string).unwrap_or_default(),
            configuration,
        };
        if let Some(record) = record.encode() {
            let online = online(kernel, node);
            self.directory.put(kernel.now(), online, object, record);
        }
    }

    pub(super) fn looked_up(&mut self, kernel: &mut TrialKernel, node: u32, object: ObjectId) {
        let online = online(kernel, node);
        let (after, records) = self.directory.get(kernel.now(), online, &object);
        if !records.is_empty() {
            kernel.command(node, after, Command::DirectoryFound { object, records });
        }
        kernel.command(node, after, Command::DirectoryExhausted(object));
    }
}

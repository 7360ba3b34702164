//! What every world of object machines does for them: the directory answers, a process that was
//! stopped wakes, the newest copy of an object is found.

use bytes::Bytes;
use objects_proto::directory::DirectoryRecord;
use objects_proto::machine::Command;
use objects_proto::object::ObjectId;
use objects_proto::objects::Objects;
use objects_proto::register::Replica;
use overlay_proto::Duration;

use crate::directory::{Directory, online};
use crate::kernel::Kernel;
use crate::seed::Dice;

/// A process that slept longer notices that it slept (design section 7, rule 12).
const STOPPED: Duration = Duration::from_secs(1);

/// A node asks the directory where an object is.
pub(crate) fn look_up<A>(
    kernel: &mut Kernel<Objects, A>,
    directory: &mut Directory<ObjectId, Bytes>,
    node: u32,
    object: ObjectId,
) {
    let online = online(kernel, node);
    let (after, records) = directory.get(kernel.now(), online, &object);
    kernel.count("lookups", 1);
    if !records.is_empty() {
        kernel.command(node, after, Command::DirectoryFound { object, records });
    }
    kernel.command(node, after, Command::DirectoryExhausted(object));
}

/// A node tells the directory where an object is.
pub(crate) fn publish<A>(
    kernel: &Kernel<Objects, A>,
    directory: &mut Directory<ObjectId, Bytes>,
    node: u32,
    record: &DirectoryRecord,
) {
    if let Some(bytes) = record.encode() {
        let online = online(kernel, node);
        directory.put(kernel.now(), online, record.object, bytes);
    }
}

/// A process goes on that was stopped for so long: it finds out before it handles what it
/// received, or soon afterwards.
pub(crate) fn wake<A>(
    kernel: &mut Kernel<Objects, A>,
    dice: &mut Dice,
    node: u32,
    slept: Duration,
) {
    if slept < STOPPED {
        return;
    }
    if dice.chance(0.5) {
        kernel.discard_received(node);
        kernel.command_first(node, Command::Stopped);
    } else {
        kernel.command(node, Duration::from_millis(5), Command::Stopped);
    }
}

/// The copy of the newest primary.
pub(crate) fn newest_copy<'a, A>(
    kernel: &'a Kernel<Objects, A>,
    object: &ObjectId,
) -> Option<&'a Replica> {
    let machines = kernel.running().filter_map(|node| kernel.machine(node));
    let replicas = machines.filter_map(|machine| machine.replica(object));
    replicas.filter(|one| one.is_active()).max_by_key(|one| {
        let ballot = one.value().map(|(ballot, ..)| ballot);
        (one.configuration().epoch, ballot)
    })
}

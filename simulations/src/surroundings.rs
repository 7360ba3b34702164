//! What every world of object machines does for them: the directory answers, a process that was
//! stopped wakes, the newest copy of an object is found.

use bytes::Bytes;
use objects_proto::directory::SlotRecord;
use objects_proto::machine::Command;
use objects_proto::message::Message;
use objects_proto::object::{ObjectId, Slot};
use objects_proto::objects::Objects;
use objects_proto::register::Replica;
use overlay_proto::{Duration, ProcessId};

use crate::directory::{Directory, online};
use crate::kernel::{Kernel, SimMachine};
use crate::seed::Dice;
use crate::traffic::Protocol;

/// A process that slept longer notices that it slept (design section 7, rule 12).
const STOPPED: Duration = Duration::from_secs(1);

/// Attempts to put a record into the directory, and the pause between two.
const PUBLISH_ATTEMPTS: u32 = 3;
const PUBLISH_PAUSE: Duration = Duration::from_secs(1);

/// A machine with an object layer: that alone, or a whole peer.
pub(crate) trait WithObjects: SimMachine {
    /// The object layer.
    fn objects(&self) -> &Objects;

    /// A command for the object layer.
    fn for_objects(command: Command) -> Self::Command;
}

impl WithObjects for Objects {
    fn objects(&self) -> &Objects {
        self
    }

    fn for_objects(command: Command) -> Self::Command {
        command
    }
}

/// What a message of the object layer is sent for.
pub(crate) const fn protocol(message: &Message) -> Protocol {
    match message {
        Message::Request(_)
        | Message::Reply { .. }
        | Message::Cancel { .. }
        | Message::Where { .. }
        | Message::Here { .. } => Protocol::Calls,
        _ => Protocol::Replicas,
    }
}

/// A node asks the directory where an object is.
pub(crate) fn look_up<M: WithObjects, A>(
    kernel: &mut Kernel<M, A>,
    directory: &mut Directory<Slot, Bytes>,
    node: u32,
    object: ObjectId,
) {
    let online = online(kernel, node);
    let (after, records) = directory.get(kernel.now(), online, &object.slot());
    kernel.count("lookups", 1);
    if !records.is_empty() {
        let found = Command::DirectoryFound { object, records };
        kernel.command(node, after, M::for_objects(found));
    }
    let exhausted = Command::DirectoryExhausted(object);
    kernel.command(node, after, M::for_objects(exhausted));
}

/// A node tells the directory who has the objects of a slot, in a second or two if not at once:
/// these processes, and those of the present records that its view shows.
pub(crate) fn publish<M: WithObjects, A>(
    kernel: &Kernel<M, A>,
    directory: &mut Directory<Slot, Bytes>,
    node: u32,
    slot: Slot,
    holders: Vec<ProcessId>,
) {
    let online = online(kernel, node);
    let (after, present) = directory.get(kernel.now(), online, &slot);
    let view = kernel.machine(node).map(|machine| machine.objects().view());
    let mut record = SlotRecord::new(slot, holders);
    for present in present.iter().rev() {
        if let Some(present) = SlotRecord::decode(slot, present) {
            let shown = |one: &ProcessId| view.is_some_and(|view| view.process(one).is_some());
            record.merge(&present, shown);
        }
    }
    if let Some(bytes) = record.encode() {
        let attempts = (0..PUBLISH_ATTEMPTS).map(|n| kernel.now() + after + n * PUBLISH_PAUSE);
        for at in attempts {
            if directory.put(at, online, slot, bytes.clone()) {
                return;
            }
        }
    }
}

/// A process goes on that was stopped for so long: it finds out before it handles what it
/// received, or soon afterwards.
pub(crate) fn wake<M: WithObjects, A>(
    kernel: &mut Kernel<M, A>,
    dice: &mut Dice,
    node: u32,
    slept: Duration,
) {
    if slept < STOPPED {
        return;
    }
    if dice.chance(0.5) {
        kernel.discard_received(node);
        kernel.command_first(node, M::for_objects(Command::Stopped));
    } else {
        let after = Duration::from_millis(5);
        kernel.command(node, after, M::for_objects(Command::Stopped));
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

//! What one peer is sent.

use overlay_proto::{Instant, ProcessId};

use crate::message::{Change, RegisterMessage};
use crate::object::ObjectId;
use crate::register::Effects;
use crate::register::primary::Peer;
use crate::register::record::Record;
use crate::register::round::{Ask, RESEND, Round};

/// Whether this peer's answer is missing in the round.
pub(crate) fn wants(round: &Round, peer: &Peer) -> bool {
    match (round.ask, peer.vote) {
        (_, Some(index)) => !round.acks.contains(&index),
        (Ask::Accept(version), None) => peer.stored < Some(version),
        (Ask::Check, None) => false,
    }
}

/// Sends one peer what a round asks of it.
pub(crate) fn send(
    object: ObjectId,
    record: &Record,
    round: &Round,
    peer: &mut Peer,
    process: ProcessId,
    now: Instant,
    fx: &mut Effects,
) {
    match round.ask {
        Ask::Accept(_) => ship(object, record, round.step.as_ref(), peer, process, now, fx),
        Ask::Check if peer.vote.is_some() => {
            let check = RegisterMessage::Check {
                epoch: record.epoch(),
                ballot: record.promised,
                round: round.number,
                lease: round.lease,
            };
            peer.due = now + RESEND;
            fx.register(process, object, check);
        }
        Ask::Check => {}
    }
}

/// Sends one peer the value on record: as a step if that is known to fit, else whole.
pub(crate) fn ship(
    object: ObjectId,
    record: &Record,
    step: Option<&Change>,
    peer: &mut Peer,
    process: ProcessId,
    now: Instant,
    fx: &mut Effects,
) {
    let Some(held) = &record.accepted else {
        return;
    };
    let change = match step {
        Some(step @ Change::Step { base, .. }) if peer.sent == Some(*base) => step.clone(),
        _ => Change::Full {
            configuration: record.configuration.clone(),
            value: held.value.clone(),
        },
    };
    let accept = RegisterMessage::Accept {
        epoch: record.epoch(),
        ballot: record.promised,
        version: held.version,
        change,
    };
    peer.sent = Some(held.version);
    peer.due = now + RESEND;
    fx.register(process, object, accept);
}

//! Clients: handles in many processes, calls one after the other and side by side.

use objects_proto::caller::{Completion, HandleId, Invocation};
use objects_proto::config::{ObjectsConfig, Pace};
use objects_proto::execution::Codec;
use objects_proto::machine::{Command, Creation, Ticket};
use objects_proto::mode::Mode;
use objects_proto::outcome::Outcome;
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, Instant, ProcessId, codec};

use super::journal::{KIND_VERSION, Operation, Output, WEAK};
use super::state::Journal;
use crate::oracle::{Call, CallId, Class, End, Witness};
use crate::seed::Dice;

/// Most calls that one handle has open.
pub const OPEN_MAX: u32 = 4;

/// How long hosts keep their tombstones in the runs in which they forget them soon, at most.
pub const TOMBSTONES_MAX: Duration = Duration::from_secs(5);

/// How long they then wait until they replace who is missed, at most.
const LOST_AFTER_MAX: Duration = Duration::from_secs(5);

/// A client's place: one handle after another on one object.
#[derive(Clone, Debug)]
pub struct Place {
    /// The object's number.
    pub object: usize,
    /// The process and its handle, once opened.
    pub handle: Option<(ProcessId, HandleId)>,
    /// Calls open.
    pub open: u32,
}

/// Draws how the hosts are configured: in many runs they forget their tombstones within seconds,
/// or keep few, so that sleepers outlive them, and replace sooner who is missed.
pub fn config(dice: &mut Dice) -> ObjectsConfig {
    let mut config = ObjectsConfig::default();
    if dice.chance(0.5) {
        config.timings.lost_after = dice.duration(Duration::from_secs(1), LOST_AFTER_MAX);
        config.timings.tombstones = dice.duration(Duration::from_millis(20), TOMBSTONES_MAX);
    }
    if dice.chance(0.1) {
        config.limits.tombstones = dice.between(1, 4) as usize;
    }
    config
}

/// Draws how much hosts do at a time: in many runs so little that a few objects are very many.
pub fn pace(dice: &mut Dice) -> Pace {
    if dice.chance(0.4) {
        return Pace::default();
    }
    let mut few = |from| dice.between(from, 2) as usize;
    Pace {
        awake: few(0),
        turn: few(1),
        doubted: few(1),
        standing: few(1),
        scan: few(1),
        scan_tick: few(1),
    }
}

/// Draws what to call.
pub fn draw(dice: &mut Dice, id: CallId) -> Operation {
    let by = dice.between(1, 9);
    match dice.below(40) {
        0 => Operation::Transfer(id, by),
        1..=12 => Operation::Append(id, by),
        13..=18 => Operation::AppendMixing(id, by),
        19 => Operation::AppendGuessing(id, by),
        20..=21 => Operation::AppendSlowly(id, by),
        22..=25 => Operation::Refuse(id),
        26..=37 => Operation::Read,
        _ => Operation::ReadSlowly,
    }
}

/// The command that makes a call.
#[must_use]
pub fn invoke(
    ticket: Ticket,
    handle: HandleId,
    target: RawRef,
    operation: Operation,
    timeout: Duration,
) -> Command {
    let invocation = Invocation {
        handle,
        target,
        method: operation.method(),
        write: operation.writes(),
        codec: Codec::Cbor,
        arguments: operation.arguments(),
        timeout,
        one_way: false,
        parent: None,
    };
    Command::Invoke { ticket, invocation }
}

/// The journal that an object begins as: in two of five cases a large one.
pub fn journal(dice: &mut Dice) -> Journal {
    if dice.chance(0.4) {
        Journal::with_ballast(1024 * dice.between(6, 24) as u32)
    } else {
        Journal::default()
    }
}

/// When sessions are closed and renewed: as by default, as closely by configuration, or so that
/// handles are late.
#[must_use]
pub fn expiry(dice: &mut Dice) -> [Duration; 2] {
    let idle = dice.duration(Duration::from_secs(12), Duration::from_secs(16));
    let config = ObjectsConfig::default();
    match dice.below(3) {
        0 => [config.timings.session_idle, config.client.session_rest],
        1 => [idle, idle / 2],
        _ => [idle, config.client.session_rest],
    }
}

/// The command that creates this journal under a kind, on these members if they are given.
#[must_use]
pub fn create(
    ticket: Ticket,
    handle: HandleId,
    (kind, factor): (&str, u8),
    journal: &Journal,
    members: Option<Vec<ProcessId>>,
) -> Command {
    let creation = Creation {
        kind: kind.to_owned(),
        kind_version: KIND_VERSION,
        mode: if kind == WEAK {
            Mode::Weak
        } else {
            Mode::Strong
        },
        state: journal.encode(),
        factor,
        id: None,
        members,
        handle,
        timeout: Duration::from_secs(5),
    };
    Command::Create { ticket, creation }
}

/// A reference as a client may have it: whole, or only the id.
pub fn hint(dice: &mut Dice, reference: &RawRef) -> RawRef {
    if dice.chance(0.3) {
        RawRef::bare(reference.id, &reference.kind)
    } else {
        reference.clone()
    }
}

/// The record of a call that begins.
#[must_use]
pub fn begun(
    id: CallId,
    handle: HandleId,
    operation: Operation,
    invoked: Instant,
) -> Call<Operation, Output> {
    Call {
        id,
        handle: handle.0,
        operation,
        write: operation.writes(),
        invoked,
        end: None,
    }
}

/// The end of a call, as the oracle takes it.
///
/// # Errors
/// In words, if the result is not one of the journal's.
pub fn ended(at: Instant, completion: &Completion) -> Result<End<Output>, String> {
    let class = match &completion.outcome {
        Outcome::Returned(bytes) => {
            Class::Ok(codec::decode(bytes).map_err(|error| error.to_string())?)
        }
        Outcome::NotExecuted(_) => Class::NotExecuted,
        Outcome::Failed(_) => Class::Failed,
        Outcome::Executed => Class::Executed,
        Outcome::Indeterminate(_) => Class::Indeterminate,
    };
    let witness = completion.witness.map(|witness| Witness {
        epoch: witness.epoch.number,
        version: witness.version.0,
    });
    Ok(End { at, class, witness })
}

/// The counter under which an end is reported.
#[must_use]
pub fn counter(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Returned(_) => "calls returned",
        Outcome::NotExecuted(_) => "calls not executed",
        Outcome::Failed(_) => "calls failed",
        Outcome::Executed => "calls executed, result lost",
        Outcome::Indeterminate(_) => "calls indeterminate",
    }
}

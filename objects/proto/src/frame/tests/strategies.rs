//! Any message.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Incarnation, PeerId, ProcessId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::execution::{CallChain, Codec, Deferred, RootId};
use crate::message::{
    Accepted, Ask, CallRequest, Change, Copy, Delta, Description, Message, Outbox, OutboxOp, Piece,
    Position, Refusal, RegisterMessage, ReplayCall, Reply, Request, Sighting, StateChange, Status,
    Value, WaitProbe,
};
use crate::mode::Mode;
use crate::object::{
    Ballot, Configuration, Epoch, FORKS_MAX, Fork, Lineage, MEMBERS_MAX, MethodId, ObjectId,
    Replica, Seal, Version,
};
use crate::outcome::{Cause, Failure, Outcome, Witness};
use crate::reads::Reads;
use crate::reference::RawRef;
use crate::session::{CallingObject, Entry, Origin, Session, SessionId, SessionOp, Sessions};

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäß.]{0,12}"
}

/// Whole microseconds, as frames have them.
fn term() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_micros)
}

fn object() -> impl Strategy<Value = ObjectId> {
    any::<u128>().prop_map(ObjectId)
}

fn version() -> impl Strategy<Value = Version> {
    any::<u64>().prop_map(Version)
}

fn process() -> impl Strategy<Value = ProcessId> {
    (any::<[u8; 32]>(), any::<u64>()).prop_map(|(peer, incarnation)| ProcessId {
        peer: PeerId(peer),
        incarnation: Incarnation(incarnation),
    })
}

fn lineage() -> impl Strategy<Value = Lineage> {
    (any::<u32>(), any::<u32>()).prop_map(|(number, tag)| Lineage { number, tag })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (lineage(), any::<u64>()).prop_map(|(lineage, number)| Epoch { lineage, number })
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (any::<u32>(), any::<u8>()).prop_map(|(round, member)| Ballot { round, member })
}

fn configuration() -> impl Strategy<Value = Configuration> {
    let replica = (process(), any::<u64>());
    let replica = replica.prop_map(|(process, stamp)| Replica { process, stamp });
    let fork = (lineage(), version()).prop_map(|(lineage, version)| Fork { lineage, version });
    let forks = vec(fork, 0..=FORKS_MAX);
    let seal = (ballot(), version()).prop_map(|(ballot, version)| Seal { ballot, version });
    let members = vec(replica, 1..=MEMBERS_MAX);
    let parts = (epoch(), members, forks, option::of(seal));
    parts.prop_map(|(epoch, members, forks, seal)| Configuration {
        epoch,
        members: members.into(),
        forks,
        seal,
    })
}

fn sighting() -> impl Strategy<Value = Sighting> {
    prop_oneof![
        Just(Sighting::Unknown),
        Just(Sighting::Deleted),
        (configuration(), option::of(any::<u8>())).prop_map(|(configuration, primary)| {
            Sighting::Member {
                configuration,
                primary,
            }
        }),
    ]
}

fn session_id() -> impl Strategy<Value = SessionId> {
    (lineage(), version()).prop_map(|(lineage, version)| SessionId { lineage, version })
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::NoQuorum),
        Just(Cause::Deleted),
        Just(Cause::ShuttingDown),
        text().prop_map(Cause::Overloaded),
        (text(), text()).prop_map(|(kind, method)| Cause::UnknownMethod { kind, method }),
        (text(), any::<u64>(), any::<u64>()).prop_map(|(what, bytes, limit)| Cause::TooLarge {
            what,
            bytes,
            limit
        }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        bytes().prop_map(Outcome::Returned),
        cause().prop_map(Outcome::NotExecuted),
        cause().prop_map(Outcome::Indeterminate),
        Just(Outcome::Executed),
        bytes().prop_map(|error| Outcome::Failed(Failure::Returned(error))),
        text().prop_map(|message| Outcome::Failed(Failure::Panicked(message))),
        Just(Outcome::Failed(Failure::Deadlock)),
    ]
}

fn position() -> impl Strategy<Value = Position> {
    prop_oneof![
        Just(Position::Unordered),
        (session_id(), any::<u64>(), any::<u64>()).prop_map(|(session, predecessor, floor)| {
            Position::After {
                session,
                predecessor,
                floor,
            }
        }),
        (session_id(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
            |(session, number, predecessor, floor)| Position::Numbered {
                session,
                number,
                predecessor,
                floor
            }
        ),
        (object(), any::<u64>()).prop_map(|(source, number)| Position::Outbox { source, number }),
        (object(), any::<u128>()).prop_map(|(source, id)| Position::Nested { source, id }),
    ]
}

fn root() -> impl Strategy<Value = RootId> {
    (any::<u64>(), any::<u128>()).prop_map(|(began, call)| RootId { began, call })
}

fn chain() -> impl Strategy<Value = CallChain> {
    (root(), any::<u128>(), vec(object(), 0..5)).prop_map(|(root, call, holds)| CallChain {
        root,
        call,
        holds,
    })
}

fn call() -> impl Strategy<Value = CallRequest> {
    let codec = prop_oneof![Just(Codec::Cbor), Just(Codec::Json)];
    (
        any::<u32>(),
        any::<bool>(),
        codec,
        position(),
        chain(),
        bytes(),
    )
        .prop_map(
            |(method, write, codec, position, chain, arguments)| CallRequest {
                method: MethodId(method),
                write,
                codec,
                position,
                chain,
                arguments,
            },
        )
}

fn request() -> impl Strategy<Value = Message> {
    let ask = prop_oneof![
        Just(Ask::OpenSession),
        session_id().prop_map(Ask::CloseSession),
        call().prop_map(Ask::Call),
        position().prop_map(|position| Ask::Delete { position }),
        Just(Ask::Inspect),
    ];
    (
        any::<u64>(),
        object(),
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
        ask,
    )
        .prop_map(|(id, object, kind, attempt, micros, ask)| {
            let budget = Duration::from_micros(u64::from(micros));
            Message::Request(Request {
                id,
                object,
                kind: MethodId(kind),
                attempt,
                budget,
                ask,
            })
        })
}

fn description() -> impl Strategy<Value = Description> {
    let sizes = (any::<u64>(), any::<u32>(), any::<u32>());
    (
        object(),
        configuration(),
        ballot(),
        vec(process(), 0..3),
        vec(text(), 0..3),
        sizes,
    )
        .prop_map(
            |(
                object,
                configuration,
                ballot,
                learners,
                methods,
                (state_bytes, sessions, queued),
            )| {
                Description {
                    object,
                    kind: String::from("Log"),
                    kind_version: 1,
                    configuration,
                    ballot,
                    version: Version(4),
                    learners,
                    factor: 3,
                    state_bytes,
                    sessions,
                    queued,
                    outbox: 0,
                    mode: Mode::Weak,
                    reads: Reads::Lease,
                    takeovers: 2,
                    methods,
                }
            },
        )
}

fn reply() -> impl Strategy<Value = Message> {
    let witness = (epoch(), version()).prop_map(|(epoch, version)| Witness { epoch, version });
    let reply = prop_oneof![
        (outcome(), option::of(witness))
            .prop_map(|(outcome, witness)| Reply::Done { outcome, witness }),
        session_id().prop_map(Reply::Session),
        description().prop_map(Reply::Description),
        sighting().prop_map(|sighting| Reply::Refused(Refusal::Elsewhere(sighting))),
        Just(Reply::Refused(Refusal::Gap)),
        Just(Reply::Refused(Refusal::UnknownSession)),
        cause().prop_map(|cause| Reply::Refused(Refusal::Final(cause))),
    ];
    (any::<u64>(), reply).prop_map(|(id, reply)| Message::Reply { id, reply })
}

fn deferred() -> impl Strategy<Value = Deferred> {
    (
        object(),
        option::of(configuration()),
        any::<u32>(),
        text(),
        bytes(),
    )
        .prop_map(|(id, configuration, method, name, arguments)| Deferred {
            target: RawRef {
                configuration: configuration.map(Arc::new),
                ..RawRef::bare(id, "Account")
            },
            method: MethodId(method),
            name,
            arguments,
        })
}

fn entry() -> impl Strategy<Value = Entry> {
    (any::<u64>(), version(), any::<u64>(), outcome()).prop_map(
        |(number, version, hash, outcome)| Entry {
            number,
            version,
            hash,
            outcome,
        },
    )
}

fn sessions() -> impl Strategy<Value = Sessions> {
    let session = (session_id(), process(), any::<u64>(), vec(entry(), 0..3));
    let session = session.prop_map(|(id, owner, next, entries)| Session {
        id,
        owner,
        next,
        entries,
    });
    let nested = vec((any::<u128>(), entry()), 0..3);
    let caller = (object(), option::of(entry()), nested);
    let caller = caller.prop_map(|(source, outbox, nested)| CallingObject {
        source,
        outbox,
        nested,
    });
    (vec(session, 0..3), vec(caller, 0..3)).prop_map(|(open, callers)| Sessions { open, callers })
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Live),
        Just(Status::Deleted),
        (configuration(), any::<u8>()).prop_map(|(next, first_primary)| Status::Sealed {
            next: Box::new(next),
            first_primary
        }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let outbox = (any::<u64>(), vec((any::<u64>(), deferred()), 0..3));
    let outbox = outbox.prop_map(|(last, calls)| Outbox { last, calls });
    (
        text(),
        any::<u32>(),
        any::<u8>(),
        bytes(),
        sessions(),
        outbox,
        status(),
    )
        .prop_map(
            |(kind, kind_version, factor, state, sessions, outbox, status)| Value {
                mode: Mode::Weak,
                kind: kind.into(),
                kind_version,
                factor,
                state,
                sessions,
                outbox,
                status,
            },
        )
}

fn session_op() -> impl Strategy<Value = SessionOp> {
    let origin = prop_oneof![
        (session_id(), any::<u64>(), any::<u64>())
            .prop_map(|(id, number, floor)| Origin::Session { id, number, floor }),
        (object(), any::<u64>()).prop_map(|(source, number)| Origin::Outbox { source, number }),
        (object(), any::<u128>()).prop_map(|(source, id)| Origin::Nested { source, id }),
    ];
    prop_oneof![
        (session_id(), process()).prop_map(|(id, owner)| SessionOp::Open { id, owner }),
        session_id().prop_map(SessionOp::Close),
        (object(), version()).prop_map(|(source, until)| SessionOp::Forget { source, until }),
        (version(), any::<u32>())
            .prop_map(|(until, larger_than)| SessionOp::DropAnswers { until, larger_than }),
        (origin, version(), any::<u64>(), outcome()).prop_map(
            |(origin, version, hash, outcome)| SessionOp::Ran {
                origin,
                version,
                hash,
                outcome
            }
        ),
    ]
}

fn state_change() -> impl Strategy<Value = StateChange> {
    let piece = prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(at, length)| Piece::Kept { at, length }),
        bytes().prop_map(Piece::New),
    ];
    let delta = (any::<u32>(), any::<u64>(), vec(piece, 0..4));
    let delta = delta.prop_map(|(length, digest, pieces)| Delta {
        length,
        digest,
        pieces,
    });
    let codec = prop_oneof![Just(Codec::Cbor), Just(Codec::Json)];
    let call = (any::<u32>(), codec, bytes(), any::<u64>());
    let call = call.prop_map(|(method, codec, arguments, digest)| ReplayCall {
        method: MethodId(method),
        codec,
        arguments,
        digest,
    });
    prop_oneof![
        Just(StateChange::Kept),
        bytes().prop_map(StateChange::Whole),
        delta.prop_map(StateChange::Delta),
        vec(call, 1..4).prop_map(StateChange::Replay),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let outbox = prop_oneof![
        deferred().prop_map(OutboxOp::Push),
        any::<u64>().prop_map(OutboxOp::Done),
    ];
    let outbox = vec(outbox, 0..3);
    let step = (version(), state_change(), vec(session_op(), 0..4), outbox);
    prop_oneof![
        (configuration(), value()).prop_map(|(configuration, value)| Change::Full {
            configuration,
            value
        }),
        ballot().prop_map(|from| Change::Kept { from }),
        (step, option::of(status())).prop_map(|((base, state, sessions, outbox), status)| {
            Change::Step {
                base,
                state,
                sessions,
                outbox,
                status,
            }
        }),
    ]
}

fn register() -> impl Strategy<Value = RegisterMessage> {
    let accepted = (ballot(), version(), option::of(value()));
    let accepted = accepted.prop_map(|(ballot, version, value)| Accepted {
        ballot,
        version,
        value,
    });
    prop_oneof![
        (configuration(), ballot(), ballot(), version()).prop_map(
            |(configuration, ballot, accepted, version)| RegisterMessage::Prepare {
                configuration,
                ballot,
                accepted: (accepted, version),
            }
        ),
        (epoch(), ballot(), option::of(accepted)).prop_map(|(epoch, ballot, accepted)| {
            RegisterMessage::Promised {
                epoch,
                ballot,
                accepted,
            }
        }),
        (epoch(), ballot(), version(), change()).prop_map(|(epoch, ballot, version, change)| {
            RegisterMessage::Accept {
                epoch,
                ballot,
                version,
                change,
            }
        }),
        (epoch(), ballot(), version(), any::<u64>()).prop_map(|(epoch, ballot, version, stamp)| {
            RegisterMessage::Stored {
                epoch,
                ballot,
                version,
                stamp,
            }
        }),
        (epoch(), ballot()).prop_map(|(epoch, ballot)| RegisterMessage::NeedFull { epoch, ballot }),
        (epoch(), ballot())
            .prop_map(|(epoch, promised)| RegisterMessage::Rejected { epoch, promised }),
        (epoch(), any::<u64>())
            .prop_map(|(epoch, stamp)| RegisterMessage::Forgotten { epoch, stamp }),
        (epoch(), sighting())
            .prop_map(|(epoch, sighting)| RegisterMessage::Gone { epoch, sighting }),
        (epoch(), ballot(), any::<u64>(), term()).prop_map(|(epoch, ballot, round, lease)| {
            RegisterMessage::Check {
                epoch,
                ballot,
                round,
                lease,
            }
        }),
        (epoch(), ballot(), any::<u64>(), any::<u64>()).prop_map(
            |(epoch, ballot, round, generation)| RegisterMessage::Checked {
                epoch,
                ballot,
                round,
                generation,
            }
        ),
        (epoch(), ballot(), term()).prop_map(|(epoch, ballot, rest)| RegisterMessage::Leased {
            epoch,
            ballot,
            rest,
        }),
        (epoch(), sighting())
            .prop_map(|(epoch, sighting)| RegisterMessage::Retire { epoch, sighting }),
    ]
}

fn other() -> impl Strategy<Value = Message> {
    let probe = (
        object(),
        object(),
        process(),
        any::<u128>(),
        root(),
        root(),
        any::<u8>(),
    );
    let probe = probe.prop_map(
        |(object, origin, home, call, root, youngest, hops)| WaitProbe {
            object,
            origin,
            home,
            call,
            root,
            youngest,
            hops,
        },
    );
    let copy = (configuration(), ballot(), version(), text(), any::<bool>());
    let copy = copy.prop_map(|(configuration, ballot, version, kind, member)| Copy {
        configuration,
        ballot,
        version,
        kind,
        member,
    });
    prop_oneof![
        (object(), any::<u64>()).prop_map(|(object, id)| Message::Cancel { object, id }),
        (object(), option::of(process()))
            .prop_map(|(object, suspect)| Message::Where { object, suspect }),
        (object(), sighting()).prop_map(|(object, sighting)| Message::Here { object, sighting }),
        any::<u64>().prop_map(|nonce| Message::Ping { nonce }),
        any::<u64>().prop_map(|nonce| Message::Pong { nonce }),
        (any::<u64>(), term()).prop_map(|(number, term)| Message::RenewLease { number, term }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(number, generation)| Message::LeaseRenewed { number, generation }),
        process().prop_map(|suspect| Message::AskSilence { suspect }),
        vec((object(), epoch()), 0..4).prop_map(|replicas| Message::Audit { replicas }),
        (process(), any::<bool>())
            .prop_map(|(suspect, silent)| Message::Silence { suspect, silent }),
        probe.prop_map(Message::WaitProbe),
        (object(), any::<u128>()).prop_map(|(object, call)| Message::Deadlocked { object, call }),
        (any::<u64>(), object()).prop_map(|(id, object)| Message::Survey { id, object }),
        (any::<u64>(), option::of(copy)).prop_map(|(id, copy)| Message::Surveyed { id, copy }),
        (any::<u64>(), object(), epoch()).prop_map(|(id, object, epoch)| Message::Recover {
            id,
            object,
            epoch
        }),
    ]
}

/// Any message within the limits.
pub(super) fn message() -> impl Strategy<Value = Message> {
    let register = (object(), register());
    prop_oneof![
        2 => request(),
        2 => reply(),
        3 => register.prop_map(|(object, message)| Message::Register { object, message }),
        2 => other(),
    ]
}

/// Any configuration with so many members.
pub(super) fn set_of(members: usize) -> Configuration {
    let process = ProcessId {
        peer: PeerId([1; 32]),
        incarnation: Incarnation(1),
    };
    let members: Vec<Replica> = (0..members)
        .map(|stamp| Replica {
            process,
            stamp: stamp as u64,
        })
        .collect();
    Configuration {
        epoch: Epoch::default(),
        members: members.into(),
        forks: Vec::new(),
        seal: None,
    }
}

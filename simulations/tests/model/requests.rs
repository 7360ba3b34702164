//! What the caller sends, and the object that it calls.

use bytes::Bytes;
use objects_proto::execution::{CallChain, Codec};
use objects_proto::message::{
    Ask, CallRequest, Change, Outbox, RegisterMessage, Request, Status, Value,
};
use objects_proto::mode::Mode;
use objects_proto::object::{
    Ballot, Configuration, Epoch, Lineage, MethodId, ObjectId, Replica as Member, Version,
};
use objects_proto::session::{Position, Session, SessionId, Sessions};
use overlay_proto::Duration;

use crate::host::{CALLER, MEMBERS, process};
use crate::kind::{APPEND, KIND, LIST};

/// The object.
pub(crate) const OBJECT: ObjectId = ObjectId(1);
/// The id of the read's request; writes have their number.
pub(crate) const READ: u64 = 100;

/// The version at which the object has a session for each of the caller's two handles.
const FIRST: Version = Version(2);

/// The session of a handle, which makes the write of the same number.
const fn session(handle: u8) -> SessionId {
    SessionId {
        lineage: Lineage { number: 0, tag: 0 },
        version: Version(handle as u64),
    }
}

/// The first value, as the object's creator sends it to each member.
pub(crate) fn creation() -> RegisterMessage {
    let member = |index| Member {
        process: process(index),
        stamp: 1,
    };
    let configuration = Configuration {
        epoch: Epoch {
            lineage: Lineage::default(),
            number: 1,
        },
        members: (0..MEMBERS).map(member).collect(),
        forks: Vec::new(),
        seal: None,
    };
    let value = Value {
        kind: KIND.into(),
        kind_version: 1,
        factor: 3,
        mode: Mode::Strong,
        state: Bytes::new(),
        sessions: Sessions {
            open: [1, 2]
                .map(|handle| Session::new(session(handle), process(CALLER)))
                .into(),
            callers: Vec::new(),
        },
        outbox: Outbox::default(),
        status: Status::Live,
    };
    RegisterMessage::Accept {
        epoch: configuration.epoch,
        ballot: Ballot {
            round: 1,
            member: 0,
        },
        version: FIRST,
        change: Change::Full {
            configuration,
            value,
        },
    }
}

/// The write of this number: the first and only one of its handle.
pub(crate) fn write(number: u8) -> Request {
    let position = Position::Numbered {
        session: session(number),
        number: 1,
        predecessor: 0,
        floor: 0,
    };
    call(
        u64::from(number),
        (APPEND, true),
        position,
        Bytes::from(vec![number]),
    )
}

/// The read.
pub(crate) fn read() -> Request {
    call(READ, (LIST, false), Position::Unordered, Bytes::new())
}

fn call(
    id: u64,
    (method, write): (MethodId, bool),
    position: Position,
    arguments: Bytes,
) -> Request {
    Request {
        id,
        object: OBJECT,
        kind: MethodId::of(KIND),
        attempt: 1,
        budget: Duration::from_secs(10),
        ask: Ask::Call(CallRequest {
            method,
            write,
            codec: Codec::Cbor,
            position,
            chain: CallChain::default(),
            arguments,
        }),
    }
}

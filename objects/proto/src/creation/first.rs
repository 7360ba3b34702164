//! What a new object is made of: its first epoch, ballot, version, session and message.

use alloc::vec;
use alloc::vec::Vec;

use overlay_proto::ProcessId;
use overlay_proto::view::MembershipView;

use crate::machine::Creation;
use crate::message::{Change, Message, Outbox, RegisterMessage, Sighting, Status, Value};
use crate::object::{
    Ballot, Configuration, Epoch, Lineage, MEMBERS_MAX, ObjectId, Replica, Version,
};
use crate::session::{Session, SessionId, Sessions};

/// The ballot of a first primary: it needs no promises, because there was nothing before.
const FIRST_BALLOT: Ballot = Ballot {
    round: 1,
    member: 0,
};
/// An install makes this version.
const FIRST_VERSION: Version = Version(1);
/// The session that is born with an object.
pub(super) const BORN_SESSION: SessionId = SessionId {
    lineage: Lineage { number: 0, tag: 0 },
    version: FIRST_VERSION,
};

/// The replica set that an object begins with: no seal made it.
pub(super) fn first_set(members: Vec<Replica>) -> Configuration {
    Configuration {
        epoch: Epoch {
            lineage: Lineage::default(),
            number: 1,
        },
        members: members.into(),
        forks: Vec::new(),
        seal: None,
    }
}

/// These processes as members, with the stamps that they announce.
pub(super) fn named(view: &MembershipView, processes: &[ProcessId]) -> Vec<Replica> {
    processes
        .iter()
        .take(MEMBERS_MAX)
        .map(|process| Replica {
            process: *process,
            stamp: view.process(process).map_or(0, |m| m.record.stamp),
        })
        .collect()
}

/// Stores the object at a member of its first set, for the first time.
pub(super) fn install(
    object: ObjectId,
    configuration: &Configuration,
    creation: &Creation,
    me: ProcessId,
) -> Message {
    let session = Session {
        id: BORN_SESSION,
        owner: me,
        next: 1,
        entries: Vec::new(),
    };
    let value = Value {
        mode: creation.mode,
        kind: creation.kind.as_str().into(),
        kind_version: creation.kind_version,
        factor: creation.factor,
        state: creation.state.clone(),
        sessions: Sessions {
            open: vec![session],
            callers: Vec::new(),
        },
        outbox: Outbox::default(),
        status: Status::Live,
    };
    Message::Register {
        object,
        message: RegisterMessage::Accept {
            epoch: configuration.epoch,
            ballot: FIRST_BALLOT,
            version: FIRST_VERSION,
            change: Change::Full {
                configuration: configuration.clone(),
                value,
            },
        },
    }
}

/// Takes back what was installed of an abandoned attempt.
pub(super) fn retire(object: ObjectId, configuration: &Configuration) -> Message {
    let message = RegisterMessage::Retire {
        epoch: configuration.epoch,
        sighting: Sighting::Deleted,
    };
    Message::Register { object, message }
}

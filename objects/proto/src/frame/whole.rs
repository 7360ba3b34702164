//! A whole value and its replica set, as it travels when an object is made or moves.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::FrameError;
use super::field::{Field, Put, Reader, Take, put_list};
use super::parts::{put_cbor, take_cbor};
use crate::message::{Outbox, Status, Value};
use crate::mode::Mode;
use crate::object::{Configuration, FORKS_MAX, MEMBERS_MAX, Replica};
use crate::outcome::Outcome;
use crate::session::{Entry, SESSION_ENTRIES_MAX, Session, Sessions};

/// States and answers up to this size are copied out of their frame, which would be kept as a whole
/// otherwise, bytes.
const COPIED_MAX: usize = 4 * 1024;

impl Field for Replica {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.process, &self.stamp).put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let (process, stamp) = Take::take(input)?;
        Ok(Self { process, stamp })
    }
}

impl Field for Configuration {
    fn put(&self, out: &mut Vec<u8>) {
        self.epoch.put(out);
        put_list(&self.members, out);
        let plain = self.forks.is_empty() && self.seal.is_none();
        plain.put(out);
        if !plain {
            put_cbor(&(&self.forks, &self.seal), out);
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let epoch = Field::take(input)?;
        let members = Arc::from(input.list(MEMBERS_MAX)?);
        let (forks, seal) = if bool::take(input)? {
            (Vec::new(), None)
        } else {
            take_cbor(input)?
        };
        if forks.len() > FORKS_MAX {
            return Err(FrameError::Limits);
        }
        Ok(Self {
            epoch,
            members,
            forks,
            seal,
        })
    }
}

impl Field for Value {
    fn put(&self, out: &mut Vec<u8>) {
        self.mode.put(out);
        (&self.kind, &self.kind_version).put(out);
        (&self.factor, &self.state).put(out);
        self.sessions.put(out);
        (self.outbox == Outbox::default()).put(out);
        if self.outbox != Outbox::default() {
            put_cbor(&self.outbox, out);
        }
        (self.status == Status::Live).put(out);
        if self.status != Status::Live {
            self.status.put(out);
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let mode = Field::take(input)?;
        let (kind, kind_version) = Take::take(input)?;
        let (factor, state): (_, Bytes) = Take::take(input)?;
        let sessions = Field::take(input)?;
        let outbox = if bool::take(input)? {
            Outbox::default()
        } else {
            take_cbor(input)?
        };
        let status = if bool::take(input)? {
            Status::Live
        } else {
            Field::take(input)?
        };
        Ok(Self {
            mode,
            kind,
            kind_version,
            factor,
            state: unshared(state),
            sessions,
            outbox,
            status,
        })
    }
}

fn unshared(bytes: Bytes) -> Bytes {
    if bytes.len() <= COPIED_MAX {
        Bytes::copy_from_slice(&bytes)
    } else {
        bytes
    }
}

impl Field for Mode {
    fn put(&self, out: &mut Vec<u8>) {
        (*self == Self::Weak).put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let weak = bool::take(input)?;
        Ok(if weak { Self::Weak } else { Self::Strong })
    }
}

/// What other objects called is rare, and CBOR.
impl Field for Sessions {
    fn put(&self, out: &mut Vec<u8>) {
        self.open.put(out);
        self.callers.is_empty().put(out);
        if !self.callers.is_empty() {
            put_cbor(&self.callers, out);
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let open = Field::take(input)?;
        let callers = if bool::take(input)? {
            Vec::new()
        } else {
            take_cbor(input)?
        };
        Ok(Self { open, callers })
    }
}

impl Field for Session {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.id, &self.owner, &self.next).put(out);
        self.entries.put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let (id, owner, next) = Take::take(input)?;
        Ok(Self {
            id,
            owner,
            next,
            entries: input.list(SESSION_ENTRIES_MAX)?,
        })
    }
}

impl Field for Entry {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.number, &self.version).put(out);
        (&self.hash, &self.outcome).put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let (number, version) = Take::take(input)?;
        let (hash, outcome) = Take::take(input)?;
        Ok(Self {
            number,
            version,
            hash,
            outcome: match outcome {
                Outcome::Returned(result) => Outcome::Returned(unshared(result)),
                other => other,
            },
        })
    }
}

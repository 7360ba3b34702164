//! The parts of the messages that have a compact form.

use alloc::vec::Vec;

use overlay_proto::codec;
use overlay_proto::{Incarnation, PeerId, ProcessId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use bytes::Bytes;

use super::FrameError;
use super::field::{Field, Put, Reader, Take};
use crate::execution::{CallChain, Codec, RootId};
use crate::message::{OutboxOp, Position, Sighting, Status};
use crate::object::{Ballot, Epoch, Lineage, MethodId, ObjectId, Version};
use crate::outcome::{Failure, Outcome, Witness};
use crate::session::{Origin, SessionId, SessionOp};

macro_rules! wrappers {
    ($($name:ident;)*) => {$(
        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn take(input: &mut Reader) -> Result<Self, FrameError> {
                Field::take(input).map(Self)
            }
        }
    )*};
}

wrappers! {
    ObjectId;
    MethodId;
    Version;
    Incarnation;
}

macro_rules! records {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }

            fn take(input: &mut Reader) -> Result<Self, FrameError> {
                Ok(Self { $($field: Field::take(input)?),* })
            }
        }
    )*};
}

records! {
    Lineage { number, tag }
    Epoch { lineage, number }
    Ballot { round, member }
    Witness { epoch, version }
    RootId { began, call }
    CallChain { root, call, holds }
    ProcessId { peer, incarnation }
    SessionId { lineage, version }
}

impl Field for PeerId {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let bytes = input.bytes(32)?;
        bytes
            .as_ref()
            .try_into()
            .map(Self)
            .map_err(|_| FrameError::Short)
    }
}

impl Field for Codec {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Cbor => 0,
            Self::Json => 1,
        });
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        match input.byte()? {
            0 => Ok(Self::Cbor),
            1 => Ok(Self::Json),
            _ => Err(FrameError::Malformed),
        }
    }
}

impl Field for Position {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unordered => out.push(0),
            Self::After {
                session,
                predecessor,
                floor,
            } => {
                out.push(1);
                (session, predecessor, floor).put(out);
            }
            Self::Numbered {
                session,
                number,
                predecessor,
                floor,
            } => {
                out.push(2);
                (session, number).put(out);
                (predecessor, floor).put(out);
            }
            Self::Outbox { source, number } => {
                out.push(3);
                (source, number).put(out);
            }
            Self::Nested { source, id } => {
                out.push(4);
                (source, id).put(out);
            }
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => Self::Unordered,
            1 => {
                let (session, predecessor, floor) = Take::take(input)?;
                Self::After {
                    session,
                    predecessor,
                    floor,
                }
            }
            2 => {
                let (session, number) = Take::take(input)?;
                let (predecessor, floor) = Take::take(input)?;
                Self::Numbered {
                    session,
                    number,
                    predecessor,
                    floor,
                }
            }
            3 => {
                let (source, number) = Take::take(input)?;
                Self::Outbox { source, number }
            }
            4 => {
                let (source, id) = Take::take(input)?;
                Self::Nested { source, id }
            }
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for Outcome {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Returned(result) => {
                out.push(0);
                result.put(out);
            }
            Self::Failed(Failure::Returned(error)) => {
                out.push(1);
                error.put(out);
            }
            Self::Executed => out.push(2),
            _ => {
                out.push(3);
                put_cbor(self, out);
            }
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => Self::Returned(Field::take(input)?),
            1 => Self::Failed(Failure::Returned(Field::take(input)?)),
            2 => Self::Executed,
            3 => take_cbor(input)?,
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for Origin {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Session { id, number, floor } => {
                out.push(0);
                (id, number, floor).put(out);
            }
            Self::Outbox { source, number } => {
                out.push(1);
                (source, number).put(out);
            }
            Self::Nested { source, id } => {
                out.push(2);
                (source, id).put(out);
            }
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => {
                let (id, number, floor) = Take::take(input)?;
                Self::Session { id, number, floor }
            }
            1 => {
                let (source, number) = Take::take(input)?;
                Self::Outbox { source, number }
            }
            2 => {
                let (source, id) = Take::take(input)?;
                Self::Nested { source, id }
            }
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for SessionOp {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open { id, owner } => {
                out.push(0);
                (id, owner).put(out);
            }
            Self::Close(id) => {
                out.push(1);
                id.put(out);
            }
            Self::Ran {
                origin,
                version,
                hash,
                outcome,
            } => {
                out.push(2);
                (origin, version).put(out);
                (hash, outcome).put(out);
            }
            Self::Forget { source, until } => {
                out.push(3);
                (source, until).put(out);
            }
            Self::DropAnswers { until, larger_than } => {
                out.push(4);
                (until, larger_than).put(out);
            }
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => {
                let (id, owner) = Take::take(input)?;
                Self::Open { id, owner }
            }
            1 => Self::Close(Field::take(input)?),
            2 => {
                let (origin, version) = Take::take(input)?;
                let (hash, outcome) = Take::take(input)?;
                Self::Ran {
                    origin,
                    version,
                    hash,
                    outcome,
                }
            }
            3 => {
                let (source, until) = Take::take(input)?;
                Self::Forget { source, until }
            }
            4 => {
                let (until, larger_than) = Take::take(input)?;
                Self::DropAnswers { until, larger_than }
            }
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for Sighting {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unknown => out.push(0),
            Self::Member {
                configuration,
                primary,
            } => {
                out.push(1);
                (configuration, primary).put(out);
            }
            Self::Deleted => out.push(2),
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => Self::Unknown,
            1 => {
                let (configuration, primary) = Take::take(input)?;
                Self::Member {
                    configuration,
                    primary,
                }
            }
            2 => Self::Deleted,
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for OutboxOp {
    fn put(&self, out: &mut Vec<u8>) {
        put_cbor(self, out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        take_cbor(input)
    }
}

impl Field for Status {
    fn put(&self, out: &mut Vec<u8>) {
        put_cbor(self, out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        take_cbor(input)
    }
}

/// What is rare, as CBOR with its length before it.
pub(super) fn put_cbor<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    Bytes::from(codec::encode(value).unwrap_or_default()).put(out);
}

pub(super) fn take_cbor<T: DeserializeOwned>(input: &mut Reader) -> Result<T, FrameError> {
    codec::decode(&<Bytes as Field>::take(input)?).map_err(|_| FrameError::Malformed)
}

//! Changes of an encoded object in a frame.

use alloc::vec::Vec;

use super::FrameError;
use super::field::{Field, Put, Reader, Take};
use crate::delta::DELTA_PIECES_MAX;
use crate::message::{Delta, Piece, REPLAY_CALLS_MAX, ReplayCall, StateChange};

impl Field for StateChange {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Kept => out.push(0),
            Self::Whole(state) => {
                out.push(1);
                state.put(out);
            }
            Self::Delta(delta) => {
                out.push(2);
                (&delta.length, &delta.digest, &delta.pieces).put(out);
            }
            Self::Replay(calls) => {
                out.push(3);
                calls.put(out);
            }
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => Self::Kept,
            1 => Self::Whole(Field::take(input)?),
            2 => {
                let (length, digest) = Take::take(input)?;
                Self::Delta(Delta {
                    length,
                    digest,
                    pieces: input.list(DELTA_PIECES_MAX)?,
                })
            }
            3 => Self::Replay(input.list(REPLAY_CALLS_MAX)?),
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for Piece {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Kept { at, length } => {
                out.push(0);
                (at, length).put(out);
            }
            Self::New(bytes) => {
                out.push(1);
                bytes.put(out);
            }
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok(match input.byte()? {
            0 => {
                let (at, length) = Take::take(input)?;
                Self::Kept { at, length }
            }
            1 => Self::New(Field::take(input)?),
            _ => return Err(FrameError::Malformed),
        })
    }
}

impl Field for ReplayCall {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.method, &self.codec).put(out);
        (&self.arguments, &self.digest).put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let (method, codec) = Take::take(input)?;
        let (arguments, digest) = Take::take(input)?;
        Ok(Self {
            method,
            codec,
            arguments,
            digest,
        })
    }
}

//! Messages as frames: the one place that encodes and decodes them.
//!
//! A frame is a version byte, a byte that says which form follows, and the message. What
//! travels with every call, or for each object of a dead process, has a compact binary form of
//! little-endian numbers and byte strings with a length before them; everything else is CBOR.
//! Decoded byte strings share the frame.

mod field;
mod limits;
mod parts;
mod register;
mod state;
#[cfg(test)]
mod tests;
mod whole;

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::codec;

use self::field::{Field, Put, Reader, Take};
pub use self::limits::STEP_CHANGES_MAX;
use crate::message::{Ask, CallRequest, Message, Reply, Request};

/// The version of the frames that this program writes and reads.
pub const FRAME_VERSION: u8 = 1;

/// Longest frame, bytes: an object's state of at most 1 MiB with its sessions and its outbox,
/// whose CBOR takes up to four times what their limits count.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why bytes are no message, or a message no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Written by a program that this one does not understand.
    #[error("a frame of version {0}")]
    Version(u8),
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes")]
    TooLong(usize),
    /// The frame ends before the message does.
    #[error("the frame is cut short")]
    Short,
    /// Bytes are left behind the message.
    #[error("{0} surplus bytes after the message")]
    Surplus(usize),
    /// No message has this form.
    #[error("malformed frame")]
    Malformed,
    /// More entries than a message may have.
    #[error("a message with too many entries")]
    Limits,
}

/// Which form follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    Cbor = 0,
    Call = 1,
    Done = 2,
    Step = 3,
    Stored = 4,
    Check = 5,
    Checked = 6,
    Ping = 7,
    Pong = 8,
    Register = 9,
    Full = 10,
    Kept = 11,
    Prepare = 12,
    Promised = 13,
    Where = 14,
    Here = 15,
}

impl Form {
    const ALL: [Self; 16] = [
        Self::Cbor,
        Self::Call,
        Self::Done,
        Self::Step,
        Self::Stored,
        Self::Check,
        Self::Checked,
        Self::Ping,
        Self::Pong,
        Self::Register,
        Self::Full,
        Self::Kept,
        Self::Prepare,
        Self::Promised,
        Self::Where,
        Self::Here,
    ];
}

/// The message as one frame.
///
/// # Errors
/// [`FrameError::TooLong`], so that nothing is sent that no receiver takes.
pub fn encode(message: &Message) -> Result<Bytes, FrameError> {
    let mut out = Vec::with_capacity(64);
    out.push(FRAME_VERSION);
    put(message, &mut out)?;
    if out.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(out.len()));
    }
    Ok(Bytes::from(out))
}

/// The message in a frame; nothing is kept of a frame that is not exactly one.
///
/// # Errors
/// [`FrameError`].
pub fn decode(frame: Bytes) -> Result<Message, FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(frame.len()));
    }
    let mut input = Reader::new(frame);
    let version = input.byte()?;
    if version != FRAME_VERSION {
        return Err(FrameError::Version(version));
    }
    let form = usize::from(input.byte()?);
    let form = *Form::ALL.get(form).ok_or(FrameError::Malformed)?;
    let message = take(form, &mut input)?;
    match input.left() {
        0 => limits::check(&message).map(|()| message),
        surplus => Err(FrameError::Surplus(surplus)),
    }
}

fn put(message: &Message, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match message {
        Message::Request(request) => match &request.ask {
            Ask::Call(call) => put_call(request, call, out),
            _ => put_cbor(message, out)?,
        },
        Message::Reply {
            id,
            reply: Reply::Done { outcome, witness },
        } => {
            out.push(Form::Done as u8);
            (id, outcome, witness).put(out);
        }
        Message::Register { object, message } => register::put(*object, message, out)?,
        Message::Where { object, suspect } => {
            out.push(Form::Where as u8);
            (object, suspect).put(out);
        }
        Message::Here { object, sighting } => {
            out.push(Form::Here as u8);
            (object, sighting).put(out);
        }
        Message::Ping { nonce } => {
            out.push(Form::Ping as u8);
            nonce.put(out);
        }
        Message::Pong { nonce } => {
            out.push(Form::Pong as u8);
            nonce.put(out);
        }
        _ => put_cbor(message, out)?,
    }
    Ok(())
}

fn put_cbor(message: &Message, out: &mut Vec<u8>) -> Result<(), FrameError> {
    out.push(Form::Cbor as u8);
    codec::encode_into(message, out).map_err(|_| FrameError::Malformed)
}

fn put_call(request: &Request, call: &CallRequest, out: &mut Vec<u8>) {
    out.reserve(256 + call.arguments.len());
    out.push(Form::Call as u8);
    (&request.id, &request.object, &request.kind).put(out);
    (&request.attempt, &request.budget, &call.method).put(out);
    (&call.write, &call.codec, &call.position).put(out);
    (&call.chain, &call.arguments).put(out);
}

fn take(form: Form, input: &mut Reader) -> Result<Message, FrameError> {
    Ok(match form {
        Form::Cbor => codec::decode(&input.rest()).map_err(|_| FrameError::Malformed)?,
        Form::Call => Message::Request(take_call(input)?),
        Form::Done => {
            let (id, outcome, witness) = Take::take(input)?;
            Message::Reply {
                id,
                reply: Reply::Done { outcome, witness },
            }
        }
        Form::Ping => Message::Ping {
            nonce: Field::take(input)?,
        },
        Form::Pong => Message::Pong {
            nonce: Field::take(input)?,
        },
        Form::Where => {
            let (object, suspect) = Take::take(input)?;
            Message::Where { object, suspect }
        }
        Form::Here => {
            let (object, sighting) = Take::take(input)?;
            Message::Here { object, sighting }
        }
        Form::Register
        | Form::Step
        | Form::Full
        | Form::Kept
        | Form::Prepare
        | Form::Promised
        | Form::Stored
        | Form::Check
        | Form::Checked => register::take(form, input)?,
    })
}

fn take_call(input: &mut Reader) -> Result<Request, FrameError> {
    let (id, object, kind) = Take::take(input)?;
    let (attempt, budget, method) = Take::take(input)?;
    let (write, codec, position) = Take::take(input)?;
    let (chain, arguments) = Take::take(input)?;
    let call = CallRequest {
        method,
        write,
        codec,
        position,
        chain,
        arguments,
    };
    Ok(Request {
        id,
        object,
        kind,
        attempt,
        budget,
        ask: Ask::Call(call),
    })
}

//! What the replicas of one object say to each other, as frames.

use alloc::vec::Vec;

use overlay_proto::codec;

use super::field::{Field, Put, Reader, Take};
use super::{Form, FrameError};
use crate::message::{Accepted, Change, Message, RegisterMessage};
use crate::object::{Ballot, Epoch, ObjectId, Version};

/// Appends a message of an object's register.
pub(super) fn put(
    object: ObjectId,
    message: &RegisterMessage,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    match message {
        RegisterMessage::Accept {
            epoch,
            ballot,
            version,
            change,
        } => put_accept(object, (*epoch, *ballot, *version), change, out),
        RegisterMessage::Prepare {
            configuration,
            ballot,
            accepted: (accepted, version),
        } => {
            out.reserve(512);
            out.push(Form::Prepare as u8);
            (&object, configuration, ballot).put(out);
            (accepted, version).put(out);
        }
        RegisterMessage::Promised {
            epoch,
            ballot,
            accepted,
        } => {
            out.push(Form::Promised as u8);
            (&object, epoch, ballot).put(out);
            accepted.put(out);
        }
        RegisterMessage::Stored {
            epoch,
            ballot,
            version,
            stamp,
        } => {
            out.push(Form::Stored as u8);
            (&object, epoch, ballot).put(out);
            (version, stamp).put(out);
        }
        RegisterMessage::Check {
            epoch,
            ballot,
            round,
            lease,
        } => {
            out.push(Form::Check as u8);
            (&object, epoch, ballot).put(out);
            (round, lease).put(out);
        }
        RegisterMessage::Checked {
            epoch,
            ballot,
            round,
            generation,
        } => {
            out.push(Form::Checked as u8);
            (&object, epoch, ballot).put(out);
            (round, generation).put(out);
        }
        _ => {
            out.push(Form::Register as u8);
            object.put(out);
            codec::encode_into(message, out).map_err(|_| FrameError::Malformed)?;
        }
    }
    Ok(())
}

fn put_accept(
    object: ObjectId,
    (epoch, ballot, version): (Epoch, Ballot, Version),
    change: &Change,
    out: &mut Vec<u8>,
) {
    let (form, room) = match change {
        Change::Full { value, .. } => (Form::Full, 512 + value.state.len()),
        Change::Kept { .. } => (Form::Kept, 0),
        Change::Step { state, .. } => (Form::Step, 256 + state.bytes()),
    };
    out.reserve(room);
    out.push(form as u8);
    (&object, &epoch, &ballot).put(out);
    version.put(out);
    match change {
        Change::Full {
            configuration,
            value,
        } => (configuration, value).put(out),
        Change::Kept { from } => from.put(out),
        Change::Step {
            base,
            state,
            sessions,
            outbox,
            status,
        } => {
            (base, state).put(out);
            (sessions, outbox, status).put(out);
        }
    }
}

/// Takes a message of an object's register that has this form.
pub(super) fn take(form: Form, input: &mut Reader) -> Result<Message, FrameError> {
    let object = Field::take(input)?;
    let message = match form {
        Form::Register => codec::decode(&input.rest()).map_err(|_| FrameError::Malformed)?,
        Form::Prepare => {
            let (configuration, ballot) = Take::take(input)?;
            let accepted = Take::take(input)?;
            RegisterMessage::Prepare {
                configuration,
                ballot,
                accepted,
            }
        }
        _ => take_of_epoch(form, input)?,
    };
    Ok(Message::Register { object, message })
}

/// A message that begins with an epoch and a ballot.
fn take_of_epoch(form: Form, input: &mut Reader) -> Result<RegisterMessage, FrameError> {
    let (epoch, ballot) = Take::take(input)?;
    Ok(match form {
        Form::Step | Form::Full | Form::Kept => RegisterMessage::Accept {
            epoch,
            ballot,
            version: Field::take(input)?,
            change: take_change(form, input)?,
        },
        Form::Promised => RegisterMessage::Promised {
            epoch,
            ballot,
            accepted: Field::take(input)?,
        },
        Form::Stored => {
            let (version, stamp) = Take::take(input)?;
            RegisterMessage::Stored {
                epoch,
                ballot,
                version,
                stamp,
            }
        }
        Form::Check => {
            let (round, lease) = Take::take(input)?;
            RegisterMessage::Check {
                epoch,
                ballot,
                round,
                lease,
            }
        }
        _ => {
            let (round, generation) = Take::take(input)?;
            RegisterMessage::Checked {
                epoch,
                ballot,
                round,
                generation,
            }
        }
    })
}

fn take_change(form: Form, input: &mut Reader) -> Result<Change, FrameError> {
    Ok(match form {
        Form::Full => {
            let (configuration, value) = Take::take(input)?;
            Change::Full {
                configuration,
                value,
            }
        }
        Form::Kept => Change::Kept {
            from: Field::take(input)?,
        },
        _ => {
            let (base, state) = Take::take(input)?;
            let (sessions, outbox, status) = Take::take(input)?;
            Change::Step {
                base,
                state,
                sessions,
                outbox,
                status,
            }
        }
    })
}

impl Field for Accepted {
    fn put(&self, out: &mut Vec<u8>) {
        (&self.ballot, &self.version, &self.value).put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let (ballot, version, value) = Take::take(input)?;
        Ok(Self {
            ballot,
            version,
            value,
        })
    }
}

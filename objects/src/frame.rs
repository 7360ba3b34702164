//! Messages of the object layer as frames of the overlay.

use bytes::Bytes;
use objects_proto::message::Message;
use overlay_proto::codec::{self, DecodeError, EncodeError};

pub(crate) fn encode(message: &Message) -> Result<Bytes, EncodeError> {
    codec::encode(message).map(Bytes::from)
}

pub(crate) fn decode(frame: &[u8]) -> Result<Message, DecodeError> {
    codec::decode(frame)
}

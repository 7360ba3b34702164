//! Frames: how messages are cut out of a byte stream, and how much a peer may make us hold.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Longest payload of a frame on the link stream, bytes; longer ones take the bulk stream.
pub const SMALL_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest payload of any frame, bytes.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes before the payload: length of the rest (u32, big-endian) and channel.
pub(crate) const HEADER_BYTES: usize = 5;
/// Most bytes taken from a stream by one read.
pub(crate) const READ_BYTES: usize = 32 * 1024;
/// Bytes from which on collected frames are written.
pub(crate) const WRITE_BYTES: usize = 64 * 1024;

/// Which part of the overlay a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// A message of the overlay machine.
    Control,
    /// A request to a named service.
    Request,
    /// The reply to one.
    Reply,
    /// The layer above: opaque.
    Data,
    /// The sender closes the link on purpose; nothing follows.
    Bye,
    /// The receiver is to echo.
    Echo,
    /// The echo.
    Echoed,
    /// The sender has taken so many bytes (u32, big-endian) of a bulk transfer.
    Taken,
}

impl Channel {
    /// Whether it serves the link itself, and overtakes what others send.
    pub(crate) const fn is_upkeep(self) -> bool {
        matches!(
            self,
            Self::Control | Self::Echo | Self::Echoed | Self::Taken
        )
    }

    const fn code(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Request => 1,
            Self::Reply => 2,
            Self::Data => 3,
            Self::Bye => 4,
            Self::Echo => 5,
            Self::Echoed => 6,
            Self::Taken => 7,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Control,
            1 => Self::Request,
            2 => Self::Reply,
            3 => Self::Data,
            4 => Self::Bye,
            5 => Self::Echo,
            6 => Self::Echoed,
            7 => Self::Taken,
            _ => return None,
        })
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it belongs to.
    pub(crate) channel: Channel,
    /// Its content.
    pub(crate) payload: Bytes,
}

impl Frame {
    /// Bytes on the wire.
    pub(crate) fn wire_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// Appends the wire form to `out`.
    pub(crate) fn encode_into(&self, out: &mut BytesMut) {
        out.reserve(self.wire_bytes());
        self.encode_header_into(out);
        out.put_slice(&self.payload);
    }

    /// Appends the header alone to `out`.
    pub(crate) fn encode_header_into(&self, out: &mut BytesMut) {
        out.put_u32(u32::try_from(self.payload.len() + 1).unwrap_or(u32::MAX));
        out.put_u8(self.channel.code());
    }
}

/// The peer broke the framing; the link cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The declared length is zero or over the limit of its stream.
    #[error("a frame of {0} bytes is declared")]
    Length(usize),
    /// No such channel.
    #[error("unknown channel {0}")]
    Channel(u8),
}

/// Cuts frames out of received bytes.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    payload_max: usize,
}

impl Decoder {
    /// A decoder that refuses payloads longer than `payload_max` bytes.
    pub(crate) fn new(payload_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            payload_max,
        }
    }

    /// Takes received bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// [`FrameError`] as soon as a header is wrong, before its payload arrives.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [a, b, c, d, code] = *header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length == 0 || length > self.payload_max + 1 {
            return Err(FrameError::Length(length));
        }
        let channel = Channel::from_code(code).ok_or(FrameError::Channel(code))?;
        if rest.len() < length - 1 {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        let payload = self.buffer.split_to(length - 1).freeze();
        Ok(Some(Frame { channel, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: Channel, bytes: usize) -> Frame {
        Frame {
            channel,
            payload: Bytes::from(vec![7; bytes]),
        }
    }

    #[test]
    fn frames_survive_any_cut() {
        let frames = [
            frame(Channel::Control, 0),
            frame(Channel::Data, 300),
            frame(Channel::Bye, 1),
        ];
        let mut wire = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode_into(&mut wire));
        for cut in 0..wire.len() {
            let mut decoder = Decoder::new(1_000);
            let mut decoded = Vec::new();
            for part in [&wire[..cut], &wire[cut..]] {
                decoder.feed(part);
                while let Some(frame) = decoder.next().unwrap() {
                    decoded.push(frame);
                }
            }
            assert_eq!(decoded, frames, "cut at {cut}");
        }
    }

    #[test]
    fn a_wrong_header_is_refused_before_its_payload() {
        let mut decoder = Decoder::new(100);
        decoder.feed(&[0, 0, 0, 102, 3]);
        assert_eq!(decoder.next(), Err(FrameError::Length(102)));
        let mut decoder = Decoder::new(100);
        decoder.feed(&[0, 0, 0, 0, 3]);
        assert_eq!(decoder.next(), Err(FrameError::Length(0)));
        let mut decoder = Decoder::new(100);
        decoder.feed(&[0, 0, 0, 1, 9]);
        assert_eq!(decoder.next(), Err(FrameError::Channel(9)));
    }

    #[test]
    fn a_declared_length_alone_allocates_nothing() {
        let mut decoder = Decoder::new(FRAME_BYTES_MAX);
        decoder.feed(&[0, 0xff, 0, 0, 3]);
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.buffer.capacity() <= 1024);
    }
}

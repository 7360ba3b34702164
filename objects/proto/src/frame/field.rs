//! Numbers, byte strings, options and lists in a frame.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use overlay_proto::Duration;

use super::FrameError;

/// Lists of up to so many entries get no more room than they need: they are kept for long.
const EXACT_MAX: usize = 16;

/// A part of a frame.
pub(super) trait Field: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes it from the front.
    fn take(input: &mut Reader) -> Result<Self, FrameError>;
}

/// What can be written from behind a reference.
pub(super) trait Put {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
}

/// The part of a frame that has not been read.
pub(super) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(super) const fn new(frame: Bytes) -> Self {
        Self { rest: frame }
    }

    /// How many bytes have not been read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// All that has not been read.
    pub(super) fn rest(&mut self) -> Bytes {
        core::mem::take(&mut self.rest)
    }

    pub(super) fn byte(&mut self) -> Result<u8, FrameError> {
        self.rest.try_get_u8().map_err(|_| FrameError::Short)
    }

    /// The next bytes, as a part of the frame itself.
    pub(super) fn bytes(&mut self, length: usize) -> Result<Bytes, FrameError> {
        if length > self.rest.len() {
            return Err(FrameError::Short);
        }
        Ok(self.rest.split_to(length))
    }

    /// A length before as many entries, each of at least one byte: checked against what is left,
    /// so that nothing is allocated for entries that are not there.
    fn count(&mut self) -> Result<usize, FrameError> {
        let count = usize::try_from(u32::take(self)?).map_err(|_| FrameError::Short)?;
        if count > self.rest.len() {
            return Err(FrameError::Short);
        }
        Ok(count)
    }

    /// A list of at most `max` entries.
    pub(super) fn list<T: Field>(&mut self, max: usize) -> Result<Vec<T>, FrameError> {
        let count = self.count()?;
        if count > max {
            return Err(FrameError::Limits);
        }
        let mut entries = Vec::new();
        if count <= EXACT_MAX {
            entries.reserve_exact(count);
        }
        for _ in 0..count {
            entries.push(T::take(self)?);
        }
        Ok(entries)
    }
}

macro_rules! numbers {
    ($($number:ty, $take:ident;)*) => {$(
        impl Field for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(input: &mut Reader) -> Result<Self, FrameError> {
                input.rest.$take().map_err(|_| FrameError::Short)
            }
        }
    )*};
}

numbers! {
    u8, try_get_u8;
    u32, try_get_u32_le;
    u64, try_get_u64_le;
    u128, try_get_u128_le;
}

impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Malformed),
        }
    }
}

impl Field for Duration {
    /// Whole microseconds.
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX).put(out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        u64::take(input).map(Self::from_micros)
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).put(out);
}

impl Field for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend_from_slice(self);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        let length = input.count()?;
        input.bytes(length)
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<T: for<'a> From<&'a str>>(input: &mut Reader) -> Result<T, FrameError> {
    let bytes = <Bytes as Field>::take(input)?;
    let text = core::str::from_utf8(&bytes);
    text.map(T::from).map_err(|_| FrameError::Malformed)
}

impl Field for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        take_text(input)
    }
}

impl Field for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        take_text(input)
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(inner) = self {
            inner.put(out);
        }
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        bool::take(input)?.then(|| T::take(input)).transpose()
    }
}

/// Appends entries with their count.
pub(super) fn put_list<T: Field>(entries: &[T], out: &mut Vec<u8>) {
    put_length(entries.len(), out);
    entries.iter().for_each(|entry| entry.put(out));
}

impl<T: Field> Field for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        input.list(usize::MAX)
    }
}

impl<A: Field, B: Field> Put for (&A, &B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
}

impl<A: Field, B: Field, C: Field> Put for (&A, &B, &C) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }
}

/// The opposite of [`Put`].
pub(super) trait Take: Sized {
    /// Takes the parts from the front.
    fn take(input: &mut Reader) -> Result<Self, FrameError>;
}

impl<A: Field, B: Field> Take for (A, B) {
    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

impl<A: Field, B: Field, C: Field> Take for (A, B, C) {
    fn take(input: &mut Reader) -> Result<Self, FrameError> {
        Ok((A::take(input)?, B::take(input)?, C::take(input)?))
    }
}

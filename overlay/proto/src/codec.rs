//! CBOR on the wire: the one place that encodes and decodes it.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Nesting that a received CBOR item may have; deeper ones are refused.
pub const RECURSION_LIMIT: usize = 16;

/// The bytes are not one CBOR item of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Malformed, of another type, too deep, or cut short.
    #[error("malformed CBOR, or not of the expected type")]
    Malformed,
    /// Bytes were left over after the item.
    #[error("{0} surplus bytes after the CBOR item")]
    Trailing(usize),
    /// Longer than the limit of its message class.
    #[error("{got} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes received.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// The value refused to be serialised (its own `Serialize` said no).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be serialised")]
pub struct EncodeError;

/// Encodes `value` as CBOR.
///
/// # Errors
/// [`EncodeError`] if the value's own `Serialize` implementation fails.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

/// Appends `value` as CBOR to `bytes`; on failure a part of it may have been appended.
///
/// # Errors
/// [`EncodeError`] if the value's own `Serialize` implementation fails.
pub fn encode_into<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    ciborium::into_writer(value, bytes).map_err(|_| EncodeError)
}

/// Decodes exactly one CBOR item of type `T` from all of `bytes`.
///
/// # Errors
/// [`DecodeError`]; nothing is kept of a partly decoded item.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, RECURSION_LIMIT)
        .map_err(|_| DecodeError::Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing(rest.len()))
    }
}

/// [`decode`], refusing more than `limit` bytes unread.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_limited<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong {
            got: bytes.len(),
            limit,
        });
    }
    decode(bytes)
}

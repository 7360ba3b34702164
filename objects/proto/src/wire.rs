//! Which types cross the network, and their encoding.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::absent::absent;
use crate::execution::Codec;

/// Nesting that a received value may have. Deeper ones are refused.
pub const VALUE_DEPTH_MAX: usize = 128;

/// A type whose values can be arguments and results of remote methods.
///
/// Implemented for every type that serde can write and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross the network",
    label = "an argument or a result of a remote method must be serialisable",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`",
    note = "a proxy is not data: pass a `Ref`, and bind it with `cx.get(reference)`",
    note = "a method that is not meant to be remote belongs in an ordinary `impl` block, or gets \
            `#[local]`"
)]
pub trait Wire: Serialize + DeserializeOwned + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> Wire for T {}

/// How values of one type are written and read, or lists of them.
///
/// Made in one place, [`passer`], so that a type that cannot cross is reported once.
#[derive(Debug)]
pub struct Passer<T> {
    pub(crate) encode: fn(&T, &mut Vec<u8>) -> Result<(), String>,
    pub(crate) encode_slice: fn(&[T], &mut Vec<u8>) -> Result<(), String>,
    pub(crate) answer: fn(Codec, &T) -> Result<Vec<u8>, String>,
    pub(crate) answer_slice: fn(Codec, &[T]) -> Result<Vec<u8>, String>,
    pub(crate) decode: fn(Received<'_>) -> Result<Option<T>, String>,
    pub(crate) decode_list: fn(Received<'_>) -> Result<Option<Vec<T>>, String>,
}

impl<T> Clone for Passer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Passer<T> {}

/// How values of `T` cross the network.
#[must_use]
pub const fn passer<T: Wire>() -> Passer<T> {
    Passer {
        encode: encode_cbor::<T>,
        encode_slice: encode_cbor::<[T]>,
        answer: encode::<T>,
        answer_slice: encode::<[T]>,
        decode: decode_received::<T>,
        decode_list: decode_received::<Vec<T>>,
    }
}

/// One argument as it arrived.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// One CBOR item.
    Cbor(&'a [u8]),
    /// One JSON value.
    Json(serde_json::Value),
    /// It was not given.
    Absent,
}

/// The value; `None` if it was not given and its type has no value for that.
fn decode_received<T: DeserializeOwned>(received: Received<'_>) -> Result<Option<T>, String> {
    match received {
        Received::Cbor(bytes) => decode_cbor(bytes).map(Some),
        Received::Json(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| error.to_string()),
        Received::Absent => Ok(absent()),
    }
}

/// How the state of a kind is written and read.
#[derive(Debug)]
pub struct StateCodec<K> {
    pub(crate) encode: fn(&K) -> Result<Vec<u8>, String>,
    pub(crate) decode: fn(&[u8]) -> Result<K, String>,
}

/// How states of `K` cross the network.
#[must_use]
pub const fn state_codec<K: State>() -> StateCodec<K> {
    StateCodec {
        encode: |state| encode(Codec::Cbor, state),
        decode: decode_cbor::<K>,
    }
}

/// A type that can be the state of a shared object: it is copied to several peers.
///
/// Implemented for every type that serde can write and read back and that borrows nothing.
/// Fields marked `#[serde(skip)]` are lost whenever the state moves or is put back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a shared object: its state cannot cross the network",
    label = "the state of a shared object is copied to several peers",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`"
)]
pub trait State: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> State for T {}

/// Encodes a value of the user's.
///
/// # Errors
/// What the value's own `Serialize` says, or that the codec cannot express it.
pub(crate) fn encode<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match codec {
        Codec::Cbor => encode_cbor(value, &mut bytes)?,
        Codec::Json => {
            bytes = serde_json::to_vec(value).map_err(|error| error.to_string())?;
        }
    }
    Ok(bytes)
}

/// Appends a value of the user's as CBOR; on failure a part of it may have been appended.
///
/// # Errors
/// What the value's own `Serialize` says.
pub(crate) fn encode_cbor<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), String> {
    ciborium::into_writer(value, bytes).map_err(|error| match error {
        ciborium::ser::Error::Value(problem) => problem,
        ciborium::ser::Error::Io(_) => String::from("cannot be written"),
    })
}

/// A value that is no longer than this is decoded with a buffer of this size instead of the
/// usual 4 KiB, which costs more to clear than most values to decode. It cannot be nested deeper
/// than it is long.
const SHORT_BYTES: usize = 64;
const _: () = assert!(SHORT_BYTES <= VALUE_DEPTH_MAX);

/// Decodes exactly one CBOR item of the user's type from all of `bytes`.
///
/// # Errors
/// What does not fit, in words.
pub(crate) fn decode_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    use ciborium::de::Error;
    let mut rest = bytes;
    let value = if bytes.len() <= SHORT_BYTES {
        ciborium::de::from_reader_with_buffer(&mut rest, &mut [0; SHORT_BYTES])
    } else {
        ciborium::de::from_reader_with_recursion_limit(&mut rest, VALUE_DEPTH_MAX)
    };
    let value = value.map_err(|error| match error {
        Error::Io(_) => String::from("the CBOR value is cut short"),
        Error::Syntax(at) => format!("malformed CBOR at byte {at}"),
        Error::Semantic(_, problem) => problem,
        Error::RecursionLimitExceeded => format!("nested deeper than {VALUE_DEPTH_MAX}"),
    })?;
    match rest.len() {
        0 => Ok(value),
        surplus => Err(format!("{surplus} surplus bytes after the CBOR value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_and_surplus_bytes_do_not() {
        let mut bytes = encode(Codec::Cbor, &(1u64, "two")).unwrap();
        assert_eq!(
            decode_cbor::<(u64, String)>(&bytes),
            Ok((1, String::from("two")))
        );
        bytes.push(0);
        let problem = decode_cbor::<(u64, String)>(&bytes).unwrap_err();
        assert_eq!(problem, "1 surplus bytes after the CBOR value");
    }

    #[test]
    fn a_bomb_of_nested_arrays_is_refused() {
        let bytes = alloc::vec![0x81u8; 100_000];
        assert!(decode_cbor::<ciborium::Value>(&bytes).is_err());
    }

    #[test]
    fn a_length_that_lies_costs_no_memory() {
        let mut bytes = alloc::vec![0x9b];
        bytes.extend_from_slice(&u64::MAX.to_be_bytes());
        assert!(decode_cbor::<Vec<u64>>(&bytes).is_err());
    }
}

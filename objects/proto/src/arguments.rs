//! Arguments on the wire: a map by name, so that kinds can grow without breaking callers.
//!
//! CBOR arguments are framed as: count (1 byte), then for each argument the length of its name
//! (1 byte), the name, the length of its value (4 bytes, big endian) and the value, one CBOR
//! item. JSON arguments, from command lines, are one array by position or one object by name.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde_json::Value;

use crate::execution::Codec;
use crate::method::{ARGUMENTS_MAX, Method};
use crate::outcome::Cause;
use crate::wire::{self, Passer, Received, passer};

/// Most bytes of one call's encoded arguments.
pub const ARGUMENTS_BYTES_MAX: usize = 1024 * 1024;

/// Writes the arguments of one call. The first failure is kept and given by [`finish`].
///
/// [`finish`]: Self::finish
#[derive(Debug)]
pub struct Encoder {
    method: &'static Method,
    bytes: Vec<u8>,
    problem: Option<Cause>,
}

impl Encoder {
    /// Starts the arguments of a call of `method`.
    #[must_use]
    pub fn new(method: &'static Method) -> Self {
        let count = u8::try_from(method.arguments.len()).unwrap_or(u8::MAX);
        let bytes = alloc::vec![count];
        Self {
            method,
            bytes,
            problem: None,
        }
    }

    /// Appends an argument.
    pub fn value<T>(&mut self, passer: Passer<T>, name: &str, value: &T) {
        self.append(name, |bytes| (passer.encode)(value, bytes));
    }

    /// Appends a string argument.
    pub fn text(&mut self, name: &str, value: &str) {
        self.append(name, |bytes| wire::encode_cbor(value, bytes));
    }

    /// Appends a list argument.
    pub fn slice<T>(&mut self, passer: Passer<T>, name: &str, value: &[T]) {
        self.append(name, |bytes| (passer.encode_slice)(value, bytes));
    }

    /// The encoded arguments.
    ///
    /// # Errors
    /// The first failure: a value that refused to be serialised, or more than
    /// [`ARGUMENTS_BYTES_MAX`].
    pub fn finish(self) -> Result<Bytes, Cause> {
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok(Bytes::from(self.bytes)),
        }
    }

    fn append(&mut self, name: &str, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) {
        if self.problem.is_none()
            && let Err(problem) = self.try_append(name, encode)
        {
            self.problem = Some(problem);
        }
    }

    fn try_append(
        &mut self,
        name: &str,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), Cause> {
        let length = u8::try_from(name.len()).map_err(|_| {
            bad(
                self.method,
                format_args!("argument `{name}` has too long a name"),
            )
        })?;
        self.bytes.push(length);
        self.bytes.extend_from_slice(name.as_bytes());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        encode(&mut self.bytes)
            .map_err(|problem| bad(self.method, format_args!("argument `{name}`: {problem}")))?;
        too_large(self.bytes.len())?;
        let body = start + 4;
        let length = u32::try_from(self.bytes.len() - body).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(start..body) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}

/// The arguments of one call as they arrived, matched to the method's own.
#[derive(Debug)]
pub struct Arguments<'a> {
    method: &'static Method,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    Cbor([Option<&'a [u8]>; ARGUMENTS_MAX]),
    Json(Vec<Option<Value>>),
}

impl<'a> Arguments<'a> {
    /// Reads the frame of the arguments; values are decoded when they are taken.
    ///
    /// # Errors
    /// [`Cause::Arguments`] if the frame is malformed, or names an argument twice or one that the
    /// method does not know; [`Cause::TooLarge`].
    pub fn open(method: &'static Method, codec: Codec, bytes: &'a [u8]) -> Result<Self, Cause> {
        too_large(bytes.len())?;
        let values = match codec {
            Codec::Cbor => Values::Cbor(open_cbor(method, bytes)?),
            Codec::Json => Values::Json(open_json(method, bytes)?),
        };
        Ok(Self { method, values })
    }

    /// The method that they are for.
    #[must_use]
    pub const fn method(&self) -> &'static Method {
        self.method
    }

    /// How the result is to be encoded.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        match self.values {
            Values::Cbor(_) => Codec::Cbor,
            Values::Json(_) => Codec::Json,
        }
    }

    /// Decodes the method's argument at `index`. One that is absent takes the value that its
    /// type has for absence, `None` for an `Option`.
    ///
    /// # Errors
    /// [`Cause::Arguments`], naming method, argument and what does not fit.
    pub fn take<T>(&mut self, passer: Passer<T>, index: usize) -> Result<T, Cause> {
        self.decode(passer.decode, index)
    }

    /// [`take`](Self::take) for a string.
    ///
    /// # Errors
    /// [`Cause::Arguments`].
    pub fn take_text(&mut self, index: usize) -> Result<String, Cause> {
        self.decode(passer::<String>().decode, index)
    }

    /// [`take`](Self::take) for a list.
    ///
    /// # Errors
    /// [`Cause::Arguments`].
    pub fn take_list<T>(&mut self, passer: Passer<T>, index: usize) -> Result<Vec<T>, Cause> {
        self.decode(passer.decode_list, index)
    }

    fn decode<T>(
        &mut self,
        decode: fn(Received<'_>) -> Result<Option<T>, String>,
        index: usize,
    ) -> Result<T, Cause> {
        let name = self.method.arguments.get(index).copied().unwrap_or("?");
        let received = match &mut self.values {
            Values::Cbor(slots) => slots.get(index).copied().flatten().map(Received::Cbor),
            Values::Json(slots) => slots
                .get_mut(index)
                .and_then(Option::take)
                .map(Received::Json),
        };
        match decode(received.unwrap_or(Received::Absent)) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(bad(self.method, format_args!("missing argument `{name}`"))),
            Err(problem) => Err(bad(
                self.method,
                format_args!("argument `{name}`: {problem}"),
            )),
        }
    }
}

/// Splits a frame into the method's arguments without decoding any.
fn open_cbor<'a>(
    method: &'static Method,
    bytes: &'a [u8],
) -> Result<[Option<&'a [u8]>; ARGUMENTS_MAX], Cause> {
    let short = || bad(method, format_args!("the arguments are cut short"));
    let mut slots = [None; ARGUMENTS_MAX];
    let (count, mut rest) = bytes.split_first().ok_or_else(short)?;
    for _ in 0..*count {
        let (length, after) = rest.split_first().ok_or_else(short)?;
        let (name, after) = after
            .split_at_checked(usize::from(*length))
            .ok_or_else(short)?;
        let (length, after) = after.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| short())?;
        let (value, after) = after.split_at_checked(length).ok_or_else(short)?;
        rest = after;
        let name = core::str::from_utf8(name)
            .map_err(|_| bad(method, format_args!("the name of an argument is not UTF-8")))?;
        let slot = slot(method, &mut slots, name)?;
        if slot.replace(value).is_some() {
            return Err(bad(
                method,
                format_args!("argument `{name}` is given twice"),
            ));
        }
    }
    if rest.is_empty() {
        Ok(slots)
    } else {
        Err(bad(
            method,
            format_args!("{} surplus bytes after the arguments", rest.len()),
        ))
    }
}

/// Matches a JSON array by position or an object by name to the method's arguments.
fn open_json(method: &'static Method, bytes: &[u8]) -> Result<Vec<Option<Value>>, Cause> {
    let arguments = serde_json::from_slice(bytes)
        .map_err(|error| bad(method, format_args!("the arguments are not JSON: {error}")))?;
    match arguments {
        Value::Array(values) if values.len() > method.arguments.len() => Err(bad(
            method,
            format_args!(
                "takes {}, got {}",
                count(method.arguments.len()),
                values.len()
            ),
        )),
        Value::Array(values) => Ok(values.into_iter().map(Some).collect()),
        Value::Object(values) => {
            let mut slots = alloc::vec![None; method.arguments.len()];
            for (name, value) in values {
                *slot(method, &mut slots, &name)? = Some(value);
            }
            Ok(slots)
        }
        _ => Err(bad(
            method,
            format_args!("the arguments are neither an array nor an object"),
        )),
    }
}

/// The place of the argument with this name.
fn slot<'s, T>(
    method: &Method,
    slots: &'s mut [Option<T>],
    name: &str,
) -> Result<&'s mut Option<T>, Cause> {
    let index = method.arguments.iter().position(|known| *known == name);
    index.and_then(|index| slots.get_mut(index)).ok_or_else(|| {
        bad(
            method,
            format_args!("does not know argument `{}`", name.escape_debug()),
        )
    })
}

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        more => format!("{more} arguments"),
    }
}

fn bad(method: &Method, problem: core::fmt::Arguments<'_>) -> Cause {
    Cause::Arguments(format!("`{}`: {problem}", method.name))
}

fn too_large(bytes: usize) -> Result<(), Cause> {
    if bytes <= ARGUMENTS_BYTES_MAX {
        return Ok(());
    }
    Err(Cause::TooLarge {
        what: "the arguments".to_owned(),
        bytes: bytes as u64,
        limit: ARGUMENTS_BYTES_MAX as u64,
    })
}

#[cfg(test)]
mod tests;

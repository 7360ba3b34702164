//! Checks for the tests of kinds whose methods are `#[deterministic]`.
//!
//! What a check finds would harm nothing but speed: replicas that come to other bytes are sent
//! the state. It is easier found here than in a running cluster.

use alloc::string::{String, ToString};

use crate::kinds_table::{decode_state, encode_state};
use crate::outcome::Cause;
use crate::shared::SharedObject;

/// How often a state is decoded and encoded again. An unordered collection of two entries is as
/// likely as not to come out in the same order, so once proves nothing.
const ROUNDS: usize = 32;

/// Why a kind's methods must not be `#[deterministic]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDeterministic {
    /// The state cannot be encoded, or not be decoded again.
    #[error("the state of `{kind}` does not survive its encoding: {cause}")]
    Unencodable {
        /// The kind.
        kind: String,
        /// Why.
        cause: Cause,
    },
    /// One state has several encodings.
    #[error(
        "`{kind}` is encoded in another way each time it is decoded: use `BTreeMap` and \
         `BTreeSet` instead of `HashMap` and `HashSet` in it"
    )]
    Encoding {
        /// The kind.
        kind: String,
    },
    /// One call on one state has several effects.
    #[error(
        "a call on equal states of `{kind}` does not come to equal states and results: it must \
         depend on nothing but the encoded state and its arguments"
    )]
    Call {
        /// The kind.
        kind: String,
    },
}

/// Checks that a state has one encoding, also after it was decoded elsewhere.
///
/// # Errors
/// [`NotDeterministic`].
pub fn check_encoding<K: SharedObject>(state: &K) -> Result<(), NotDeterministic> {
    let unencodable = |cause| NotDeterministic::Unencodable {
        kind: K::KIND.to_string(),
        cause,
    };
    let bytes = encode_state(state).map_err(unencodable)?;
    for _ in 0..ROUNDS {
        let decoded: K = decode_state(&bytes).map_err(unencodable)?;
        if encode_state(&decoded).map_err(unencodable)? != bytes {
            return Err(NotDeterministic::Encoding {
                kind: K::KIND.to_string(),
            });
        }
    }
    Ok(())
}

/// Checks that a call on copies of one state comes to one state and one result, as
/// `check_call(&deck, |deck| deck.turn(3))`.
///
/// # Errors
/// [`NotDeterministic`].
pub fn check_call<K: SharedObject, R: PartialEq>(
    state: &K,
    call: impl Fn(&mut K) -> R,
) -> Result<(), NotDeterministic> {
    check_encoding(state)?;
    let unencodable = |cause| NotDeterministic::Unencodable {
        kind: K::KIND.to_string(),
        cause,
    };
    let before = encode_state(state).map_err(unencodable)?;
    let run = || {
        let mut copy: K = decode_state(&before)?;
        let result = call(&mut copy);
        Ok((encode_state(&copy)?, result))
    };
    let (first, result) = run().map_err(unencodable)?;
    for _ in 0..ROUNDS {
        let (other, again) = run().map_err(unencodable)?;
        if other != first || again != result {
            return Err(NotDeterministic::Call {
                kind: K::KIND.to_string(),
            });
        }
    }
    Ok(())
}

//! How the encoded object changes in a step.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::execution::Codec;
use crate::object::MethodId;

/// Most calls of one step that are shipped instead of what they made.
pub const REPLAY_CALLS_MAX: usize = 64;

/// How the encoded object changes in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateChange {
    /// No call changed it.
    Kept,
    /// It is this now.
    Whole(Bytes),
    /// It is what was there with these differences.
    Delta(Delta),
    /// It is what these calls make of what was there: at most [`REPLAY_CALLS_MAX`]. The receiver
    /// runs them for itself and compares before it answers.
    Replay(Vec<ReplayCall>),
}

/// What a large state became: pieces of what it was, and what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Length of the result, bytes.
    pub length: u32,
    /// The [`digest`](crate::digest::digest) of the result.
    pub digest: u64,
    /// The result, from its beginning to its end.
    pub pieces: Vec<Piece>,
}

/// A piece of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// A part of the state before.
    Kept {
        /// Where it begins there, bytes.
        at: u32,
        /// Its length, bytes.
        length: u32,
    },
    /// Bytes that were not at either of the two places looked at.
    New(Bytes),
}

/// A deterministic call that succeeded, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayCall {
    /// Which method.
    pub method: MethodId,
    /// How the arguments and the result are encoded.
    pub codec: Codec,
    /// The encoded arguments.
    pub arguments: Bytes,
    /// The [`digest_of_call`](crate::digest::digest_of_call) of the state after it and its result.
    pub digest: u64,
}

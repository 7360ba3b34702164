//! The registry: introduces peers to each other, and may go away afterwards.
//!
//! It keeps signed member records under leases, in memory and in a snapshot file, and answers
//! requests of the registry protocol ([`overlay::proto::registry`]). Nothing depends on it once
//! two peers know each other: peers answer the same requests.
#![forbid(unsafe_code)]

pub mod daemon;
pub mod registry;
pub mod snapshot;

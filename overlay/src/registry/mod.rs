//! The transport of the registry protocol: calling registries, and being one.
//!
//! A registry is a libp2p peer that is no node: it speaks one protocol, with one request and one
//! answer per stream. Its messages and state are in [`crate::proto::registry`].

mod call;
pub(crate) mod client;
mod exchange;
mod server;

pub use call::{CallError, call};
pub(crate) use exchange::serve_stream;
pub use server::{CALLS_MAX, RegistryServer, serve};

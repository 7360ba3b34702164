//! Links: one long-lived stream per pair of processes, confirmed by a hello, read and written
//! by tasks of its own, so that frames never pass through the event loop.
//!
//! Modules import only leftwards: `frame · window · queue · echo · hello · handler · behaviour ·
//! wire · table` and `writer`. What is read goes to the layers above, so the reader is the
//! driver's.

pub(crate) mod behaviour;
pub(crate) mod echo;
pub(crate) mod frame;
pub(crate) mod handler;
pub(crate) mod hello;
pub(crate) mod queue;
pub(crate) mod table;
pub(crate) mod window;
pub(crate) mod wire;
pub(crate) mod writer;

pub use table::{Outbound, SendError};

#[cfg(test)]
mod tests;

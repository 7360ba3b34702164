//! Protocol cores of shared objects: deterministic state machines without clock, socket or task,
//! and the types that user code meets: references, proxies, calls, contexts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod absent;
pub mod arguments;
pub mod call;
pub mod caller;
pub mod client;
pub mod config;
pub mod context;
pub mod creation;
pub mod delta;
mod depth;
pub mod digest;
pub mod directory;
pub mod error;
pub mod execution;
mod flat_map;
pub mod frame;
pub mod guard;
pub mod handle;
pub mod host;
pub mod kinds_table;
pub mod lease;
pub mod machine;
pub mod message;
pub mod method;
pub mod mode;
pub mod mutation;
pub mod naming;
pub mod object;
pub mod objects;
pub mod outcome;
pub mod placement;
pub mod proxy;
pub mod reach;
pub mod reads;
pub mod reference;
pub mod register;
pub mod reply;
pub mod run;
pub mod scope;
pub mod servant;
pub mod session;
pub mod shared;
pub mod testing;
pub mod value;
pub mod wire;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

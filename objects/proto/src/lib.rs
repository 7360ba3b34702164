//! Protocol cores of shared objects: deterministic state machines without clock, socket or task,
//! and the types that user code meets: references, proxies, calls, contexts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod caller;
pub mod execution;
pub mod machine;
pub mod message;
pub mod object;
pub mod outcome;
pub mod reference;
pub mod session;

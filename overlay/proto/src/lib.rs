//! Protocol cores of the overlay: deterministic state machines without clock, socket or task.
//!
//! The `overlay` crate drives them with tokio and libp2p, the `simulations` crate in virtual
//! time. Modules import only leftwards in this order:
//! `id · time · machine · codec · member · view`, then the machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod id;
pub mod machine;
pub mod member;
pub mod time;
pub mod view;

pub use id::{ClusterId, Incarnation, PeerId, ProcessId};
pub use machine::{Input, LinkDown, Machine, Output, Sink};
pub use time::{Duration, Instant};

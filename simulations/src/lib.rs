//! Discrete-event simulation of the protocol cores.
//!
//! A [`World`](world::World) runs the very machines that production runs, in virtual time:
//! latency, loss, cuts, crashes with memory loss, pauses and clock drift all come from one
//! seed, and so does everything else. The same seed gives the same event hash, on any machine.
//!
//! Modules import only leftwards in this order: `seed · trace · queue · conditions · network ·
//! faults · kernel · world`, then the environment's parts and the scenarios.
#![forbid(unsafe_code)]

pub mod conditions;
pub mod faults;
pub mod kernel;
pub mod network;
pub mod queue;
pub mod seed;
pub mod trace;
pub mod world;

pub mod directory;
pub mod gossip;
pub mod invariants;
pub mod membership;
pub mod oracle;
pub mod register;
pub mod report;
pub mod run;
pub mod scenario;
pub mod witness;

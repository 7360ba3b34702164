//! Real peers in network namespaces, joined by a switch that loses, delays, reorders and cuts,
//! while they are killed, frozen and sent away; then the checkers of the simulator judge every
//! call that was made.
#![forbid(unsafe_code)]

mod control;
mod faults;
mod field;
mod figures;
mod history;
mod hosts;
mod judge;
mod kinds;
mod life;
mod report;
mod run;
mod switch;
mod task;
mod weather;

pub use figures::Failover;
pub use life::{Life, live};
pub use report::Report;
pub use run::{Options, Outcome, run};
pub use task::Role;

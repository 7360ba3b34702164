//! The command line of a peer, as a library: a program with its own kinds gets all of it.
//!
//! ```no_run
//! # use objects::shared;
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)]
//! # struct Cart { items: Vec<String> }
//! # #[shared]
//! # impl Cart { fn items(&self) -> Vec<String> { self.items.clone() } }
//! fn main() -> std::process::ExitCode {
//!     peer::main(|node| node.host::<Cart>())
//! }
//! ```

mod bench;
mod cli;
mod client;
mod commands;
mod demo;
mod exit;
mod options;
mod output;
#[doc(hidden)]
pub mod processes;
mod stdout;

pub use cli::main;
#[doc(hidden)]
pub use demo::{Recorded, Tally, TallyProxy};
pub use exit::Exit;

//! The `peer` binary as its users meet it: real processes, real sockets, real signals.

mod command_line;
mod demo;
mod fixture;
mod frozen;
mod hand_over;
mod namespaces;
mod survival;

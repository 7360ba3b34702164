//! The `peer` binary as its users meet it: real processes, real sockets, real signals.

mod command_line;
mod cut_off;
mod demo;
mod far_client;
mod fixture;
mod frozen;
mod hand_over;
mod namespaces;
mod ns;
mod survival;

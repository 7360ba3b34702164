//! What an application author relies on, with real nodes over loopback in one process.

mod calls;
mod failover;
mod harness;
mod lifecycle;
mod modes;
mod names;
mod nested;

//! Kinds made with `#[shared]`, called through their proxies in one process.

mod calls;
mod deterministic;
mod interface;
mod messages;
mod nested;
mod servants;
mod world;

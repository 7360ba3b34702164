//! The parts of the benchmark.

pub(super) mod bulk;
pub(super) mod calls;
pub(super) mod creations;
pub(super) mod idle;
pub(super) mod payloads;
pub(super) mod processes;
pub(super) mod reads;
pub(super) mod takeover;

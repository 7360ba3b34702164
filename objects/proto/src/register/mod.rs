//! One object's register at one process: an epoch'd primary register.
//!
//! A register in the manner of CASPaxos whose proposer keeps its ballot and whose replica set is
//! part of its value. Safety comes from majorities of that set alone; when to stand, whom to add
//! and what to repair is the host's business.

mod env;
mod replica;
mod tombstone;

pub use env::{Activation, Effects, Env, MethodInfo, Methods, Mutation, Note};
pub use replica::{Holder, LearnerStatus, ProposeError, Replica, WaitingCall};
pub use tombstone::Tombstone;

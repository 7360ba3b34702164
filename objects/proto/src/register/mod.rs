//! One object's register at one process: an epoch'd primary register.
//!
//! A register in the manner of CASPaxos whose proposer keeps its ballot and whose replica set is
//! part of its value. Safety comes from majorities of that set alone; when to stand, whom to add
//! and what to repair is the host's business.
//!
//! [`Replica`] reacts to messages (`accepting`), stands (`candidate`), admits calls (`requests`,
//! `queue`), runs them (`plan`, `batch`, `maker`), ships what came of them (`round`, `ship`), runs
//! what others shipped (`replay`), rests (`rest`), forgets (`expiry`) and moves to other replica
//! sets (`reconfigure`, `finish`). `record` has the acceptor's rules, `tombstone` and `floor` those
//! by which an epoch that was left stays left; `lease` says when a read need not ask and a promise
//! must wait, `weak` what is different for objects whose calls do not wait for a majority.

mod accepting;
mod batch;
mod candidate;
mod carried;
mod env;
mod expiry;
mod finish;
mod floor;
mod laggards;
mod lease;
mod maker;
mod member_set;
mod overtaken;
mod plan;
mod possible;
mod primary;
mod proposal;
mod queue;
mod quorum;
mod reconfigure;
mod record;
mod replay;
mod replica;
mod requests;
mod rest;
mod round;
mod ship;
mod snapshots;
mod status;
mod tables;
mod tombstone;
mod weak;

pub use crate::mutation::Mutation;
pub use env::{Activation, Effects, Env, Expiry, MethodInfo, Methods, Note};
pub use queue::{QUEUE_BYTES_MAX, QUEUE_CALLS_MAX};
pub use replica::{Holder, LearnerStatus, ProposeError, Replica, WaitingCall};
pub use tombstone::Tombstone;

pub(crate) use possible::counted;
pub(crate) use quorum::quorum;
pub(crate) use replica::Role;

#[cfg(test)]
mod tests;

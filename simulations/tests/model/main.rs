//! The register under a model checker: every order of messages, with loss, repetition, a
//! takeover, a change of the replica set and a crash with memory loss, of one small object.
//!
//! The checker (stateright) drives the very code that production runs. Messages once sent may
//! arrive at any time, any number of times, or never: that covers loss, reordering and
//! repetition. Time stands still, so whatever a timeout would do is an event of its own.

mod cluster;
mod history;
mod host;
mod kind;
mod requests;
mod sent;

use cluster::{Bounds, Broken, Cluster};
use objects_proto::register::Mutation;
use stateright::{Checker, HasDiscoveries, Model};

/// Explores a cluster to the end, or to the first broken promise. How many states it has, and
/// the promise.
fn explore(bounds: Bounds, broken: Option<Broken>) -> (usize, Option<&'static str>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = Cluster::new(bounds, broken).checker();
    let checker = checker.finish_when(HasDiscoveries::Any).threads(threads);
    let checker = checker.spawn_bfs().join();
    let promise = checker.discoveries().into_keys().next();
    (checker.unique_state_count(), promise)
}

/// Every state is reached, at least so many, and every promise holds in each.
fn holds(bounds: Bounds, at_least: usize) {
    let (states, broken) = explore(bounds, None);
    println!("{states} states: {bounds:?}");
    assert_eq!(broken, None, "{bounds:?}");
    assert!(states >= at_least, "only {states} states: {bounds:?}");
}

/// A broken rule breaks a promise.
fn is_found(broken: Broken, bounds: Bounds) {
    let (states, promise) = explore(bounds, Some(broken));
    println!("{broken:?}: {promise:?} after {states} states");
    assert!(promise.is_some(), "{broken:?} survives {states} states");
}

const QUIET: Bounds = Bounds {
    writes: 1,
    reads: 0,
    takeovers: 0,
    changes: 0,
    crashes: 0,
};

#[test]
fn two_writes_a_takeover_and_a_crash() {
    let bounds = Bounds {
        writes: 2,
        takeovers: 1,
        crashes: 1,
        ..QUIET
    };
    holds(bounds, 50_000);
}

#[test]
fn a_write_a_read_a_takeover_and_a_crash() {
    let bounds = Bounds {
        reads: 1,
        takeovers: 1,
        crashes: 1,
        ..QUIET
    };
    holds(bounds, 50_000);
}

#[test]
fn a_write_two_takeovers_and_a_crash() {
    let bounds = Bounds {
        takeovers: 2,
        crashes: 1,
        ..QUIET
    };
    holds(bounds, 50_000);
}

#[test]
fn a_write_a_takeover_a_change_of_the_set_and_a_crash() {
    let bounds = Bounds {
        takeovers: 1,
        changes: 1,
        crashes: 1,
        ..QUIET
    };
    holds(bounds, 1_000_000);
}

#[test]
fn broken_rules_are_found() {
    let taken = Bounds {
        writes: 2,
        takeovers: 1,
        ..QUIET
    };
    let read = Bounds {
        reads: 1,
        takeovers: 1,
        ..QUIET
    };
    let crashed = Bounds {
        crashes: 1,
        ..taken
    };
    is_found(Broken::Register(Mutation::QuorumOneLess), taken);
    is_found(Broken::Register(Mutation::RepeatsRun), taken);
    is_found(Broken::Register(Mutation::ReadsUnchecked), read);
    is_found(Broken::Amnesia, crashed);
}

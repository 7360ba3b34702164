//! The proxy side of invocation: numbers a handle's calls, finds the primary, repeats until a
//! call's end is known or its deadline has passed, and never guesses whether a call ran.
//!
//! Calls of one handle on one object form a lane and are sent in order; after a refusal, a
//! redirect or a lost link all open ones are sent again in order (go-back-N). A read that had to
//! be sent again may see writes of its handle that were made after it. Where an object is, is
//! shared by all lanes on it and believed only on the word of its members.

mod begin;
mod call;
mod config;
mod effects;
mod end;
mod ids;
mod lane;
mod place;
mod reply;
mod search;
mod send;
mod tables;
#[cfg(test)]
mod tests;
mod tick;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use overlay_proto::view::MembershipView;
use overlay_proto::{Instant, ProcessId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use self::begin::ARGUMENT_BYTES_MAX;
use self::call::{Call, CallId, What};
pub use self::config::ClientConfig;
pub use self::effects::ClientEffects;
use self::lane::{Lane, LaneKey};
use self::place::Place;
use crate::machine::Ticket;
use crate::object::{Configuration, MethodId, ObjectId};
use crate::reach::Reach;

/// An open nested call, for whoever follows who waits for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenNested {
    /// The object called.
    pub target: ObjectId,
    /// The process that is taken for its primary, if any.
    pub primary: Option<ProcessId>,
    /// The call's id.
    pub call: u128,
}

/// The calls that this process makes. A part of the object machine, not a machine itself.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    me: ProcessId,
    /// Spreads retries in time, nothing else.
    dice: ChaCha8Rng,
    view: MembershipView,
    /// The next call's id.
    next: CallId,
    /// Boxed: a map moves its neighbours with each that comes or goes.
    calls: BTreeMap<CallId, Box<Call>>,
    tickets: BTreeMap<Ticket, CallId>,
    lanes: BTreeMap<LaneKey, Lane>,
    places: BTreeMap<ObjectId, Place>,
    /// Objects with open calls.
    active: BTreeSet<ObjectId>,
    /// Places without an open call, the longest unused first.
    idle: BTreeMap<u64, ObjectId>,
    idled: u64,
    /// Open nested calls by the object that makes them.
    nested: BTreeMap<ObjectId, BTreeSet<CallId>>,
    /// Openings that ended while another attempt of them may still open a session.
    surplus: BTreeMap<CallId, (ObjectId, MethodId)>,
    /// No call's deadline is earlier.
    next_deadline: Instant,
    reach: Reach,
    /// When all hosts of the view were last asked for any object.
    view_round_at: Option<Instant>,
}

impl Client {
    /// A client without calls. `seed` spreads its retries, nothing else.
    #[must_use]
    pub fn new(config: ClientConfig, me: ProcessId, seed: u64) -> Self {
        Self {
            config,
            me,
            dice: ChaCha8Rng::seed_from_u64(seed),
            view: MembershipView::default(),
            next: CallId(1),
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            lanes: BTreeMap::new(),
            places: BTreeMap::new(),
            active: BTreeSet::new(),
            idle: BTreeMap::new(),
            idled: 0,
            nested: BTreeMap::new(),
            surplus: BTreeMap::new(),
            next_deadline: Instant::from_micros(u64::MAX),
            reach: Reach::default(),
            view_round_at: None,
        }
    }

    /// The membership view changed: whom to ask when nobody else knows an object.
    pub fn on_view(&mut self, view: MembershipView) {
        self.view = view;
    }

    /// A link is open: whatever is at its other end can be called.
    pub fn on_link_up(&mut self, process: ProcessId) {
        self.reach.heard(&process);
    }

    /// Whether something waits, so that [`tick`](Self::tick) is due every 25 ms.
    #[must_use]
    pub fn needs_tick(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Calls and other requests that have not ended.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// The nested calls that methods of `source` wait for.
    #[must_use]
    pub fn open_nested_of(&self, source: ObjectId) -> Vec<OpenNested> {
        let open = self.nested.get(&source).into_iter().flatten();
        open.filter_map(|id| {
            let call = self.calls.get(id)?;
            let What::Method(method) = &call.what else {
                return None;
            };
            let target = call.key.object;
            Some(OpenNested {
                target,
                primary: self.places.get(&target).and_then(|place| place.target),
                call: method.chain.call,
            })
        })
        .collect()
    }

    /// The replica set that the client believes the object to have.
    #[must_use]
    pub fn place_of(&self, object: ObjectId) -> Option<&Arc<Configuration>> {
        self.places.get(&object)?.configuration.as_ref()
    }
}

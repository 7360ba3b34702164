//! One run of a method: what its context and the calls made from it share.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use once_cell::race::OnceBox;
use overlay_proto::{Duration, Instant, ProcessId};

use crate::caller::{Caller, Parent};
use crate::execution::{CHAIN_MAX, CallChain, Deferred};
use crate::object::ObjectId;
use crate::outcome::{Cause, Failure};

/// Most calls that one run may defer until after its commit.
pub const DEFERRED_MAX: usize = 64;
/// Most bytes of arguments that one run may defer until after its commit.
pub const DEFERRED_BYTES_MAX: usize = 256 * 1024;

/// Why a run that returned is not let through after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Veto {
    /// It misused its context; treated like a panic.
    Misuse(String),
    /// What it left behind cannot be shipped.
    Refused(Cause),
}

impl Veto {
    /// The veto as the end of the call.
    pub(crate) fn into_failure(self) -> Result<Failure, Cause> {
        match self {
            Self::Misuse(message) => Ok(Failure::Panicked(message)),
            Self::Refused(cause) => Err(cause),
        }
    }
}

/// One run of one method.
pub(crate) struct Scope {
    /// The node that runs it.
    pub(crate) node: Arc<dyn Caller>,
    /// The object.
    pub(crate) object: ObjectId,
    /// The object's kind.
    pub(crate) kind: Arc<str>,
    /// The method's name.
    pub(crate) method: &'static str,
    /// Whether it may change the object.
    pub(crate) write: bool,
    /// Who calls.
    pub(crate) caller: ProcessId,
    /// The call's own chain.
    pub(crate) chain: CallChain,
    /// When its caller stops waiting.
    pub(crate) deadline: Instant,
    /// How many calls it has made.
    pub(crate) nested: AtomicU32,
    /// What it deferred.
    pub(crate) deferred: Deferrals,
    /// The first reason not to let it through.
    pub(crate) veto: OnceBox<Veto>,
}

impl Scope {
    /// What is left until the deadline.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.since(self.node.now())
    }

    /// The chain for the next call made from this run.
    pub(crate) fn parent(&self) -> Result<Parent, Cause> {
        if self.chain.holds.len() + 1 > CHAIN_MAX {
            return Err(Cause::Overloaded(String::from("the chain of nested calls")));
        }
        let mut chain = self.chain.clone();
        chain.holds.push(self.object);
        Ok(Parent {
            chain,
            ordinal: self.nested.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Keeps the first reason not to let the run through.
    pub(crate) fn forbid(&self, veto: Veto) {
        let _first_one_stays = self.veto.set(Box::new(veto));
    }
}

/// A list that only grows, shared without a lock.
#[derive(Debug, Default)]
pub(crate) struct Deferrals {
    first: OnceBox<Entry>,
}

#[derive(Debug)]
struct Entry {
    call: Deferred,
    next: OnceBox<Entry>,
}

impl Deferrals {
    /// Appends a call.
    ///
    /// # Errors
    /// [`Cause::TooLarge`] beyond [`DEFERRED_MAX`] calls or [`DEFERRED_BYTES_MAX`] bytes.
    pub(crate) fn push(&self, call: Deferred) -> Result<(), Cause> {
        let (mut calls, mut bytes) = (1, call.arguments.len());
        let mut entry = Box::new(Entry {
            call,
            next: OnceBox::new(),
        });
        let mut place = &self.first;
        loop {
            if let Some(taken) = place.get() {
                calls += 1;
                bytes += taken.call.arguments.len();
                place = &taken.next;
                continue;
            }
            within("the number of calls after commit", calls, DEFERRED_MAX)?;
            within(
                "the arguments of calls after commit",
                bytes,
                DEFERRED_BYTES_MAX,
            )?;
            match place.set(entry) {
                Ok(()) => return Ok(()),
                Err(back) => entry = back,
            }
        }
    }

    /// The calls in the order appended.
    pub(crate) fn to_vec(&self) -> Vec<Deferred> {
        core::iter::successors(self.first.get(), |entry| entry.next.get())
            .map(|entry| entry.call.clone())
            .collect()
    }
}

fn within(what: &str, amount: usize, limit: usize) -> Result<(), Cause> {
    if amount <= limit {
        return Ok(());
    }
    Err(Cause::TooLarge {
        what: String::from(what),
        bytes: amount as u64,
        limit: limit as u64,
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use bytes::Bytes;

    use super::*;
    use crate::object::MethodId;
    use crate::reference::RawRef;

    fn call(name: &str, bytes: usize) -> Deferred {
        Deferred {
            target: RawRef::bare(ObjectId(1), "Account"),
            method: MethodId::of(name),
            name: String::from(name),
            arguments: Bytes::from(alloc::vec![0; bytes]),
        }
    }

    #[test]
    fn calls_keep_their_order_and_their_limits() {
        let deferrals = Deferrals::default();
        for index in 0..DEFERRED_MAX {
            deferrals.push(call(&format!("m{index}"), 1)).unwrap();
        }
        assert!(matches!(
            deferrals.push(call("late", 1)),
            Err(Cause::TooLarge { .. })
        ));
        let names: Vec<_> = deferrals
            .to_vec()
            .into_iter()
            .map(|call| call.name)
            .collect();
        assert_eq!(names.len(), DEFERRED_MAX);
        assert_eq!((names[0].as_str(), names[63].as_str()), ("m0", "m63"));
    }

    #[test]
    fn bytes_are_limited_too() {
        let deferrals = Deferrals::default();
        deferrals.push(call("a", DEFERRED_BYTES_MAX)).unwrap();
        assert!(matches!(
            deferrals.push(call("b", 1)),
            Err(Cause::TooLarge { .. })
        ));
    }
}

//! A client of a trial: a process of the world as a user's program sees its node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use objects_proto::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use objects_proto::handle::Handle;
use objects_proto::kinds_table::encode_state;
use objects_proto::machine::{Command, Creation};
use objects_proto::object::ObjectId;
use objects_proto::outcome::Cause;
use objects_proto::proxy::{Callable, Proxy};
use objects_proto::reference::{RawRef, Ref};
use objects_proto::shared::SharedObject;
use overlay_proto::{Duration, Instant, ProcessId};

use super::ledger::Ledger;
use super::marks::{mark, with_log};
use crate::caller::{Answer, SimCaller};

/// How long a creation waits for its end.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the world is told about an object when it is made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// How to reach it.
    pub(super) reference: RawRef,
    /// Whether nothing acknowledged may be lost.
    pub(super) strong: bool,
    /// Whether its reads are current.
    pub(super) current: bool,
}

/// What all processes of a trial write into.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    ledger: Arc<Mutex<Ledger>>,
    made: Arc<Mutex<Vec<Made>>>,
}

impl Books {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Objects made since the last time.
    pub(super) fn take_made(&self) -> Vec<Made> {
        std::mem::take(&mut self.made())
    }
}

/// A process of the simulated world, as a program sees its node: it makes objects, binds
/// references, and tells the time. It ends with its process.
#[derive(Clone)]
pub struct Client {
    process: ProcessId,
    sim: SimCaller,
    caller: Arc<dyn Caller>,
    books: Books,
    factor: u8,
}

impl Client {
    pub(super) fn new(process: ProcessId, sim: SimCaller, books: Books, factor: u8) -> Self {
        let marking = Marking {
            process,
            sim: sim.clone(),
            books: books.clone(),
        };
        Self {
            process,
            sim,
            caller: Arc::new(marking),
            books,
            factor,
        }
    }

    /// Where the world finds the commands of this process.
    pub(super) const fn sim(&self) -> &SimCaller {
        &self.sim
    }

    /// What methods that run on this process are bound to.
    pub(super) const fn caller(&self) -> &Arc<dyn Caller> {
        &self.caller
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// Makes an object, as `Node::create` does. A majority of its replicas holds it then.
    ///
    /// # Errors
    /// Why there is no object, or none that can be reached: 10 s passed, no host is known, or
    /// the state cannot be encoded.
    pub async fn create<K: SharedObject>(&self, value: K) -> Result<K::Proxy, Cause> {
        let state = encode_state(&value)?;
        let handle = self.caller.open_handle();
        let creation = Creation {
            kind: K::KIND.to_owned(),
            kind_version: K::VERSION,
            mode: K::MODE,
            state: with_log(&state, &[]),
            factor: self.factor,
            id: None,
            members: None,
            handle,
            timeout: CREATE_TIMEOUT,
        };
        let command = |ticket| Command::Create { ticket, creation };
        let created = self.sim.ask(command, |answer| match answer {
            Answer::Created(created) => Some(created),
            _ => None,
        });
        let reference = created.await?;
        self.books.made().push(Made {
            reference: reference.clone(),
            strong: K::MODE == objects_proto::mode::Mode::Strong,
            current: K::READS != objects_proto::reads::Reads::Stale,
        });
        let handle = Handle::opened(reference, self.caller.clone(), handle);
        Ok(K::Proxy::from_handle(handle))
    }

    /// Binds a reference, as `Node::get` does.
    #[must_use]
    pub fn get<K: Callable>(&self, reference: impl Into<Ref<K>>) -> K::Proxy {
        K::Proxy::bind(reference.into(), self.caller.clone())
    }

    /// The process's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.caller.now()
    }

    /// Waits for `duration` of the world's time.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.caller.sleep(duration)
    }

    /// A random number, drawn from the run's seed. Take randomness and time from here alone:
    /// then the same seed gives the same run.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.caller.random()
    }

    /// One of these, drawn from the run's seed; `None` of none.
    #[must_use]
    pub fn pick<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        let length = items.len() as u64;
        items.get(self.random().checked_rem(length)? as usize)
    }
}

/// Marks the calls of a process with their ids and keeps the books about them.
struct Marking {
    process: ProcessId,
    sim: SimCaller,
    books: Books,
}

impl Marking {
    fn begin(&self, object: ObjectId, handle: HandleId, write: bool) -> u64 {
        let caller = (self.process, handle);
        let mut ledger = self.books.ledger();
        ledger.begin(self.sim.now(), object, caller, write)
    }
}

impl Caller for Marking {
    fn open_handle(&self) -> HandleId {
        self.sim.open_handle()
    }

    fn release_handle(&self, handle: HandleId) {
        self.sim.release_handle(handle);
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Completion> {
        let marked = |call, arguments: &Bytes| mark(call, arguments);
        if invocation.parent.is_some() {
            let arguments = marked(None, &invocation.arguments);
            return self.sim.invoke(Invocation {
                arguments,
                ..invocation
            });
        }
        let id = self.begin(invocation.target.id, invocation.handle, invocation.write);
        let arguments = marked(Some(id), &invocation.arguments);
        let completion = self.sim.invoke(Invocation {
            arguments,
            ..invocation
        });
        let (books, sim) = (self.books.clone(), self.sim.clone());
        Box::pin(async move {
            let completion = completion.await;
            books.ledger().finish(sim.now(), id, &completion);
            completion
        })
    }

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sim.sleep(duration)
    }

    fn random(&self) -> u64 {
        self.sim.random()
    }
}

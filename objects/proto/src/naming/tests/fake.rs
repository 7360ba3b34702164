//! A node whose directory of names answers at once, as the test wants it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use core::future::{pending, ready};
use overlay_proto::{Duration, Incarnation, Instant, PeerId, ProcessId};

use crate::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use crate::execution::{CallChain, Execution, ExecutionCall, ExecutionKey, ExecutionMode, Ran};
use crate::guard::Unguarded;
use crate::handle::Handle;
use crate::kinds_table::{KindTable, decode_state, encode_state};
use crate::machine::Creation;
use crate::message::Description;
use crate::mode::Mode;
use crate::naming::{Names, NamesProxy, NamingError, NamingNode};
use crate::object::{Ballot, Configuration, Epoch, MethodId, ObjectId, Version};
use crate::outcome::{Cause, Outcome};
use crate::proxy::Proxy;
use crate::reads::Reads;
use crate::reference::RawRef;
use crate::servant::{ServantLimits, Servants};
use crate::shared::SharedObject;

/// What becomes of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It runs; nobody learns that.
    Lost,
    /// It does not run; nobody learns that.
    Stuck,
    /// It does not run, for sure.
    Refused,
    /// It runs, and then another directory counts.
    Merged,
}

/// The directory that counts at first, and the one that counts after a merge.
pub(super) const DIRECTORIES: [ObjectId; 2] = [ObjectId(1_000), ObjectId(2_000)];

#[derive(Default)]
pub(super) struct State {
    pub(super) directories: BTreeMap<ObjectId, Names>,
    pub(super) merged: bool,
    /// Bound by somebody else while this node makes its object.
    pub(super) rival: Option<(&'static str, RawRef)>,
    /// What becomes of the next bindings; those after them run.
    pub(super) fates: VecDeque<Fate>,
    /// How the next deletions end; those after them succeed. `None`: not at all.
    pub(super) deletions: VecDeque<Option<Outcome>>,
    pub(super) made: BTreeSet<ObjectId>,
    pub(super) deleted: BTreeSet<ObjectId>,
    pub(super) silent: BTreeSet<ObjectId>,
    pub(super) discarded: Vec<ObjectId>,
    pub(super) slept: Duration,
    pub(super) released: u32,
    handles: u64,
}

pub(super) struct Fake {
    state: Arc<Mutex<State>>,
    caller: Arc<dyn Caller>,
}

impl Fake {
    pub(super) fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let caller = Arc::new(Directories(state.clone()));
        let this = Self { state, caller };
        for id in DIRECTORIES {
            this.state().directories.insert(id, Names::default());
        }
        this
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Binds a name for somebody else.
    pub(super) fn bound(&self, name: &str, object: &RawRef) {
        let mut state = self.state();
        let names = state.directories.get_mut(&DIRECTORIES[0]).unwrap();
        names.bind(name, object.clone()).unwrap();
    }

    /// Whom a name belongs to, in each directory.
    pub(super) fn owners(&self, name: &str) -> [Option<ObjectId>; 2] {
        let state = self.state();
        DIRECTORIES.map(|id| Some(state.directories[&id].lookup(name)?.id))
    }
}

impl NamingNode for Fake {
    type Error = NamingError;

    fn names(&self) -> BoxFuture<'_, Result<Arc<NamesProxy>, NamingError>> {
        let id = DIRECTORIES[usize::from(self.state().merged)];
        let handle = Handle::new(RawRef::bare(id, Names::KIND), self.caller.clone());
        let names = NamesProxy::from_handle(handle);
        Box::pin(ready(Ok(Arc::new(names))))
    }

    fn caller(&self) -> &Arc<dyn Caller> {
        &self.caller
    }

    fn create(&self, creation: Creation) -> BoxFuture<'static, Result<RawRef, Cause>> {
        let mut state = self.state();
        let id = ObjectId(state.made.len() as u128 + 1);
        state.made.insert(id);
        if let Some((name, rival)) = state.rival.take() {
            let names = state.directories.get_mut(&DIRECTORIES[0]).unwrap();
            names.bind(name, rival).unwrap();
        }
        Box::pin(ready(Ok(RawRef::bare(id, &creation.kind))))
    }

    fn delete(&self, target: RawRef) -> BoxFuture<'static, Outcome> {
        let mut state = self.state();
        let outcome = state.deletions.pop_front();
        match outcome.unwrap_or(Some(Outcome::Returned(Bytes::new()))) {
            Some(outcome) => {
                if matches!(outcome, Outcome::Returned(_)) {
                    state.deleted.insert(target.id);
                }
                Box::pin(ready(outcome))
            }
            None => Box::pin(pending()),
        }
    }

    fn inspect(
        &self,
        target: RawRef,
        _: Duration,
    ) -> BoxFuture<'static, Result<Description, Cause>> {
        let state = self.state();
        Box::pin(ready(if state.deleted.contains(&target.id) {
            Err(Cause::Deleted)
        } else if state.silent.contains(&target.id) {
            Err(Cause::Unreachable)
        } else {
            Ok(described(&target))
        }))
    }

    fn discard(&self, target: RawRef) {
        self.state().discarded.push(target.id);
    }
}

fn described(target: &RawRef) -> Description {
    Description {
        object: target.id,
        kind: target.kind_name(),
        kind_version: 1,
        configuration: Configuration {
            epoch: Epoch::default(),
            members: [].into(),
            forks: Vec::new(),
            seal: None,
        },
        ballot: Ballot::default(),
        version: Version(0),
        learners: Vec::new(),
        factor: 1,
        mode: Mode::Strong,
        state_bytes: 0,
        sessions: 0,
        queued: 0,
        outbox: 0,
        takeovers: 0,
        methods: Vec::new(),
        reads: Reads::default(),
    }
}

/// Runs calls on the directories.
struct Directories(Arc<Mutex<State>>);

impl Directories {
    fn run(&self, invocation: Invocation) -> Outcome {
        let mut kinds = KindTable::default();
        kinds.register::<Names>().unwrap();
        let node = Arc::new(Self(self.0.clone()));
        let mut servants = Servants::new(Arc::new(kinds), node, ServantLimits::default());
        let object = invocation.target.id;
        let before = encode_state(&self.0.lock().unwrap().directories[&object]).unwrap();
        let call = ExecutionCall {
            method: invocation.method,
            codec: invocation.codec,
            arguments: invocation.arguments,
            budget: invocation.timeout,
            caller: ProcessId {
                peer: PeerId([0; 32]),
                incarnation: Incarnation(0),
            },
            chain: CallChain::default(),
        };
        let execution = Execution {
            object,
            kind: Arc::from(Names::KIND),
            key: ExecutionKey {
                epoch: Epoch::default(),
                ballot: Ballot::default(),
                base: Version(0),
                attempt: 0,
            },
            state: before,
            mode: ExecutionMode::Batch,
            calls: vec![call],
        };
        match servants.run_sync(execution, &Unguarded).ran.remove(0) {
            Ran::Returned { result, state, .. } => {
                if let Some(state) = state {
                    let names = decode_state(&state).unwrap();
                    self.0.lock().unwrap().directories.insert(object, names);
                }
                Outcome::Returned(result)
            }
            Ran::Failed(failure) => Outcome::Failed(failure),
            Ran::Refused(cause) => Outcome::NotExecuted(cause),
        }
    }
}

impl Caller for Directories {
    fn open_handle(&self) -> HandleId {
        let mut state = self.0.lock().unwrap();
        state.handles += 1;
        HandleId(state.handles)
    }

    fn release_handle(&self, _: HandleId) {
        self.0.lock().unwrap().released += 1;
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Completion> {
        let fate = if invocation.method == MethodId::of("bind") {
            self.0.lock().unwrap().fates.pop_front()
        } else {
            None
        };
        let outcome = match fate {
            Some(Fate::Stuck) => Outcome::Indeterminate(Cause::Deadline),
            Some(Fate::Refused) => Outcome::NotExecuted(Cause::NoQuorum),
            Some(Fate::Lost) => {
                self.run(invocation);
                Outcome::Indeterminate(Cause::Deadline)
            }
            Some(Fate::Merged) => {
                let outcome = self.run(invocation);
                self.0.lock().unwrap().merged = true;
                outcome
            }
            None => self.run(invocation),
        };
        Box::pin(ready(Completion {
            outcome,
            witness: None,
        }))
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.lock().unwrap().slept += duration;
        Box::pin(ready(()))
    }

    fn random(&self) -> u64 {
        4
    }
}

//! A node in memory: runs every call at once on one copy of each object, in virtual time.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use objects_proto::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use objects_proto::execution::{
    CallChain, Codec, Execution, ExecutionCall, ExecutionKey, ExecutionMode, Ran,
};
use objects_proto::guard::PanicGuard;
use objects_proto::kinds_table::{KindTable, decode_state, encode_state};
use objects_proto::object::{Ballot, Epoch, ObjectId, Version};
use objects_proto::outcome::{Cause, Outcome, Witness};
use objects_proto::proxy::Proxy;
use objects_proto::reference::{RawRef, Ref};
use objects_proto::servant::{ServantLimits, Servants};
use objects_proto::shared::SharedObject;
use overlay_proto::{Duration, Incarnation, Instant, PeerId, ProcessId};

/// The process that all calls come from.
pub(crate) const CALLER: ProcessId = ProcessId {
    peer: PeerId([7; 32]),
    incarnation: Incarnation(1),
};

/// A node in memory.
pub(crate) struct World {
    servants: Mutex<Option<Servants>>,
    seen: Mutex<Seen>,
    me: Weak<World>,
}

/// What the world knows of its objects and its calls.
#[derive(Default)]
struct Seen {
    objects: BTreeMap<ObjectId, Object>,
    calls: Vec<Invocation>,
    /// Handles opened and not released.
    handles: BTreeSet<u64>,
    handles_ever: u64,
    timers: BTreeSet<u64>,
    now: u64,
    executions: u64,
}

struct Object {
    kind: Arc<str>,
    state: Bytes,
    version: Version,
}

/// Catches panics as a driver with `std` does.
pub(crate) struct Catching;

impl PanicGuard for Catching {
    fn run(&self, step: &mut dyn FnMut()) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(step)).map_err(|payload| message(&*payload))
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

impl World {
    /// A node that hosts what `register` registers.
    pub(crate) fn new(register: impl FnOnce(&mut KindTable)) -> Arc<Self> {
        let mut kinds = KindTable::default();
        register(&mut kinds);
        let world = Arc::new_cyclic(|me| Self {
            servants: Mutex::new(None),
            seen: Mutex::default(),
            me: me.clone(),
        });
        let node: Arc<dyn Caller> = Arc::new(Node(world.me.clone()));
        let servants = Servants::new(Arc::new(kinds), node, ServantLimits::default());
        *world.servants.lock().unwrap() = Some(servants);
        world
    }

    /// A new object, and a proxy of it.
    pub(crate) fn create<K: SharedObject>(self: &Arc<Self>, state: &K) -> K::Proxy {
        let mut seen = self.seen.lock().unwrap();
        let id = ObjectId(seen.objects.len() as u128 + 1);
        let state = encode_state(state).unwrap();
        let (kind, version) = (Arc::from(K::KIND), Version(0));
        seen.objects.insert(
            id,
            Object {
                kind,
                state,
                version,
            },
        );
        let reference = Ref::from_raw(RawRef::bare(id, K::KIND));
        K::Proxy::bind(reference, Arc::new(Node(self.me.clone())))
    }

    /// The object's state as its replicas have it.
    pub(crate) fn state<K: SharedObject>(&self, reference: &Ref<K>) -> K {
        let seen = self.seen.lock().unwrap();
        decode_state(&seen.objects[&reference.id()].state).unwrap()
    }

    /// Every call that was sent so far, nested and deferred ones included.
    pub(crate) fn calls(&self) -> Vec<Invocation> {
        self.seen.lock().unwrap().calls.clone()
    }

    /// How many handles are open.
    pub(crate) fn open_handles(&self) -> usize {
        self.seen.lock().unwrap().handles.len()
    }

    /// Runs a future to its end; when it waits, time passes to the next timer.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
            let mut seen = self.seen.lock().unwrap();
            let due = seen
                .timers
                .pop_first()
                .expect("waits for something that cannot happen");
            seen.now = seen.now.max(due);
        }
    }

    /// A call as the command line makes it: by name, arguments and result in JSON.
    pub(crate) fn call_json<K>(&self, target: &Ref<K>, method: &str, arguments: &str) -> Outcome {
        let method = objects_proto::object::MethodId::of(method);
        let invocation = Invocation {
            handle: HandleId(0),
            target: target.raw().clone(),
            method,
            write: true,
            codec: Codec::Json,
            arguments: Bytes::from(arguments.to_owned()),
            timeout: Duration::from_secs(1),
            one_way: false,
            parent: None,
        };
        self.block_on(self.me.upgrade().unwrap().execute(invocation))
            .outcome
    }

    fn execute(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Completion> {
        Box::pin(self.run(invocation))
    }

    async fn run(self: Arc<Self>, invocation: Invocation) -> Completion {
        let object = invocation.target.id;
        let Some(execution) = self.execution(invocation) else {
            let outcome = Outcome::NotExecuted(Cause::NotFound);
            return Completion {
                outcome,
                witness: None,
            };
        };
        let key = execution.key;
        let running = self
            .servants
            .lock()
            .unwrap()
            .as_mut()
            .unwrap()
            .start(execution);
        let finished = if running.is_synchronous() {
            running.run_sync(&Catching)
        } else {
            running.run(&Catching).await
        };
        let mut executed = self
            .servants
            .lock()
            .unwrap()
            .as_mut()
            .unwrap()
            .finish(finished);
        self.complete(object, key, executed.ran.remove(0)).await
    }

    fn execution(&self, invocation: Invocation) -> Option<Execution> {
        let mut seen = self.seen.lock().unwrap();
        seen.calls.push(invocation.clone());
        seen.executions += 1;
        let attempt = seen.executions;
        let object = seen.objects.get(&invocation.target.id)?;
        let chain = match invocation.parent {
            Some(parent) => CallChain {
                call: u128::from(attempt),
                ..parent.chain
            },
            None => CallChain {
                call: u128::from(attempt),
                ..CallChain::default()
            },
        };
        let key = ExecutionKey {
            epoch: Epoch::default(),
            ballot: Ballot::default(),
            base: object.version,
            attempt,
        };
        let call = ExecutionCall {
            method: invocation.method,
            codec: invocation.codec,
            arguments: invocation.arguments,
            budget: invocation.timeout,
            caller: CALLER,
            chain,
        };
        let (kind, state) = (object.kind.clone(), object.state.clone());
        let (object, mode, calls) = (invocation.target.id, ExecutionMode::Batch, vec![call]);
        Some(Execution {
            object,
            kind,
            key,
            state,
            mode,
            calls,
        })
    }

    async fn complete(
        self: &Arc<Self>,
        object: ObjectId,
        key: ExecutionKey,
        ran: Ran,
    ) -> Completion {
        let mut version = key.base;
        let mut deliveries = Vec::new();
        let outcome = match ran {
            Ran::Returned {
                result,
                state,
                after_commit,
            } => {
                if let Some(state) = state {
                    version = version.next();
                    self.seen
                        .lock()
                        .unwrap()
                        .objects
                        .get_mut(&object)
                        .unwrap()
                        .state = state;
                }
                deliveries = after_commit;
                Outcome::Returned(result)
            }
            Ran::Failed(failure) => {
                version = version.next();
                Outcome::Failed(failure)
            }
            Ran::Refused(cause) => Outcome::NotExecuted(cause),
        };
        self.seen
            .lock()
            .unwrap()
            .objects
            .get_mut(&object)
            .unwrap()
            .version = version;
        for deferred in deliveries {
            let invocation = Invocation {
                handle: HandleId(0),
                target: deferred.target,
                method: deferred.method,
                write: true,
                codec: Codec::Cbor,
                arguments: deferred.arguments,
                timeout: Duration::from_secs(10),
                one_way: true,
                parent: None,
            };
            self.clone().execute(invocation).await;
        }
        Completion {
            outcome,
            witness: Some(Witness {
                epoch: key.epoch,
                version,
            }),
        }
    }
}

/// What proxies hold: the world may be gone before them.
struct Node(Weak<World>);

impl Node {
    fn world(&self) -> Arc<World> {
        self.0.upgrade().expect("the world outlives its calls")
    }
}

impl Caller for Node {
    fn open_handle(&self) -> HandleId {
        let world = self.world();
        let mut seen = world.seen.lock().unwrap();
        let id = seen.handles_ever;
        seen.handles_ever += 1;
        seen.handles.insert(id);
        HandleId(id)
    }

    fn release_handle(&self, handle: HandleId) {
        if let Some(world) = self.0.upgrade() {
            let known = world.seen.lock().unwrap().handles.remove(&handle.0);
            assert!(known, "{handle:?} was not open");
        }
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Completion> {
        let world = self.world();
        let one_way = invocation.one_way;
        let future = world.clone().execute(invocation);
        if one_way {
            let completion = world.block_on(future);
            return Box::pin(std::future::ready(completion));
        }
        future
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.world().seen.lock().unwrap().now)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let world = self.world();
        let due = {
            let mut seen = world.seen.lock().unwrap();
            let due = seen.now + duration.as_micros() as u64;
            seen.timers.insert(due);
            due
        };
        Box::pin(std::future::poll_fn(move |_| {
            let now = world.seen.lock().unwrap().now;
            if now >= due {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }))
    }

    fn random(&self) -> u64 {
        4
    }
}

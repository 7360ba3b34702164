//! The node as proxies and methods see it.

use std::sync::Arc;

use objects_proto::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use objects_proto::machine::Command;
use overlay_proto::{Duration, Input, Instant};
use tokio::runtime::Handle;

use crate::pending;
use crate::shard::Shard;

/// What proxies are bound to. It does not keep the node alive.
pub(crate) struct NodeCaller {
    shard: Arc<Shard>,
    runtime: Handle,
}

impl NodeCaller {
    /// For the node of `shard`, whose timers run on `runtime`.
    pub(crate) const fn new(shard: Arc<Shard>, runtime: Handle) -> Self {
        Self { shard, runtime }
    }
}

impl Caller for NodeCaller {
    fn open_handle(&self) -> HandleId {
        self.shard.open_handle()
    }

    fn release_handle(&self, handle: HandleId) {
        self.shard.handle(Input::Command(Command::Release(handle)));
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Completion> {
        let cancels = !invocation.one_way;
        let command = |ticket| Command::Invoke { ticket, invocation };
        Box::pin(pending::ask(&self.shard, command).cancelling(cancels))
    }

    fn now(&self) -> Instant {
        self.shard.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _entered = Handle::try_current().is_err().then(|| self.runtime.enter());
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        rand::random()
    }
}

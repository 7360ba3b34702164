//! The tasks of one node: all end with it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Spawns a node's tasks; ends them all when closed.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    running: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Tasks {
    /// No tasks yet; they will run on `runtime`.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            running: Arc::new(Mutex::new(Some(JoinSet::new()))),
        }
    }

    /// Starts a task, unless the node is closed.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_mut() {
            while running.try_join_next().is_some() {}
            running.spawn_on(task, &self.runtime);
        }
    }

    /// Aborts all tasks and waits until they are gone.
    pub(crate) async fn close(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
    }

    /// Aborts all tasks; they end when the runtime next looks at them.
    pub(crate) fn abort(&self) {
        drop(
            self.running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

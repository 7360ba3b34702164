//! A process of the scenario as naming sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use objects_proto::caller::{BoxFuture, Caller};
use objects_proto::error::CallError;
use objects_proto::handle::Handle;
use objects_proto::machine::{Command, Creation};
use objects_proto::message::Description;
use objects_proto::naming::{NamesProxy, NamingError, NamingNode};
use objects_proto::outcome::{Cause, Outcome};
use objects_proto::proxy::Proxy;
use objects_proto::reference::RawRef;
use overlay_proto::Duration;

use super::Mutant;
use crate::caller::{Answer, SimCaller};

/// How long a deletion waits for its end, as in production.
const DELETE_TIMEOUT: Duration = Duration::from_secs(10);

/// One process.
#[derive(Clone)]
pub(super) struct SimNode {
    /// Where its calls go out.
    pub(super) caller: SimCaller,
    bound: Arc<dyn Caller>,
    shared: Arc<Mutex<Shared>>,
    made: Arc<Mutex<Option<RawRef>>>,
    mutant: Option<Mutant>,
}

#[derive(Default)]
struct Shared {
    /// Where the directory of names was last heard to be.
    root: Option<RawRef>,
    /// The proxy for it, kept as long as it is there.
    names: Option<Arc<NamesProxy>>,
    /// Objects that are to be deleted in the background.
    discards: Vec<RawRef>,
}

impl SimNode {
    /// A process that has not heard of the cluster yet.
    #[must_use]
    pub(super) fn new(caller: SimCaller, mutant: Option<Mutant>) -> Self {
        Self {
            bound: Arc::new(caller.clone()),
            caller,
            shared: Arc::default(),
            made: Arc::default(),
            mutant,
        }
    }

    /// The same process for one more operation.
    #[must_use]
    pub(super) fn operation(&self) -> Self {
        Self {
            made: Arc::default(),
            ..self.clone()
        }
    }

    /// The object that this operation made.
    #[must_use]
    pub(super) fn made(&self) -> Option<RawRef> {
        let made = self.made.lock();
        made.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process hears where the directory of names is.
    pub(super) fn hear(&self, root: RawRef) {
        let mut shared = self.shared();
        let old = shared.names.take();
        shared.root = Some(root);
        drop(shared);
        // Releases a handle, for which the lock must be free.
        drop(old);
    }

    /// Whether it has heard where the directory of names is.
    #[must_use]
    pub(super) fn knows_root(&self) -> bool {
        self.shared().root.is_some()
    }

    /// Objects to be deleted in the background, since the last time.
    #[must_use]
    pub(super) fn take_discards(&self) -> Vec<RawRef> {
        std::mem::take(&mut self.shared().discards)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bind(&self) -> Result<Arc<NamesProxy>, NamingError> {
        let mut shared = self.shared();
        if let Some(names) = &shared.names {
            return Ok(names.clone());
        }
        let Some(root) = &shared.root else {
            let unknown = CallError::NotExecuted(Cause::NotFound);
            return Err(NamingError::Call(unknown));
        };
        let handle = Handle::new(root.clone(), self.bound.clone());
        let names = Arc::new(NamesProxy::from_handle(handle));
        shared.names = Some(names.clone());
        Ok(names)
    }
}

impl NamingNode for SimNode {
    type Error = NamingError;

    fn names(&self) -> BoxFuture<'_, Result<Arc<NamesProxy>, NamingError>> {
        Box::pin(std::future::ready(self.bind()))
    }

    fn caller(&self) -> &Arc<dyn Caller> {
        &self.bound
    }

    fn create(&self, creation: Creation) -> BoxFuture<'static, Result<RawRef, Cause>> {
        let command = |ticket| Command::Create { ticket, creation };
        let created = self.caller.ask(command, |answer| match answer {
            Answer::Created(created) => Some(created),
            _ => None,
        });
        let made = self.made.clone();
        Box::pin(async move {
            let created = created.await;
            if let Ok(reference) = &created {
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                *made = Some(reference.clone());
            }
            created
        })
    }

    fn delete(&self, target: RawRef) -> BoxFuture<'static, Outcome> {
        if self.mutant == Some(Mutant::LosersKeep) {
            return Box::pin(std::future::ready(Outcome::Returned(Bytes::new())));
        }
        let command = |ticket| Command::Delete {
            ticket,
            target,
            timeout: DELETE_TIMEOUT,
        };
        self.caller.ask(command, |answer| match answer {
            Answer::Completed(completion) => Some(completion.outcome),
            _ => None,
        })
    }

    fn inspect(
        &self,
        target: RawRef,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Description, Cause>> {
        let command = |ticket| Command::Inspect {
            ticket,
            target,
            timeout,
        };
        self.caller.ask(command, |answer| match answer {
            Answer::Inspected(description) => Some(description),
            _ => None,
        })
    }

    fn discard(&self, target: RawRef) {
        self.shared().discards.push(target);
    }
}

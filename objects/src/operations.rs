//! What a node does with objects: makes, finds, describes, restores and deletes them.

use bytes::Bytes;
use objects_proto::caller::{Completion, HandleId};
use objects_proto::handle::Handle;
use objects_proto::kinds_table::encode_state;
use objects_proto::machine::{Command, Creation};
use objects_proto::message::Description;
use objects_proto::object::{ObjectId, Version};
use objects_proto::outcome::{Cause, Outcome};
use objects_proto::proxy::{Callable, Proxy};
use objects_proto::reference::{RawRef, Ref};
use objects_proto::shared::SharedObject;
use overlay_proto::Duration;

use crate::error::{Error, Result};
use crate::naming;
use crate::node::{Node, Parts};
use crate::pending;
use crate::waiting::{Created, Inspected, Recovered};

/// How long operations other than calls wait for their end.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the directory of names may take to answer before it counts as lost.
const NAMES_TIMEOUT: Duration = Duration::from_secs(5);

impl Node {
    /// Makes an object without a name, on hosts of its kind, dealt round-robin. A majority of
    /// its replicas holds it when this returns.
    ///
    /// # Errors
    /// [`Error::NotExecuted`]: there is no object, or one that nobody can reach.
    pub async fn create<K: SharedObject>(&self, value: K) -> Result<K::Proxy> {
        let state = encode_state(&value).map_err(Error::NotExecuted)?;
        let (reference, handle) = self
            .create_raw(K::KIND, K::VERSION, state, OPERATION_TIMEOUT)
            .await?;
        Ok(K::Proxy::from_handle(Handle::opened(
            reference,
            self.parts().caller.clone(),
            handle,
        )))
    }

    /// Makes an object with a name that no object has yet. Founds a cluster if there is none.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::BadName`], [`Error::NoCluster`], or what
    /// [`create`](Self::create) says. [`Error::NameUnknown`]: there is an object, and
    /// [`find`](Self::find) tells later whether it has the name.
    pub async fn create_named<K: SharedObject>(&self, name: &str, value: K) -> Result<K::Proxy> {
        if naming::lookup(self.cluster(), name).await?.is_some() {
            return Err(Error::AlreadyExists(name.to_owned()));
        }
        match self.create_and_bind(name, value).await? {
            Ok(proxy) => Ok(proxy),
            Err(_taken_by) => Err(Error::AlreadyExists(name.to_owned())),
        }
    }

    /// The object with this name; made with `initial` if there is none. Of several nodes that
    /// do it at once, one makes the object. Founds a cluster if there is none.
    ///
    /// # Errors
    /// [`Error::WrongKind`], or those of [`create_named`](Self::create_named) but
    /// `AlreadyExists`.
    pub async fn get_or_create<K: SharedObject>(&self, name: &str, initial: K) -> Result<K::Proxy> {
        if let Some(reference) = naming::lookup(self.cluster(), name).await? {
            return self.bind_checked::<K>(name, reference);
        }
        match self.create_and_bind(name, initial).await? {
            Ok(proxy) => Ok(proxy),
            Err(taken_by) => self.bind_checked::<K>(name, taken_by),
        }
    }

    /// The object with this name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongKind`], [`Error::NoCluster`], or how the lookup failed.
    pub async fn find<K: SharedObject>(&self, name: &str) -> Result<K::Proxy> {
        let found = naming::lookup(self.cluster(), name).await?;
        let reference = found.ok_or_else(|| Error::NotFound(name.to_owned()))?;
        self.bind_checked::<K>(name, reference)
    }

    /// Binds a reference. Nothing is sent: whether the object exists, its first call tells.
    #[must_use]
    pub fn get<K: Callable>(&self, reference: impl Into<Ref<K>>) -> K::Proxy {
        K::Proxy::bind(reference.into(), self.parts().caller.clone())
    }

    /// Deletes an object, and its names before it. Calls to it end with `Deleted` from then on.
    ///
    /// # Errors
    /// [`Error::NotExecuted`], or [`Error::Indeterminate`]: it may be deleted, or be later.
    pub async fn delete(&self, object: &impl AsRef<RawRef>) -> Result<()> {
        let target = object.as_ref();
        naming::unbind(self.cluster(), target.id).await?;
        let completion = self.delete_raw(target).await;
        match completion.outcome {
            Outcome::Returned(_) | Outcome::Executed => Ok(()),
            Outcome::NotExecuted(Cause::Deleted) => Ok(()),
            Outcome::NotExecuted(cause) => Err(Error::NotExecuted(cause)),
            Outcome::Indeterminate(cause) => Err(Error::Indeterminate(cause)),
            Outcome::Failed(_) => Err(Error::Failed("a deletion failed".to_owned())),
        }
    }

    /// Describes an object: its replicas, its primary, its size, what it survives.
    ///
    /// # Errors
    /// [`Error::NotExecuted`].
    pub async fn inspect(&self, object: &impl AsRef<RawRef>) -> Result<Description> {
        let (target, timeout) = (object.as_ref().clone(), OPERATION_TIMEOUT);
        let command = |ticket| Command::Inspect {
            ticket,
            target,
            timeout,
        };
        let inspected: Inspected = pending::ask(&self.parts().shard, command).await;
        inspected.map_err(Error::NotExecuted)
    }

    /// Restores an object that lost its majority from its best surviving copy. **Calls that
    /// only the lost replicas knew are lost, and if the lost ones come back after all, they are
    /// refused**: for an operator who knows that they are gone for good.
    ///
    /// # Errors
    /// [`Error::NotExecuted`]: no copy was found, or its holder did not answer.
    pub async fn recover(&self, object: &impl AsRef<RawRef>) -> Result<(RawRef, Version)> {
        let target = object.as_ref().clone();
        let command = |ticket| Command::Recover { ticket, target };
        let recovered: Recovered = pending::ask(&self.parts().shard, command).await;
        let (reference, version) = recovered.map_err(Error::NotExecuted)?;
        if let Some(configuration) = &reference.configuration {
            self.cluster().moved(reference.id, configuration).await;
        }
        Ok((reference, version))
    }

    /// Restores the cluster's directory of names if it lost its majority, like
    /// [`recover`](Self::recover); says whether that was so. Without it no object is found by
    /// its name, not even to be restored.
    ///
    /// # Errors
    /// Those of [`recover`](Self::recover), or [`Error::NoCluster`].
    pub async fn recover_names(&self) -> Result<bool> {
        let names = self.cluster().names().await?;
        match names.is_named(ObjectId(0)).timeout(NAMES_TIMEOUT).await {
            Ok(_) => Ok(false),
            Err(_) => self.recover(&*names).await.map(|_| true),
        }
    }

    /// Makes an object of which the encoded state is known, and the handle that it was born
    /// with.
    pub(crate) async fn create_raw(
        &self,
        kind: &str,
        kind_version: u32,
        state: Bytes,
        timeout: Duration,
    ) -> Result<(RawRef, HandleId)> {
        let Parts {
            shard,
            caller,
            factor,
            ..
        } = self.parts();
        let handle = caller.open_handle();
        let creation = Creation {
            kind: kind.to_owned(),
            kind_version,
            state,
            factor: *factor,
            id: None,
            members: None,
            handle,
            timeout,
        };
        let created: Created =
            pending::ask(shard, |ticket| Command::Create { ticket, creation }).await;
        match created {
            Ok(reference) => Ok((reference, handle)),
            Err(cause) => {
                caller.release_handle(handle);
                Err(Error::NotExecuted(cause))
            }
        }
    }

    /// Makes an object and gives it a name; `Err` is the object that has the name already.
    async fn create_and_bind<K: SharedObject>(
        &self,
        name: &str,
        value: K,
    ) -> Result<Result<K::Proxy, RawRef>> {
        let proxy = self.create(value).await?;
        let own = proxy.handle().reference();
        match naming::bind(self.cluster(), name, own).await {
            Ok(None) => Ok(Ok(proxy)),
            Ok(Some(taken_by)) => {
                let _nobody_knows_it = self.delete_raw(own).await;
                Ok(Err(taken_by))
            }
            Err(error) => {
                if error.changed_nothing() {
                    let _nobody_knows_it = self.delete_raw(own).await;
                }
                Err(error)
            }
        }
    }

    fn bind_checked<K: SharedObject>(&self, name: &str, reference: RawRef) -> Result<K::Proxy> {
        if &*reference.kind == K::KIND {
            Ok(self.get(Ref::<K>::from_raw(reference)))
        } else {
            Err(Error::WrongKind {
                name: name.to_owned(),
                expected: K::KIND.to_owned(),
                found: reference.kind_name(),
            })
        }
    }

    async fn delete_raw(&self, target: &RawRef) -> Completion {
        let (target, timeout) = (target.clone(), OPERATION_TIMEOUT);
        let command = |ticket| Command::Delete {
            ticket,
            target,
            timeout,
        };
        pending::ask(&self.parts().shard, command).await
    }
}

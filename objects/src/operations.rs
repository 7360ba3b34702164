//! What a node does with objects: makes, finds, describes, restores and deletes them.

use objects_proto::handle::Handle;
use objects_proto::machine::Command;
use objects_proto::message::Description;
use objects_proto::naming::{self, NamingNode, NewObject};
use objects_proto::object::{ObjectId, Version};
use objects_proto::outcome::{Cause, Outcome};
use objects_proto::proxy::{Callable, Proxy};
use objects_proto::reference::{RawRef, Ref};
use objects_proto::shared::SharedObject;
use overlay_proto::Duration;

use crate::error::{Error, Result};
use crate::naming::OPERATION_TIMEOUT;
use crate::node::Node;
use crate::pending;
use crate::waiting::Recovered;

/// How long the directory of names may take to answer before it counts as lost.
const NAMES_TIMEOUT: Duration = Duration::from_secs(5);

impl Node {
    /// Makes an object without a name, on hosts of its kind, dealt round-robin. A majority of
    /// its replicas holds it when this returns.
    ///
    /// # Errors
    /// [`Error::NotExecuted`]: there is no object, or one that nobody can reach.
    pub async fn create<K: SharedObject>(&self, value: K) -> Result<K::Proxy> {
        let object = self.new_object(&value)?;
        let made = self.create_object(object).await?;
        Ok(K::Proxy::from_handle(made))
    }

    /// Makes an object with a name that no object has yet. Founds a cluster if there is none.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::BadName`], [`Error::NoCluster`], or what
    /// [`create`](Self::create) says. [`Error::NameUnknown`]: there is an object, and
    /// [`find`](Self::find) tells later whether it has the name.
    pub async fn create_named<K: SharedObject>(&self, name: &str, value: K) -> Result<K::Proxy> {
        let object = self.new_object(&value)?;
        let made = naming::create_named(&self.parts().namer, name, object).await?;
        Ok(K::Proxy::from_handle(made))
    }

    /// The object with this name; made with `initial` if there is none. Of several nodes that
    /// do it at once, one makes the object. Founds a cluster if there is none.
    ///
    /// # Errors
    /// [`Error::WrongKind`], or those of [`create_named`](Self::create_named) but
    /// `AlreadyExists`.
    pub async fn get_or_create<K: SharedObject>(&self, name: &str, initial: K) -> Result<K::Proxy> {
        let object = self.new_object(&initial)?;
        let found = naming::get_or_create(&self.parts().namer, name, object).await?;
        Ok(K::Proxy::from_handle(found))
    }

    /// The object with this name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::WrongKind`], [`Error::NoCluster`], or how the lookup failed.
    pub async fn find<K: SharedObject>(&self, name: &str) -> Result<K::Proxy> {
        let found = naming::find(&self.parts().namer, name, K::KIND).await?;
        Ok(K::Proxy::from_handle(found))
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
        let namer = &self.parts().namer;
        namer.unbind(target.id).await?;
        match namer.delete(target.clone()).await {
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
        let target = object.as_ref().clone();
        let inspected = self.parts().namer.inspect(target, OPERATION_TIMEOUT).await;
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

    /// Makes an object without a name.
    pub(crate) async fn create_object(&self, object: NewObject) -> Result<Handle> {
        let made = naming::create(&self.parts().namer, object).await;
        made.map_err(Error::NotExecuted)
    }

    fn new_object<K: SharedObject>(&self, value: &K) -> Result<NewObject> {
        let object = NewObject::of(value, self.parts().factor, OPERATION_TIMEOUT);
        object.map_err(Error::NotExecuted)
    }
}

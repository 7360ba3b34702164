//! What naming asks of the node that it runs on, in production or in a simulated world.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;
use overlay_proto::Duration;

use crate::caller::{BoxFuture, Caller};
use crate::handle::Handle;
use crate::kinds_table::encode_state;
use crate::machine::Creation;
use crate::message::Description;
use crate::mode::Mode;
use crate::naming::error::NamingError;
use crate::naming::names::NamesProxy;
use crate::outcome::{Cause, Outcome};
use crate::reference::RawRef;
use crate::shared::SharedObject;

/// A node as naming sees it.
pub trait NamingNode: Send + Sync {
    /// How its operations fail.
    type Error: From<NamingError> + Send;

    /// The directory of names of the node's cluster. The same handle as long as it is the same
    /// directory at the same place, so that a binding made again closes the one before it.
    fn names(&self) -> BoxFuture<'_, Result<Arc<NamesProxy>, Self::Error>>;

    /// What proxies are bound to.
    fn caller(&self) -> &Arc<dyn Caller>;

    /// Makes an object. Dropped before its end, it leaves none.
    fn create(&self, creation: Creation) -> BoxFuture<'static, Result<RawRef, Cause>>;

    /// Deletes an object.
    fn delete(&self, target: RawRef) -> BoxFuture<'static, Outcome>;

    /// Describes an object.
    fn inspect(
        &self,
        target: RawRef,
        timeout: Duration,
    ) -> BoxFuture<'static, Result<Description, Cause>>;

    /// Runs [`discard`](super::discard) on an object beside everything else.
    fn discard(&self, target: RawRef);
}

/// An object that is to be made.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// The kind's name.
    pub kind: String,
    /// The kind's version.
    pub kind_version: u32,
    /// Whether its calls wait for a majority of the replicas.
    pub mode: Mode,
    /// The encoded initial state.
    pub state: Bytes,
    /// Replicas wanted.
    pub factor: u8,
    /// How long making it may take.
    pub timeout: Duration,
}

impl NewObject {
    /// An object with this value.
    ///
    /// # Errors
    /// [`Cause::TooLarge`] or [`Cause::BadState`].
    pub fn of<K: SharedObject>(value: &K, factor: u8, timeout: Duration) -> Result<Self, Cause> {
        Ok(Self {
            kind: String::from(K::KIND),
            kind_version: K::VERSION,
            mode: K::MODE,
            state: encode_state(value)?,
            factor,
            timeout,
        })
    }
}

/// Makes an object without a name, and the handle whose session is born with it.
///
/// # Errors
/// There is no object, or one that nobody can reach.
pub async fn create<N: NamingNode>(node: &N, object: NewObject) -> Result<Handle, Cause> {
    let caller = node.caller();
    let handle = caller.open_handle();
    let creation = Creation {
        kind: object.kind,
        kind_version: object.kind_version,
        mode: object.mode,
        state: object.state,
        factor: object.factor,
        id: None,
        members: None,
        handle,
        timeout: object.timeout,
    };
    match node.create(creation).await {
        Ok(reference) => Ok(Handle::opened(reference, caller.clone(), handle)),
        Err(cause) => {
            caller.release_handle(handle);
            Err(cause)
        }
    }
}

//! Names of objects: one name is one object, however many nodes make it at once.
//!
//! The directory of names is a shared object itself, [`Names`]; binding is a compare-and-set on
//! it. An object is made first and bound afterwards, so that a name never leads to nothing
//! because its creator died in between; whoever loses the race deletes its own object, which
//! nobody knows. A binding whose end is not known is made again: repeating it changes nothing.
//! A name whose object was deleted is taken away by whoever finds that out, by a
//! compare-and-set too. Drivers and simulations run these very functions.

mod error;
mod names;
mod node;

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use overlay_proto::Duration;

pub use self::error::NamingError;
pub use self::names::{LISTING_MAX, NAME_BYTES_MAX, Named, Names, NamesProxy, Unbound};
pub use self::node::{NamingNode, NewObject, create};
use crate::error::{CallError, MethodFailure, Never};
use crate::handle::Handle;
use crate::object::ObjectId;
use crate::outcome::{Cause, Outcome};
use crate::proxy::Proxy;
use crate::reference::RawRef;

/// How often a binding is made until its end is known, in the directory that counts.
const BINDINGS_MAX: u32 = 3;
/// How long a named object is asked whether it was deleted. One that does not answer was not.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an object that nobody knows is deleted until that has worked.
const DISCARDS_MAX: u32 = 10;
/// First pause between two such attempts; doubled up to [`DISCARD_PAUSE_MAX`].
const DISCARD_PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause between two such attempts: all of them together take some five minutes.
const DISCARD_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The object with this name, of this kind.
///
/// # Errors
/// [`NamingError::NotFound`], [`NamingError::WrongKind`], or how the lookup failed.
pub async fn find<N: NamingNode>(node: &N, name: &str, kind: &str) -> Result<Handle, N::Error> {
    match living(node, name).await? {
        Some(found) => checked(node, name, kind, found),
        None => Err(NamingError::NotFound(name.to_owned()).into()),
    }
}

/// The object with this name, made now if there is none. Of several nodes that do it at once,
/// one makes the object and all get it.
///
/// # Errors
/// [`NamingError`], but for `AlreadyExists` and `NotFound`.
pub async fn get_or_create<N: NamingNode>(
    node: &N,
    name: &str,
    object: NewObject,
) -> Result<Handle, N::Error> {
    let kind = object.kind.clone();
    if let Some(found) = living(node, name).await? {
        return checked(node, name, &kind, found);
    }
    match create_and_bind(node, name, object).await? {
        Ok(own) => Ok(own),
        Err(taken_by) => checked(node, name, &kind, taken_by),
    }
}

/// Makes an object with a name that no object has.
///
/// # Errors
/// [`NamingError`], but for `NotFound` and `WrongKind`.
pub async fn create_named<N: NamingNode>(
    node: &N,
    name: &str,
    object: NewObject,
) -> Result<Handle, N::Error> {
    let exists = || NamingError::AlreadyExists(name.to_owned());
    if living(node, name).await?.is_some() {
        return Err(exists().into());
    }
    let made = create_and_bind(node, name, object).await?;
    made.map_err(|_taken_by| exists().into())
}

/// The object with this name, whatever became of it.
///
/// # Errors
/// How the lookup failed.
pub async fn lookup<N: NamingNode>(node: &N, name: &str) -> Result<Option<RawRef>, N::Error> {
    let names = node.names().await?;
    Ok(names.lookup(name).await.map_err(failed)?)
}

/// Takes every name of an object away, before it is deleted.
///
/// # Errors
/// How the calls failed.
pub async fn unbind(names: &NamesProxy, object: ObjectId) -> Result<(), NamingError> {
    if names.is_named(object).await.map_err(failed)? {
        names.unbind(object).await.map_err(failed)?;
    }
    Ok(())
}

/// All names with this prefix, in order.
///
/// # Errors
/// How the calls failed.
pub async fn list(names: &NamesProxy, prefix: &str) -> Result<Vec<Named>, NamingError> {
    let mut listed: Vec<Named> = Vec::new();
    loop {
        let after = listed.last().map(|named| named.name.clone());
        let page = names
            .list(prefix, after, LISTING_MAX)
            .await
            .map_err(failed)?;
        let complete = page.len() < LISTING_MAX as usize;
        listed.extend(page);
        if complete {
            return Ok(listed);
        }
    }
}

/// Binds the names of a directory that was given up in the node's own. `conflict` gets those
/// that belong to other objects there. Every node of the lost side may do it.
///
/// # Errors
/// The first failure; the names before it are bound.
pub async fn merge<N: NamingNode>(
    node: &N,
    lost: &NamesProxy,
    mut conflict: impl FnMut(Named),
) -> Result<(), N::Error> {
    for named in list(lost, "").await? {
        match bind(node, &named.name, &named.reference).await? {
            Bound::Own => {}
            Bound::Taken(_) => conflict(named),
            Bound::Unknown(cause) => {
                return Err(unknown(&named.name, &named.reference, cause).into());
            }
        }
    }
    Ok(())
}

/// Deletes an object that nobody knows, again and again while it cannot be reached. Whether it
/// is gone in the end.
pub async fn discard<N: NamingNode>(node: &N, target: &RawRef) -> bool {
    let mut pause = DISCARD_PAUSE_MIN;
    for _ in 0..DISCARDS_MAX {
        match node.delete(target.clone()).await {
            outcome if is_gone(&outcome) => return true,
            Outcome::NotExecuted(Cause::ShuttingDown) => return false,
            _ => node.caller().sleep(pause).await,
        }
        pause = (pause * 2).min(DISCARD_PAUSE_MAX);
    }
    false
}

/// The object with this name, unless it was deleted: then the name is taken from it.
async fn living<N: NamingNode>(node: &N, name: &str) -> Result<Option<RawRef>, N::Error> {
    let Some(found) = lookup(node, name).await? else {
        return Ok(None);
    };
    if node.inspect(found.clone(), PROBE_TIMEOUT).await != Err(Cause::Deleted) {
        return Ok(Some(found));
    }
    let names = node.names().await?;
    names.release(name, found.id).await.map_err(failed)?;
    Ok(None)
}

fn checked<N: NamingNode>(
    node: &N,
    name: &str,
    kind: &str,
    found: RawRef,
) -> Result<Handle, N::Error> {
    if &*found.kind == kind {
        return Ok(Handle::new(found, node.caller().clone()));
    }
    let error = NamingError::WrongKind {
        name: name.to_owned(),
        expected: kind.to_owned(),
        found: found.kind_name(),
    };
    Err(error.into())
}

/// Makes an object and gives it a name; `Err` is the object that has the name already.
async fn create_and_bind<N: NamingNode>(
    node: &N,
    name: &str,
    object: NewObject,
) -> Result<Result<Handle, RawRef>, N::Error> {
    let made = create(node, object).await;
    let own = made.map_err(|cause| NamingError::Call(CallError::NotExecuted(cause)))?;
    let reference = own.reference();
    match bind(node, name, reference).await {
        Ok(Bound::Own) => Ok(Ok(own)),
        Ok(Bound::Taken(by)) => {
            delete_unused(node, reference).await;
            Ok(Err(by))
        }
        Ok(Bound::Unknown(cause)) => Err(unknown(name, reference, cause).into()),
        Err(error) => {
            delete_unused(node, reference).await;
            Err(error)
        }
    }
}

/// What a binding came to.
enum Bound {
    /// The object has the name.
    Own,
    /// Another one has it.
    Taken(RawRef),
    /// The object may have the name, or get it yet.
    Unknown(Cause),
}

/// Gives a name to an object. After an error it does not have it and will not get it.
async fn bind<N: NamingNode>(node: &N, name: &str, object: &RawRef) -> Result<Bound, N::Error> {
    let mut unknown = None;
    for _ in 0..BINDINGS_MAX {
        match (bind_once(node, name, object).await, unknown.take()) {
            (Ok(Bound::Unknown(cause)), _) => unknown = Some(cause),
            (Err(_), Some(cause)) => return Ok(Bound::Unknown(cause)),
            (end, _) => return end,
        }
    }
    Ok(Bound::Unknown(unknown.unwrap_or(Cause::Deadline)))
}

async fn bind_once<N: NamingNode>(
    node: &N,
    name: &str,
    object: &RawRef,
) -> Result<Bound, N::Error> {
    let names = node.names().await?;
    let bound = match names.bind(name, object.clone()).await {
        Ok(()) => Bound::Own,
        Err(CallError::Failed(MethodFailure::Returned(Unbound::Taken(by)))) => Bound::Taken(by),
        Err(CallError::Failed(MethodFailure::Returned(Unbound::BadName))) => {
            return Err(NamingError::BadName.into());
        }
        Err(CallError::Executed) => Bound::Unknown(Cause::Deadline),
        Err(CallError::Indeterminate(cause)) => Bound::Unknown(cause),
        Err(error) => return Err(NamingError::Call(error).into()),
    };
    // Two young clusters merged meanwhile: only the other one's directory counts now.
    match node.names().await {
        Ok(now) if id(&now) != id(&names) => Ok(Bound::Unknown(Cause::Unreachable)),
        _ => Ok(bound),
    }
}

/// An object that got no name: nobody knows it. It is deleted in the background if it could
/// not be at once, also when the caller does not wait for that.
struct Unused<'a, N: NamingNode> {
    node: &'a N,
    reference: &'a RawRef,
    gone: bool,
}

impl<N: NamingNode> Drop for Unused<'_, N> {
    fn drop(&mut self) {
        if !self.gone {
            self.node.discard(self.reference.clone());
        }
    }
}

async fn delete_unused<N: NamingNode>(node: &N, reference: &RawRef) {
    let gone = false;
    let mut unused = Unused {
        node,
        reference,
        gone,
    };
    unused.gone = is_gone(&node.delete(reference.clone()).await);
}

fn is_gone(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Returned(_) | Outcome::Executed | Outcome::NotExecuted(Cause::Deleted)
    )
}

fn unknown(name: &str, object: &RawRef, cause: Cause) -> NamingError {
    NamingError::NameUnknown {
        name: name.to_owned(),
        object: object.id,
        cause,
    }
}

fn failed(error: CallError<Never>) -> NamingError {
    NamingError::Call(error.map(|never| match never {}))
}

fn id(names: &NamesProxy) -> ObjectId {
    names.handle().reference().id
}

#[cfg(test)]
mod tests;

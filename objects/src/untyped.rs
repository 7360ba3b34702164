//! What a command line does with objects of kinds that it does not know.

use std::sync::Arc;

use bytes::Bytes;
use objects_proto::caller::Invocation;
use objects_proto::error::{CallError, MethodFailure};
use objects_proto::execution::Codec;
use objects_proto::mode::Mode;
use objects_proto::naming::{self, NewObject};
use objects_proto::object::{MethodId, ObjectId};
use objects_proto::outcome::{Cause, Failure, Outcome};
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, codec};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::node::Node;

impl Node {
    /// All names with this prefix and their objects, in the order of the names.
    ///
    /// # Errors
    /// [`Error::NoCluster`], or how the lookup failed.
    pub async fn names(&self, prefix: &str) -> Result<Vec<(String, RawRef)>> {
        let names = self.cluster().names().await?;
        let listed = naming::list(&names, prefix).await?;
        Ok(listed
            .into_iter()
            .map(|named| (named.name, named.reference))
            .collect())
    }

    /// The object with this name, or with this id (32 hexadecimal digits).
    ///
    /// # Errors
    /// [`Error::NotFound`], or how the lookup failed.
    pub async fn resolve(&self, object: &str) -> Result<RawRef> {
        let Some(id) = object_id(object) else {
            let found = naming::lookup(&self.parts().namer, object).await?;
            return found.ok_or_else(|| Error::NotFound(object.to_owned()));
        };
        match self.inspect(&RawRef::bare(id, "")).await {
            Ok(found) => Ok(RawRef {
                id,
                kind: Arc::from(found.kind),
                configuration: Some(Arc::new(found.configuration)),
            }),
            Err(Error::NotExecuted(Cause::WrongKind { found, .. })) => Ok(RawRef::bare(id, &found)),
            Err(error) => Err(error),
        }
    }

    /// Makes an object of a kind that some host in this node's view has. The state is encoded
    /// without knowledge of the kind: fields that are to be floating-point need a decimal point.
    ///
    /// # Errors
    /// [`Error::UnknownKind`], or those of [`create`](Node::create) and
    /// [`create_named`](Node::create_named).
    pub async fn create_json(
        &self,
        kind: &str,
        name: Option<&str>,
        state: Value,
        timeout: Duration,
    ) -> Result<RawRef> {
        let view = self.members();
        let hosted = view.hosts().filter_map(|member| member.record.kind(kind));
        let newest = hosted.max_by_key(|kind| kind.version);
        let hosted = newest.ok_or_else(|| Error::UnknownKind(kind.to_owned()))?;
        let encoded = codec::encode(&state)
            .map_err(|error| Error::NotExecuted(Cause::Arguments(error.to_string())))?;
        let parts = self.parts();
        let object = NewObject {
            kind: kind.to_owned(),
            kind_version: hosted.version,
            mode: if hosted.weak {
                Mode::Weak
            } else {
                Mode::Strong
            },
            state: Bytes::from(encoded),
            factor: parts.factor,
            timeout,
        };
        let made = match name {
            Some(name) => naming::create_named(&parts.namer, name, object).await?,
            None => self.create_object(object).await?,
        };
        Ok(made.reference().clone())
    }

    /// Makes a call by the method's name, with JSON arguments in the order of the method. The
    /// host, which knows the types, decodes them.
    ///
    /// # Errors
    /// [`CallError`]; the method's own error is the JSON of its value.
    pub async fn call_json(
        &self,
        target: &RawRef,
        method: &str,
        arguments: &[Value],
        timeout: Duration,
    ) -> std::result::Result<Value, CallError<Value>> {
        let encoded = serde_json::to_vec(arguments)
            .map_err(|error| CallError::NotExecuted(Cause::Arguments(error.to_string())))?;
        let caller = &self.parts().caller;
        let handle = caller.open_handle();
        let completion = caller
            .invoke(Invocation {
                handle,
                target: target.clone(),
                method: MethodId::of(method),
                write: true,
                codec: Codec::Json,
                arguments: Bytes::from(encoded),
                timeout,
                one_way: false,
                parent: None,
            })
            .await;
        caller.release_handle(handle);
        typed(named(completion.outcome, method))
    }
}

/// The host knows a method that it lacks by its id only; the caller knows the name.
fn named(outcome: Outcome, name: &str) -> Outcome {
    match outcome {
        Outcome::NotExecuted(Cause::UnknownMethod { kind, .. }) => {
            let method = name.to_owned();
            Outcome::NotExecuted(Cause::UnknownMethod { kind, method })
        }
        outcome => outcome,
    }
}

fn typed(outcome: Outcome) -> std::result::Result<Value, CallError<Value>> {
    match outcome {
        Outcome::Returned(json) => serde_json::from_slice(&json).map_err(|_| CallError::Executed),
        Outcome::NotExecuted(cause) => Err(CallError::NotExecuted(cause)),
        Outcome::Executed => Err(CallError::Executed),
        Outcome::Indeterminate(cause) => Err(CallError::Indeterminate(cause)),
        Outcome::Failed(failure) => Err(CallError::Failed(match failure {
            Failure::Returned(json) => match serde_json::from_slice(&json) {
                Ok(error) => MethodFailure::Returned(error),
                Err(problem) => MethodFailure::Unreadable(problem.to_string()),
            },
            Failure::Panicked(message) => MethodFailure::Panicked(message),
            Failure::Deadlock => MethodFailure::Deadlock,
            Failure::Deadline => MethodFailure::Deadline,
        })),
    }
}

/// The id that a text of 32 hexadecimal digits names.
fn object_id(text: &str) -> Option<ObjectId> {
    let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u128::from_str_radix(text, 16).ok().map(ObjectId))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_hexadecimal_digits_are_an_id() {
        let id = ObjectId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(object_id(&id.to_string()), Some(id));
        assert_eq!(object_id("hits"), None);
        assert_eq!(object_id(&"+".repeat(32)), None);
    }

    #[test]
    fn a_methods_own_error_stays_json() {
        let failed = Outcome::Failed(Failure::Returned(Bytes::from_static(b"{\"owner\":\"a\"}")));
        let error = typed(failed).unwrap_err().returned();
        assert_eq!(error, Some(serde_json::json!({ "owner": "a" })));
    }
}

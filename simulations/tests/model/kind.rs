//! The object of the model: a list to which each write appends its number.

use bytes::Bytes;
use objects_proto::execution::{Executed, Execution, Ran};
use objects_proto::object::MethodId;
use objects_proto::register::{MethodInfo, Methods};

/// The kind's name.
pub(crate) const KIND: &str = "List";
/// Appends its one-byte argument.
pub(crate) const APPEND: MethodId = MethodId::of("append");
/// The list.
pub(crate) const LIST: MethodId = MethodId::of("list");

/// The one kind that every process hosts.
pub(crate) struct Kinds;

impl Methods for Kinds {
    fn method(&self, _kind: &str, _version: u32, id: MethodId) -> Option<MethodInfo> {
        let asynchronous = false;
        let write = match id {
            APPEND => true,
            LIST => false,
            _ => return None,
        };
        Some(MethodInfo {
            write,
            asynchronous,
            deterministic: false,
        })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        kind == KIND && version == 1
    }
}

/// Runs calls on the list.
pub(crate) fn run(execution: &Execution) -> Executed {
    let mut list = execution.state.to_vec();
    let ran = execution
        .calls
        .iter()
        .map(|call| {
            let write = call.method == APPEND;
            if write {
                list.extend_from_slice(&call.arguments);
            }
            Ran::Returned {
                result: Bytes::from(list.clone()),
                state: write.then(|| Bytes::from(list.clone())),
                after_commit: Vec::new(),
            }
        })
        .collect();
    Executed {
        object: execution.object,
        key: execution.key,
        ran,
    }
}

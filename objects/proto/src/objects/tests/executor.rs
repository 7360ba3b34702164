//! What runs the calls of the test cluster: one kind whose state is a number.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::Duration;

use super::cluster::{KIND, number, read};
use crate::execution::{Deferred, Execution, ExecutionCall, Ran};
use crate::object::{MethodId, ObjectId};
use crate::outcome::Failure;
use crate::reads::Reads;
use crate::reference::RawRef;
use crate::register::{MethodInfo, Methods};

/// Name, whether it writes, whether it is asynchronous.
const METHODS: [(&str, bool, bool); 6] = [
    ("add", true, false),
    ("get", false, false),
    ("refuse", true, false),
    ("slow_add", true, true),
    ("defer", true, false),
    ("relay", true, true),
];

#[derive(Clone, Copy, Default)]
pub(super) struct Numbers {
    pub(super) reads: Reads,
    /// Backups run `add` for themselves.
    pub(super) deterministic: bool,
}

/// How an execution began.
pub(super) enum Started {
    /// It ended, and takes so long.
    Done(Vec<Ran>, Duration),
    /// It waits for a call to this object.
    Relay(RawRef),
}

impl Numbers {
    pub(super) fn is_write(method: &str) -> bool {
        METHODS
            .iter()
            .any(|(name, write, _)| *name == method && *write)
    }

    /// Runs the calls in order. Arguments are a number: what to add, or the low half of the id
    /// of the object to call.
    pub(super) fn start(
        &self,
        execution: &Execution,
        references: &BTreeMap<ObjectId, RawRef>,
    ) -> Started {
        let mut state = read(&execution.state);
        let mut ran = Vec::new();
        let mut takes = Duration::from_micros(20);
        for call in &execution.calls {
            let method = METHODS.iter().find(|(name, ..)| is(call, name));
            let argument = read(&call.arguments);
            let target = || {
                let low = |object: &&ObjectId| {
                    u64::try_from(object.0 & u128::from(u64::MAX)).unwrap() == argument
                };
                let object = references.keys().find(low)?;
                references.get(object).cloned()
            };
            let failed = || Ran::Failed(Failure::Returned(Bytes::new()));
            ran.push(match method.map(|(name, ..)| *name) {
                Some("get") => returned(state, None, Vec::new()),
                Some("refuse") | None => failed(),
                Some("relay") => match target() {
                    Some(target) => return Started::Relay(target),
                    None => failed(),
                },
                Some("defer") => {
                    let Some(target) = target() else {
                        ran.push(failed());
                        continue;
                    };
                    state = state.wrapping_add(1);
                    let deferred = Deferred {
                        target,
                        method: MethodId::of("add"),
                        name: String::from("add"),
                        arguments: number(1),
                    };
                    returned(state, Some(state), vec![deferred])
                }
                Some(name) => {
                    if name == "slow_add" {
                        takes = Duration::from_millis(150);
                    }
                    state = state.wrapping_add(argument);
                    returned(state, Some(state), Vec::new())
                }
            });
        }
        Started::Done(ran, takes)
    }
}

impl Methods for Numbers {
    fn method(&self, kind: &str, version: u32, id: MethodId) -> Option<MethodInfo> {
        let known = |(name, ..): &&(&str, bool, bool)| MethodId::of(name) == id;
        let (_, write, asynchronous) = METHODS.iter().find(known)?;
        self.hosts(kind, version).then_some(MethodInfo {
            write: *write,
            asynchronous: *asynchronous,
            deterministic: self.deterministic && *write && !*asynchronous,
        })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        kind == KIND && version == 1
    }

    fn reads(&self, _: &str, _: u32) -> Reads {
        self.reads
    }
}

fn is(call: &ExecutionCall, name: &str) -> bool {
    call.method == MethodId::of(name)
}

fn returned(result: u64, state: Option<u64>, after_commit: Vec<Deferred>) -> Ran {
    Ran::Returned {
        result: number(result),
        state: state.map(number),
        after_commit,
    }
}

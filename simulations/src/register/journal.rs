//! The user's object of the register scenario: a journal that keeps the id of every call that
//! took effect, and the executor that runs it.
//!
//! A journal may carry ballast: then it is large, an append changes little of it in place, and
//! appends that are marked deterministic change half of it.

use std::sync::Arc;

use bytes::Bytes;
use objects_proto::execution::{Executed, Execution, ExecutionCall, Ran};
use objects_proto::object::MethodId;
use objects_proto::outcome::{Cause, Failure};
use objects_proto::reads::Reads;
use objects_proto::register::{MethodInfo, Methods};
use overlay_proto::{Duration, codec};
use serde::{Deserialize, Serialize};

use super::state::Journal;
use crate::oracle::CallId;
use crate::seed::Dice;
use crate::witness::Model;

/// The name of the kind whose reads ask a majority.
pub const KIND: &str = "Journal";
/// The name of the same kind with reads under leases.
pub const LEASED: &str = "LeasedJournal";
/// The name of the same kind with reads that may be stale.
pub const STALE: &str = "StaleJournal";
/// The name of the same kind in weak mode.
pub const WEAK: &str = "WeakJournal";
/// All names.
pub const KINDS: [&str; 4] = [KIND, LEASED, STALE, WEAK];
/// The kinds' version that clients make and call.
pub const KIND_VERSION: u32 = 1;
/// A later one, which takes no object of the earlier one.
pub const NEWER_VERSION: u32 = 2;

/// What clients call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Appends the call's id and adds to the sum.
    Append(CallId, u64),
    /// The same by an asynchronous method that takes its time.
    AppendSlowly(CallId, u64),
    /// The same by a deterministic method that makes the ballast anew.
    AppendMixing(CallId, u64),
    /// The same by a method that is marked deterministic and draws the ballast.
    AppendGuessing(CallId, u64),
    /// The same by an asynchronous method that first calls another object.
    Transfer(CallId, u64),
    /// What a transfer calls: a write that changes nothing.
    Receive(CallId),
    /// A write that says no.
    Refuse(CallId),
    /// Reads the log.
    Read,
    /// Reads the log by an asynchronous method.
    ReadSlowly,
}

impl Operation {
    /// The method called.
    #[must_use]
    pub const fn method(&self) -> MethodId {
        MethodId::of(match self {
            Self::Append(..) => "append",
            Self::AppendSlowly(..) => "append_slowly",
            Self::AppendMixing(..) => "append_mixing",
            Self::AppendGuessing(..) => "append_guessing",
            Self::Transfer(..) => "transfer",
            Self::Receive(_) => "receive",
            Self::Refuse(_) => "refuse",
            Self::Read => "read",
            Self::ReadSlowly => "read_slowly",
        })
    }

    /// Every operation with these arguments.
    const fn all(id: CallId, by: u64) -> [Self; 9] {
        [
            Self::Append(id, by),
            Self::AppendSlowly(id, by),
            Self::AppendMixing(id, by),
            Self::AppendGuessing(id, by),
            Self::Transfer(id, by),
            Self::Receive(id),
            Self::Refuse(id),
            Self::Read,
            Self::ReadSlowly,
        ]
    }

    const fn is_slow(&self) -> bool {
        matches!(self, Self::AppendSlowly(..) | Self::ReadSlowly)
    }

    const fn is_asynchronous(&self) -> bool {
        self.is_slow() || matches!(self, Self::Transfer(..))
    }

    /// Whether it may change the journal.
    #[must_use]
    pub const fn writes(&self) -> bool {
        !matches!(self, Self::Read | Self::ReadSlowly)
    }

    /// Whether this is a method that only reads.
    #[must_use]
    pub fn is_read(method: MethodId) -> bool {
        [Self::Read, Self::ReadSlowly]
            .iter()
            .any(|one| one.method() == method)
    }

    /// The encoded arguments.
    #[must_use]
    pub fn arguments(&self) -> Bytes {
        let pair = match *self {
            Self::Append(id, by)
            | Self::AppendSlowly(id, by)
            | Self::AppendMixing(id, by)
            | Self::AppendGuessing(id, by)
            | Self::Transfer(id, by) => (id, by),
            Self::Refuse(id) | Self::Receive(id) => (id, 0),
            Self::Read | Self::ReadSlowly => (0, 0),
        };
        codec::encode(&pair).unwrap_or_default().into()
    }
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Entries and sum after an append.
    Appended(u64, u64),
    /// The log.
    Log(Vec<CallId>),
}

impl Model for Journal {
    type Operation = Operation;
    type Output = Output;

    fn apply(&mut self, operation: &Operation) -> Output {
        match *operation {
            Operation::Append(id, by)
            | Operation::AppendSlowly(id, by)
            | Operation::AppendMixing(id, by)
            | Operation::AppendGuessing(id, by)
            | Operation::Transfer(id, by) => {
                let (entries, sum) = self.append(id, by);
                Output::Appended(entries, sum)
            }
            Operation::Receive(_)
            | Operation::Refuse(_)
            | Operation::Read
            | Operation::ReadSlowly => Output::Log(self.log().to_vec()),
        }
    }
}

/// The kinds that a node hosts: the journals in this version, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Hosted(pub Option<u32>);

impl Methods for Hosted {
    fn method(&self, kind: &str, version: u32, id: MethodId) -> Option<MethodInfo> {
        let found = Operation::all(0, 0);
        let found = found.iter().find(|operation| operation.method() == id);
        found
            .filter(|_| self.hosts(kind, version))
            .map(|operation| MethodInfo {
                write: operation.writes(),
                asynchronous: operation.is_asynchronous(),
                deterministic: matches!(
                    operation,
                    Operation::AppendMixing(..) | Operation::AppendGuessing(..)
                ),
            })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        self.0 == Some(version) && KINDS.contains(&kind)
    }

    fn reads(&self, kind: &str, _: u32) -> Reads {
        match kind {
            LEASED => Reads::Lease,
            STALE => Reads::Stale,
            _ => Reads::Quorum,
        }
    }
}

/// Shares what a node hosts with its machine.
#[must_use]
pub fn shared(version: Option<u32>) -> Arc<Hosted> {
    Arc::new(Hosted(version))
}

/// Runs an execution, also one that a backup runs again: how long it takes, and its results.
pub fn execute(execution: &Execution, dice: &mut Dice) -> (Duration, Executed) {
    let mut took = Duration::from_micros(dice.between(20, 500));
    let decoded = Journal::decode(&execution.state);
    let mut ran = Vec::new();
    match decoded {
        Some(mut journal) => {
            for call in &execution.calls {
                let time = time_of(call, dice);
                took += time.min(call.budget);
                ran.push(if time > call.budget {
                    Ran::Failed(Failure::Deadline)
                } else {
                    run(&mut journal, call, dice)
                });
            }
        }
        None => {
            let problem = "no journal".to_owned();
            let cause = Cause::BadState {
                kind: execution.kind.as_ref().to_owned(),
                problem,
            };
            ran = vec![Ran::Refused(cause); execution.calls.len()];
        }
    }
    (
        took,
        Executed {
            object: execution.object,
            key: execution.key,
            ran,
        },
    )
}

fn time_of(call: &ExecutionCall, dice: &mut Dice) -> Duration {
    let slow = |one: &Operation| one.is_slow() && one.method() == call.method;
    if Operation::all(0, 0).iter().any(slow) {
        dice.exponential(Duration::from_millis(100))
    } else {
        Duration::from_micros(dice.between(1, 50))
    }
}

fn run(journal: &mut Journal, call: &ExecutionCall, dice: &mut Dice) -> Ran {
    let Ok((id, by)) = codec::decode::<(CallId, u64)>(&call.arguments) else {
        return Ran::Refused(Cause::Arguments("not a pair of numbers".to_owned()));
    };
    let operations = Operation::all(id, by);
    let Some(operation) = operations.iter().find(|one| one.method() == call.method) else {
        let method = format!("{:?}", call.method);
        return Ran::Refused(Cause::UnknownMethod {
            kind: KIND.to_owned(),
            method,
        });
    };
    if matches!(operation, Operation::Refuse(_)) {
        return Ran::Failed(Failure::Returned(Bytes::new()));
    }
    match operation {
        Operation::AppendMixing(..) => journal.mix(id),
        Operation::AppendGuessing(..) => journal.mix(dice.word()),
        _ => {}
    }
    let output = journal.apply(operation);
    Ran::Returned {
        result: codec::encode(&output).unwrap_or_default().into(),
        state: operation.writes().then(|| journal.encode()),
        after_commit: Vec::new(),
    }
}

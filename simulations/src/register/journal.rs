//! The user's object of the register scenario: a journal that keeps the id of every call that
//! took effect, and the executor that runs it.

use std::sync::Arc;

use bytes::Bytes;
use objects_proto::execution::{Executed, Execution, ExecutionCall, Ran};
use objects_proto::object::MethodId;
use objects_proto::outcome::{Cause, Failure};
use objects_proto::reads::Reads;
use objects_proto::register::{MethodInfo, Methods};
use overlay_proto::{Duration, codec};
use serde::{Deserialize, Serialize};

use crate::oracle::CallId;
use crate::seed::Dice;
use crate::witness::Model;

/// The name of the kind whose reads ask a majority.
pub const KIND: &str = "Journal";
/// The name of the same kind with reads under leases.
pub const LEASED: &str = "LeasedJournal";
/// The name of the same kind with reads that may be stale.
pub const STALE: &str = "StaleJournal";
/// All names.
pub const KINDS: [&str; 3] = [KIND, LEASED, STALE];
/// The kinds' version.
pub const KIND_VERSION: u32 = 1;

/// What clients call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Appends the call's id and adds to the sum.
    Append(CallId, u64),
    /// The same by an asynchronous method that takes its time.
    AppendSlowly(CallId, u64),
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
            Self::Refuse(_) => "refuse",
            Self::Read => "read",
            Self::ReadSlowly => "read_slowly",
        })
    }

    /// Whether it may change the journal.
    #[must_use]
    pub const fn writes(&self) -> bool {
        !matches!(self, Self::Read | Self::ReadSlowly)
    }

    /// The encoded arguments.
    #[must_use]
    pub fn arguments(&self) -> Bytes {
        let pair = match *self {
            Self::Append(id, by) | Self::AppendSlowly(id, by) => (id, by),
            Self::Refuse(id) => (id, 0),
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

/// The journal's state, and the sequential model of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    log: Vec<CallId>,
    sum: u64,
}

impl Journal {
    /// The log in an encoded state.
    #[must_use]
    pub fn log_of(state: &Bytes) -> Option<Vec<CallId>> {
        codec::decode::<Self>(state).ok().map(|journal| journal.log)
    }

    /// The encoded state.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        codec::encode(self).unwrap_or_default().into()
    }
}

impl Model for Journal {
    type Operation = Operation;
    type Output = Output;

    fn apply(&mut self, operation: &Operation) -> Output {
        match *operation {
            Operation::Append(id, by) | Operation::AppendSlowly(id, by) => {
                self.log.push(id);
                self.sum += by;
                Output::Appended(self.log.len() as u64, self.sum)
            }
            Operation::Refuse(_) | Operation::Read | Operation::ReadSlowly => {
                Output::Log(self.log.clone())
            }
        }
    }
}

/// The kinds that a node hosts: the journals, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Hosted(pub bool);

impl Methods for Hosted {
    fn method(&self, kind: &str, version: u32, id: MethodId) -> Option<MethodInfo> {
        let known = [
            (Operation::Append(0, 0), false),
            (Operation::AppendSlowly(0, 0), true),
            (Operation::Refuse(0), false),
            (Operation::Read, false),
            (Operation::ReadSlowly, true),
        ];
        let found = known.iter().find(|(operation, _)| operation.method() == id);
        found
            .filter(|_| self.hosts(kind, version))
            .map(|(operation, asynchronous)| MethodInfo {
                write: operation.writes(),
                asynchronous: *asynchronous,
            })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        self.0 && KINDS.contains(&kind) && version == KIND_VERSION
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
pub fn shared(hosts: bool) -> Arc<Hosted> {
    Arc::new(Hosted(hosts))
}

/// Runs an execution: how long it takes, and its results.
pub fn execute(execution: &Execution, dice: &mut Dice) -> (Duration, Executed) {
    let mut took = Duration::from_micros(dice.between(20, 500));
    let decoded: Result<Journal, _> = codec::decode(&execution.state);
    let mut ran = Vec::new();
    match decoded {
        Ok(mut journal) => {
            for call in &execution.calls {
                let time = time_of(call, dice);
                took += time.min(call.budget);
                ran.push(if time > call.budget {
                    Ran::Failed(Failure::Deadline)
                } else {
                    run(&mut journal, call)
                });
            }
        }
        Err(error) => {
            let problem = error.to_string();
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
    let slow = [Operation::AppendSlowly(0, 0), Operation::ReadSlowly];
    if slow
        .iter()
        .any(|operation| operation.method() == call.method)
    {
        dice.exponential(Duration::from_millis(100))
    } else {
        Duration::from_micros(dice.between(1, 50))
    }
}

fn run(journal: &mut Journal, call: &ExecutionCall) -> Ran {
    let Ok((id, by)) = codec::decode::<(CallId, u64)>(&call.arguments) else {
        return Ran::Refused(Cause::Arguments("not a pair of numbers".to_owned()));
    };
    let operations = [
        Operation::Append(id, by),
        Operation::AppendSlowly(id, by),
        Operation::Refuse(id),
        Operation::Read,
        Operation::ReadSlowly,
    ];
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
    let output = journal.apply(operation);
    Ran::Returned {
        result: codec::encode(&output).unwrap_or_default().into(),
        state: operation.writes().then(|| journal.encode()),
        after_commit: Vec::new(),
    }
}

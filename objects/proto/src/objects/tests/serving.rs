//! What the drivers of a cluster's nodes do: run calls, and look objects up in the directory.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Input};

use super::cluster::{Cluster, Happening, number, read};
use super::executor::Started;
use crate::caller::{HandleId, Parent};
use crate::directory::SlotRecord;
use crate::execution::{CallChain, Executed, Execution, Ran};
use crate::machine::Command;
use crate::object::ObjectId;
use crate::outcome::{Failure, Outcome};

/// A call of a method that waits for another object.
pub(super) struct Relay {
    pub(super) node: usize,
    pub(super) execution: Execution,
}

impl Cluster {
    pub(super) fn look_up(&mut self, node: usize, object: ObjectId) {
        let slot = object.slot();
        let told = self.published.get(&slot).filter(|_| self.directory);
        let told = told.into_iter().flatten().rev();
        let records: Vec<Bytes> = told
            .filter_map(|holders| SlotRecord::new(slot, holders.clone()).encode())
            .collect();
        let at = self.now + Duration::from_millis(30);
        for command in [
            Command::DirectoryFound { object, records },
            Command::DirectoryExhausted(object),
        ] {
            let input = Input::Command(command);
            self.at(at, Happening::Input { node, input });
        }
    }

    pub(super) fn execute(&mut self, node: usize, execution: Execution) {
        match self.executor.start(&execution, &self.references) {
            Started::Done(ran, after) => self.executed(node, &execution, ran, after),
            Started::Relay(target) => {
                let call = execution.calls[0].clone();
                let mut holds = call.chain.holds.clone();
                holds.push(execution.object);
                let chain = CallChain {
                    holds,
                    ..call.chain.clone()
                };
                let mut invocation = self.invocation(&target, "slow_add", 1);
                invocation.handle = HandleId(1 << 41 | execution.key.attempt);
                invocation.timeout = call.budget;
                invocation.parent = Some(Parent { chain, ordinal: 0 });
                let ticket = self.ticket();
                self.relays.insert(ticket, Relay { node, execution });
                let input = Input::Command(Command::Invoke { ticket, invocation });
                self.at(self.now, Happening::Input { node, input });
            }
        }
    }

    pub(super) fn relayed(&mut self, relay: &Relay, outcome: Outcome) {
        let state = read(&relay.execution.state).wrapping_add(1);
        let ran = match outcome {
            Outcome::Returned(result) => Ran::Returned {
                result,
                state: Some(number(state)),
                after_commit: Vec::new(),
            },
            Outcome::Failed(failure) => Ran::Failed(failure),
            _ => Ran::Failed(Failure::Returned(Bytes::new())),
        };
        let after = Duration::from_micros(50);
        self.executed(relay.node, &relay.execution, vec![ran], after);
    }

    fn executed(&mut self, node: usize, execution: &Execution, ran: Vec<Ran>, after: Duration) {
        let executed = Executed {
            object: execution.object,
            key: execution.key,
            ran,
        };
        self.at(self.now + after, Happening::Executed { node, executed });
    }
}

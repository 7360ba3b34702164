//! Transfers: an asynchronous method that calls another object and appends what it asked for if
//! that call returned. Two of them in opposite directions wait for each other.

use bytes::Bytes;
use objects_proto::caller::{Completion, HandleId, Invocation, Parent};
use objects_proto::execution::{Codec, Executed, Execution, ExecutionMode, Ran};
use objects_proto::machine::{Command, Ticket};
use objects_proto::outcome::{Failure, Outcome};
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, ProcessId};

use super::coverage::Coverage;
use super::journal::{self, Operation, WEAK};
use super::{ObjectsKernel, Purpose, Register, workload};
use crate::coverage::OPPOSITE;

/// How long a transfer waits: nobody can use its object meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

/// A method that waits for a call of its own.
#[derive(Debug)]
pub(super) struct Transfer {
    process: ProcessId,
    /// The object that runs it, and the one that it calls.
    objects: [usize; 2],
    execution: Execution,
}

impl Register {
    /// Runs calls of an object.
    pub(super) fn execute(&mut self, kernel: &mut ObjectsKernel, node: u32, execution: Execution) {
        self.executes_weak(kernel, node, &execution);
        kernel.count("executions", 1);
        match self.counterpart(&execution) {
            Some((objects, target)) => self.transfer(kernel, node, execution, objects, target),
            None => self.run(kernel, node, &execution),
        }
    }

    fn run(&mut self, kernel: &mut ObjectsKernel, node: u32, execution: &Execution) {
        let (took, executed) = journal::execute(execution, &mut self.dice);
        Coverage::executed(kernel, execution, &executed.ran);
        kernel.command(node, took, Command::Executed(executed));
    }

    /// If these calls are a transfer: the two objects, and how to reach the other one. Objects
    /// stand in pairs; what is in weak mode calls nobody, and nobody waits for what may be gone.
    fn counterpart(&self, execution: &Execution) -> Option<([usize; 2], RawRef)> {
        let [call] = execution.calls.as_slice() else {
            return None;
        };
        let is_transfer = call.method == Operation::Transfer(0, 0).method();
        let from = self
            .objects
            .iter()
            .position(|one| one.is(&execution.object))?;
        let to = from ^ 1;
        let strong = |object: usize| {
            let object = self.objects.get(object);
            object.filter(|one| one.kind != WEAK && !one.may_be_lost())
        };
        let target = strong(from).and(strong(to))?.reference.clone()?;
        let runs = is_transfer && execution.mode == ExecutionMode::Batch;
        runs.then_some(([from, to], target))
    }

    fn transfer(
        &mut self,
        kernel: &mut ObjectsKernel,
        node: u32,
        execution: Execution,
        objects: [usize; 2],
        target: RawRef,
    ) {
        let (Some(process), [call]) = (kernel.process(node), execution.calls.as_slice()) else {
            return;
        };
        let [from, to] = objects;
        let waits = |one: &Transfer| one.objects == [to, from] && kernel.runs(&one.process);
        let opposite = self.transfers.values().filter(|one| waits(one)).count();
        kernel.count("transfers", 1);
        kernel.count(OPPOSITE, opposite as u64);
        let mut chain = call.chain.clone();
        chain.holds.push(execution.object);
        let (id, handle) = (self.name(), HandleId(self.name()));
        let ticket = self.ticket(id, process, Purpose::Nested);
        let operation = Operation::Receive(id);
        let invocation = Invocation {
            handle,
            target: workload::hint(&mut self.dice, &target),
            method: operation.method(),
            write: operation.writes(),
            codec: Codec::Cbor,
            arguments: operation.arguments(),
            timeout: call.budget.min(PATIENCE),
            one_way: false,
            parent: Some(Parent { chain, ordinal: 0 }),
        };
        let transfer = Transfer {
            process,
            objects,
            execution,
        };
        self.transfers.insert(ticket, transfer);
        let command = Command::Invoke { ticket, invocation };
        kernel.command(node, Duration::ZERO, command);
    }

    /// The call that a transfer waits for has ended, and with it the transfer.
    pub(super) fn nested_ended(
        &mut self,
        kernel: &mut ObjectsKernel,
        ticket: Ticket,
        completion: &Completion,
    ) {
        let Some(transfer) = self.transfers.remove(&ticket) else {
            return;
        };
        let Some(node) = kernel.node_of(&transfer.process.peer) else {
            return;
        };
        let Execution { object, key, .. } = transfer.execution;
        if matches!(completion.outcome, Outcome::Returned(_)) {
            self.run(kernel, node, &transfer.execution);
        } else {
            kernel.count("transfers refused", 1);
            let ran = vec![Ran::Failed(Failure::Returned(Bytes::new()))];
            let executed = Executed { object, key, ran };
            kernel.command(node, Duration::ZERO, Command::Executed(executed));
        }
    }

    /// A process is gone, and its methods with it.
    pub(super) fn end_transfers(&mut self, process: &ProcessId) {
        self.transfers.retain(|_, one| one.process != *process);
    }
}

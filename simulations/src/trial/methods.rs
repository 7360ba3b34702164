//! Runs the real methods of users' kinds: marks come off before, and go on after.

use std::panic::{AssertUnwindSafe, catch_unwind};

use objects_proto::execution::{Deferred, Executed, Execution, Ran};
use objects_proto::guard::PanicGuard;
use objects_proto::outcome::Cause;

use super::marks::{mark, unmark, with_log, without_log};
use crate::oracle::CallId;
use crate::panics::words;

/// What was taken off an execution.
pub(super) struct Marks {
    calls: Vec<Option<CallId>>,
    log: Vec<CallId>,
}

/// Takes the marks off.
///
/// # Errors
/// The execution's answer, if its state was not made by a client of the trial.
pub(super) fn open(mut execution: Execution) -> Result<(Execution, Marks), Executed> {
    let opened = without_log(&execution.state);
    let arguments = execution.calls.iter().map(|call| &call.arguments);
    let unmarked: Option<Vec<_>> = arguments.map(|bytes| unmark(bytes.clone())).collect();
    let (Some((state, log)), Some(unmarked)) = (opened, unmarked) else {
        let cause = Cause::BadState {
            kind: execution.kind.as_ref().to_owned(),
            problem: "it was not made by a client of the trial".to_owned(),
        };
        return Err(Executed {
            object: execution.object,
            key: execution.key,
            ran: vec![Ran::Refused(cause); execution.calls.len()],
        });
    };
    execution.state = state;
    let mut calls = Vec::with_capacity(unmarked.len());
    for (call, (id, arguments)) in execution.calls.iter_mut().zip(unmarked) {
        call.arguments = arguments;
        calls.push(id);
    }
    Ok((execution, Marks { calls, log }))
}

/// Puts the marks on.
pub(super) fn close(mut executed: Executed, marks: Marks) -> Executed {
    let Marks { calls, mut log } = marks;
    for (ran, id) in executed.ran.iter_mut().zip(calls) {
        if let Ran::Returned {
            state: Some(state),
            after_commit,
            ..
        } = ran
        {
            log.extend(id);
            *state = with_log(state, &log);
            after_commit.iter_mut().for_each(mark_deferred);
        }
    }
    executed
}

fn mark_deferred(deferred: &mut Deferred) {
    deferred.arguments = mark(None, &deferred.arguments);
}

/// Catches the panics of users' methods, as production does.
pub(super) struct Catch;

impl PanicGuard for Catch {
    fn run(&self, step: &mut dyn FnMut()) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(step)).map_err(|payload| words(&*payload))
    }
}

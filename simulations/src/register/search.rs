//! The independent check of a history: a search for an order that explains what callers saw.

use std::collections::BTreeSet;

use overlay_proto::Instant;

use super::journal::{Operation, Output, STALE, WEAK};
use super::tracked::Tracked;
use super::{ObjectsKernel, Register};
use crate::linearizability::{self, Call, CallOf, Specification, Verdict};
use crate::oracle::{self, CallId, Class};

/// The property's name in reports.
const NAME: &str = "linearizable";
/// Of so many runs, one is searched.
const ONE_OF: u64 = 10;
/// The longest history that is searched, calls.
const CALLS_MAX: usize = 2_000;
/// Steps after which a search gives up.
const STEPS_MAX: u64 = 200_000;

/// A journal, as far as results tell: a fold over its log stands for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    entries: u64,
    sum: u64,
    fold: u64,
}

impl State {
    fn with(self, id: CallId, by: u64) -> Self {
        let fold = (self.fold.rotate_left(5) ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            entries: self.entries + 1,
            sum: self.sum + by,
            fold,
        }
    }

    /// After these calls; what they added is not known.
    fn of(log: &[CallId]) -> Self {
        log.iter()
            .fold(Self::default(), |state, id| state.with(*id, 0))
    }
}

/// What a call does to a journal.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Appends(CallId, u64),
    Reads,
}

/// What a call returned.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Appended(u64, u64),
    Log(State),
}

struct Journals;

impl Specification for Journals {
    type State = State;
    type Operation = Effect;
    type Output = Seen;

    fn step(state: &State, effect: &Effect, output: Option<&Seen>) -> Option<State> {
        let after = match *effect {
            Effect::Appends(id, by) => state.with(id, by),
            Effect::Reads => *state,
        };
        let fits = output.is_none_or(|seen| match *seen {
            Seen::Appended(entries, sum) => (entries, sum) == (after.entries, after.sum),
            Seen::Log(log) => (log.entries, log.fold) == (after.entries, after.fold),
        });
        fits.then_some(after)
    }
}

impl Register {
    /// Searches an order for the calls of a strong object, in some of the runs.
    pub(super) fn search(kernel: &mut ObjectsKernel, tracked: &Tracked) {
        let Some(log) = &tracked.log else { return };
        let sampled = kernel.seed().child("searched").dice().below(ONE_OF) == 0;
        if !sampled || tracked.kind == WEAK {
            return;
        }
        let calls = calls_of(tracked, log);
        if calls.len() > CALLS_MAX {
            return kernel.count("histories too long to search", 1);
        }
        let verdict = linearizability::check::<Journals>(State::default(), &calls, STEPS_MAX);
        match verdict {
            Verdict::Linearizable => kernel.count("histories searched", 1),
            Verdict::GaveUp => kernel.count("searches given up", 1),
            Verdict::NotLinearizable => {
                let id = tracked.reference.as_ref().map(|one| one.id);
                kernel.violate(NAME, format!("no order explains the calls of {id:?}"));
                kernel.concerning(id);
            }
        }
        kernel.count("calls searched", calls.len() as u64);
    }
}

/// The calls on an object, and a last read of `log`.
fn calls_of(tracked: &Tracked, log: &[CallId]) -> Vec<CallOf<Journals>> {
    let effects: BTreeSet<CallId> = log.iter().copied().collect();
    let reads = tracked.kind != STALE;
    let calls = tracked.history.calls();
    let calls = calls.filter(|call| call.write || reads);
    let mut calls: Vec<_> = calls.filter_map(|call| seen(call, &effects)).collect();
    let ends = calls.iter().filter_map(|call| call.returned);
    let last = calls.iter().map(|call| call.invoked).chain(ends).max();
    let after = Instant::from_micros(last.unwrap_or_default().as_micros() + 1);
    calls.push(Call {
        invoked: after,
        returned: Some(after),
        operation: Effect::Reads,
        output: Some(Seen::Log(State::of(log))),
        optional: false,
    });
    calls
}

/// A call as the search takes it; `None` of those that did nothing and saw nothing. A journal
/// only grows, so a call of unknown end took effect if its entry is there in the end.
fn seen(
    call: &oracle::Call<Operation, Output>,
    effects: &BTreeSet<CallId>,
) -> Option<CallOf<Journals>> {
    let end = call.end.as_ref();
    let class = end.map_or(&Class::Indeterminate, |end| &end.class);
    let operation = match call.operation {
        Operation::Append(id, by)
        | Operation::AppendSlowly(id, by)
        | Operation::AppendMixing(id, by)
        | Operation::AppendGuessing(id, by)
        | Operation::Transfer(id, by) => Effect::Appends(id, by),
        Operation::Read | Operation::ReadSlowly => Effect::Reads,
        Operation::Refuse(_) | Operation::Receive(_) => return None,
    };
    let (known, output) = match class {
        Class::Ok(Output::Appended(entries, sum)) => (true, Some(Seen::Appended(*entries, *sum))),
        Class::Ok(Output::Log(log)) => (true, Some(Seen::Log(State::of(log)))),
        Class::Executed => (true, None),
        Class::Indeterminate => (false, None),
        Class::NotExecuted | Class::Failed => return None,
    };
    if !known && (!call.write || !effects.contains(&call.id)) {
        return None;
    }
    Some(Call {
        invoked: call.invoked,
        returned: end.map(|end| end.at).filter(|_| known),
        operation,
        output,
        optional: false,
    })
}

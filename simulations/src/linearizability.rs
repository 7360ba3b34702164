//! Is a history linearizable? A search that believes nothing but times, arguments and results.
//!
//! Source: Wing and Gong, "Testing and verifying concurrent objects" (1993), with the memory of
//! Lowe, "Testing for linearizability" (2017): a set of calls that led to a state once is not
//! tried again. It is independent of [`crate::witness`], which takes the order from the replies.

use std::collections::HashSet;
use std::hash::Hash;

use overlay_proto::Instant;

/// The object as it would be if calls came one after the other.
pub trait Specification {
    /// What the object is.
    type State: Clone + Eq + Hash;
    /// What is called.
    type Operation;
    /// What comes back.
    type Output;

    /// The state after a call, if it may return `output`; `None`: nobody knows what it returned.
    fn step(
        state: &Self::State,
        operation: &Self::Operation,
        output: Option<&Self::Output>,
    ) -> Option<Self::State>;
}

/// A call as its caller saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<O, R> {
    /// When it was made.
    pub invoked: Instant,
    /// When it had taken effect at the latest; `None` if nobody knows, or it may still.
    pub returned: Option<Instant>,
    /// What was called.
    pub operation: O,
    /// What came back, if that is known.
    pub output: Option<R>,
    /// Whether it may never take effect.
    pub optional: bool,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none.
    NotLinearizable,
    /// So many steps were not enough to tell.
    GaveUp,
}

/// A call of a specification.
pub type CallOf<S> = Call<<S as Specification>::Operation, <S as Specification>::Output>;

/// Looks for an order in which the calls take effect one after the other, each between its
/// invocation and its return, in at most `steps` steps.
#[must_use]
pub fn check<S: Specification>(initial: S::State, calls: &[CallOf<S>], steps: u64) -> Verdict {
    Search::<S>::new(calls).run(initial, steps)
}

/// A point of the search: the state before, whom it tries next, and who led here.
struct Frame<State> {
    state: State,
    /// Who may be next, the last one first.
    candidates: Vec<usize>,
    chosen: Option<usize>,
}

struct Search<'a, S: Specification> {
    /// In order of invocation.
    calls: Vec<&'a CallOf<S>>,
    /// Calls that have no place yet, as a list: who follows whom, the head at the end.
    next: Vec<usize>,
    before: Vec<usize>,
    placed: Vec<u64>,
    /// Calls without a place that must have one.
    needed: usize,
    seen: HashSet<(Vec<u64>, S::State)>,
}

impl<'a, S: Specification> Search<'a, S> {
    fn new(calls: &'a [CallOf<S>]) -> Self {
        let mut calls: Vec<&CallOf<S>> = calls.iter().collect();
        calls.sort_by_key(|call| call.invoked);
        let count = calls.len();
        let around = |place: usize, by: usize| (place + by) % (count + 1);
        Self {
            next: (0..=count).map(|place| around(place, 1)).collect(),
            before: (0..=count).map(|place| around(place, count)).collect(),
            placed: vec![0; count.div_ceil(64)],
            needed: calls.iter().filter(|call| !call.optional).count(),
            seen: HashSet::new(),
            calls,
        }
    }

    fn run(mut self, initial: S::State, steps: u64) -> Verdict {
        let mut stack = vec![self.frame(initial, None)];
        for _ in 0..steps {
            if self.needed == 0 {
                return Verdict::Linearizable;
            }
            let Some(frame) = stack.last_mut() else {
                return Verdict::NotLinearizable;
            };
            let Some(call) = frame.candidates.pop() else {
                let chosen = stack.pop().and_then(|frame| frame.chosen);
                chosen.into_iter().for_each(|call| self.unplace(call));
                continue;
            };
            let Call {
                operation, output, ..
            } = self.calls[call];
            let Some(after) = S::step(&frame.state, operation, output.as_ref()) else {
                continue;
            };
            self.place(call);
            if self.seen.insert((self.placed.clone(), after.clone())) {
                stack.push(self.frame(after, Some(call)));
            } else {
                self.unplace(call);
            }
        }
        Verdict::GaveUp
    }

    /// Who may be next: calls that were made before any other call without a place returned.
    /// Those that must be over soon are tried first, those that may take effect at any time last.
    fn frame(&self, state: S::State, chosen: Option<usize>) -> Frame<S::State> {
        let head = self.calls.len();
        let mut first_return: Option<Instant> = None;
        let mut candidates = Vec::new();
        let mut call = self.next[head];
        while call != head {
            let Call {
                invoked, returned, ..
            } = self.calls[call];
            if first_return.is_some_and(|until| *invoked > until) {
                break;
            }
            candidates.push(call);
            first_return = [first_return, *returned].into_iter().flatten().min();
            call = self.next[call];
        }
        let rank = |call: &usize| {
            let returned = self.calls[*call].returned;
            (returned.is_none(), returned, *call)
        };
        candidates.sort_by_key(|call| std::cmp::Reverse(rank(call)));
        Frame {
            state,
            candidates,
            chosen,
        }
    }

    fn place(&mut self, call: usize) {
        let (before, next) = (self.before[call], self.next[call]);
        self.next[before] = next;
        self.before[next] = before;
        self.placed[call / 64] |= 1 << (call % 64);
        self.needed -= usize::from(!self.calls[call].optional);
    }

    /// Takes [`Self::place`] back; in the opposite order, so that the neighbours still fit.
    fn unplace(&mut self, call: usize) {
        let (before, next) = (self.before[call], self.next[call]);
        self.next[before] = call;
        self.before[next] = call;
        self.placed[call / 64] &= !(1 << (call % 64));
        self.needed += usize::from(!self.calls[call].optional);
    }
}

#[cfg(test)]
mod tests;

//! The verdict: what clients were told against what the objects are in the end, by the checkers
//! of the simulator.

use std::collections::BTreeMap;

use overlay_proto::Instant;
use simulations::oracle::{Anomaly, Call, Class as Told, End, History, Witness};
use simulations::witness::{self, Model};

use crate::history::{Class, Line, What};
use crate::kinds::chain;
use crate::life::BALANCE;
use crate::task::{Audit, Thing};

/// A log as a sequential object: how many entries, and their hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mirror(u64, u64);

/// A call on it, with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation(u64, What);

impl Model for Mirror {
    type Operation = Operation;
    type Output = (u64, u64);

    fn apply(&mut self, Operation(id, what): &Operation) -> (u64, u64) {
        if *what == What::Write {
            *self = Self(self.0 + 1, chain(self.1, *id));
        }
        (self.0, self.1)
    }
}

type Calls = History<Operation, (u64, u64)>;

/// Checks every object: how many calls were checked, and what was broken.
pub(crate) fn check(things: &[Thing], audits: &[Audit], lines: &[Line]) -> (u64, Vec<String>) {
    let (histories, mut broken) = sorted(things.len(), lines);
    let mut checked = 0;
    for (index, (calls, audit)) in histories.iter().zip(audits).enumerate() {
        checked += calls.len() as u64;
        let role = things.get(index).map(|thing| thing.role);
        let verdict = match audit {
            Audit::Unread(problem) => Err(format!("serves_after_heal: {problem}")),
            Audit::Entries(log) => check_log(calls, log).map_err(|broken| broken.to_string()),
            Audit::Count(count) => check_counter(calls, *count),
            Audit::Statement(balance, sent, received) => {
                check_account(calls, *balance, *sent, *received)
            }
        };
        if let Err(problem) = verdict {
            broken.push(format!("object {index}, {role:?}: {problem}"));
        }
    }
    if !all_arrived(audits) {
        broken.push("outbox_exactly_once: what was sent is not what was received".to_owned());
    }
    (checked, broken)
}

/// Whether accounts received in all what they sent in all.
pub(crate) fn all_arrived(audits: &[Audit]) -> bool {
    let mut sums = [0, 0];
    for audit in audits {
        if let Audit::Statement(_, sent, received) = audit {
            sums[0] += sent;
            sums[1] += received;
        }
    }
    sums[0] == sums[1]
}

/// The calls by object, in the order in which they were made.
fn sorted(objects: usize, lines: &[Line]) -> (Vec<Calls>, Vec<String>) {
    let mut histories: Vec<Calls> = (0..objects).map(|_| Calls::default()).collect();
    let (mut of, mut broken) = (BTreeMap::new(), Vec::new());
    for line in lines {
        match *line {
            Line::Begun {
                id,
                object,
                handle,
                what,
                at,
            } => {
                of.insert(id, object);
                if let Some(history) = histories.get_mut(object) {
                    history.invoke(Call {
                        id,
                        handle,
                        operation: Operation(id, what),
                        write: what != What::Read,
                        invoked: Instant::from_micros(at),
                        end: None,
                    });
                }
            }
            Line::Ended {
                id,
                at,
                class,
                witness,
            } => {
                let end = End {
                    at: Instant::from_micros(at),
                    class: told(class),
                    witness: witness.map(|(epoch, version)| Witness { epoch, version }),
                };
                let history = of.get(&id).and_then(|object| histories.get_mut(*object));
                if let Some(Err(anomaly)) = history.map(|history| history.finish(id, end)) {
                    broken.push(anomaly.to_string());
                }
            }
        }
    }
    (histories, broken)
}

const fn told(class: Class) -> Told<(u64, u64)> {
    match class {
        Class::Returned(first, second) => Told::Ok((first, second)),
        Class::NotExecuted => Told::NotExecuted,
        Class::Failed => Told::Failed,
        Class::Executed => Told::Executed,
        Class::Indeterminate => Told::Indeterminate,
    }
}

fn check_log(calls: &Calls, log: &[u64]) -> Result<(), Anomaly> {
    calls.check_effects(log)?;
    witness::check(&Mirror::default(), calls, log)
}

/// Increments return different numbers that grow with time; their number is the counter's.
fn check_counter(calls: &Calls, count: u64) -> Result<(), String> {
    let writes = || calls.calls().filter(|call| call.write);
    let sure = writes().filter(|call| call.acknowledged()).count() as u64;
    let maybe = writes().filter(|call| !call.denied()).count() as u64;
    if !(sure..=maybe).contains(&count) {
        return Err(format!(
            "acknowledged_never_lost: {count} in the end, {sure} to {maybe} increments"
        ));
    }
    let mut seen = BTreeMap::new();
    let mut moments = Vec::new();
    for call in calls.calls() {
        let Some(Told::Ok((number, _))) = call.end.as_ref().map(|end| end.class) else {
            continue;
        };
        if call.write
            && let Some(other) = seen.insert(number, call.id)
        {
            let id = call.id;
            return Err(format!(
                "one_effect_per_call: increments {other} and {id} both returned {number}"
            ));
        }
        let at = call.end.as_ref().map(|end| end.at).unwrap_or_default();
        moments.push((call.invoked, false, number, call));
        moments.push((at, true, number, call));
    }
    moments.sort_by_key(|(at, ended, _, call)| (*at, *ended, call.id));
    let (mut newest, mut floors) = (0, BTreeMap::new());
    for (_, ended, number, call) in moments {
        if !ended {
            floors.insert(call.id, newest);
            continue;
        }
        let floor = floors.get(&call.id).copied().unwrap_or_default();
        if number < floor || call.write && number == floor {
            let id = call.id;
            return Err(format!(
                "no_stale_read: call {id} returned {number}; {floor} had been seen before it"
            ));
        }
        newest = newest.max(number);
    }
    Ok(())
}

/// What an account has follows from what it sent and received, and it sent what it was told to.
fn check_account(calls: &Calls, balance: u64, sent: u64, received: u64) -> Result<(), String> {
    if balance + sent != BALANCE + received {
        return Err(format!(
            "results_of_the_model: {BALANCE} - {sent} + {received} is not {balance}"
        ));
    }
    let amount = |call: &Call<Operation, (u64, u64)>| match call.operation.1 {
        What::Transfer { amount, .. } => amount,
        What::Read | What::Write => 0,
    };
    let sum = |wanted: fn(&Call<Operation, (u64, u64)>) -> bool| -> u64 {
        calls.calls().filter(|call| wanted(call)).map(amount).sum()
    };
    let (sure, maybe) = (sum(Call::acknowledged), sum(|call| !call.denied()));
    if (sure..=maybe).contains(&sent) {
        Ok(())
    } else {
        Err(format!(
            "acknowledged_never_lost: {sent} sent, the callers know of {sure} to {maybe}"
        ))
    }
}

#[cfg(test)]
mod tests;

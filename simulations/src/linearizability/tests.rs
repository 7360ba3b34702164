//! Histories of a register, known ones and random ones.

use super::*;
use crate::seed::{Dice, Seed};

/// A register that is written and read.
struct Register;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Write(u64),
    Read,
}

impl Specification for Register {
    type State = u64;
    type Operation = Operation;
    type Output = u64;

    fn step(state: &u64, operation: &Operation, output: Option<&u64>) -> Option<u64> {
        match operation {
            Operation::Write(value) => Some(*value),
            Operation::Read => output.is_none_or(|seen| seen == state).then_some(*state),
        }
    }
}

type RegisterCall = CallOf<Register>;

const STEPS: u64 = 100_000;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn write(value: u64, from: u64, until: u64) -> RegisterCall {
    Call {
        invoked: at(from),
        returned: Some(at(until)),
        operation: Operation::Write(value),
        output: None,
        optional: false,
    }
}

fn read(seen: u64, from: u64, until: u64) -> RegisterCall {
    Call {
        operation: Operation::Read,
        output: Some(seen),
        ..write(0, from, until)
    }
}

/// A write of which nobody knows whether it took effect, or will.
fn unknown(value: u64, from: u64) -> RegisterCall {
    Call {
        returned: None,
        optional: true,
        ..write(value, from, 0)
    }
}

fn verdict(calls: &[RegisterCall]) -> Verdict {
    check::<Register>(0, calls, STEPS)
}

#[test]
fn calls_at_one_time_may_take_effect_in_any_order() {
    let overlapping = [write(1, 0, 10), write(2, 0, 10), read(1, 11, 12)];
    assert_eq!(verdict(&overlapping), Verdict::Linearizable);
    let touching = [write(1, 0, 10), read(0, 10, 12)];
    assert_eq!(verdict(&touching), Verdict::Linearizable);
    assert_eq!(verdict(&[]), Verdict::Linearizable);
}

#[test]
fn a_stale_read_has_no_place() {
    let stale = [write(1, 0, 10), read(0, 11, 12)];
    assert_eq!(verdict(&stale), Verdict::NotLinearizable);
    let back = [write(1, 0, 10), read(1, 2, 4), read(0, 5, 9)];
    assert_eq!(verdict(&back), Verdict::NotLinearizable);
}

#[test]
fn two_reads_that_see_two_orders_have_no_place() {
    let calls = [
        write(1, 0, 100),
        write(2, 0, 100),
        read(1, 10, 20),
        read(2, 30, 40),
        read(1, 50, 60),
    ];
    assert_eq!(verdict(&calls), Verdict::NotLinearizable);
}

#[test]
fn an_unknown_write_takes_effect_late_or_never_and_once() {
    let late = [unknown(7, 0), read(0, 5, 6), read(7, 100, 101)];
    assert_eq!(verdict(&late), Verdict::Linearizable);
    let never = [unknown(7, 0), read(0, 5, 6)];
    assert_eq!(verdict(&never), Verdict::Linearizable);
    let early = [read(7, 0, 1), unknown(7, 2)];
    assert_eq!(verdict(&early), Verdict::NotLinearizable);
    let twice = [unknown(7, 0), read(7, 5, 6), write(1, 7, 8), read(7, 9, 10)];
    assert_eq!(verdict(&twice), Verdict::NotLinearizable);
}

#[test]
fn a_search_that_is_not_finished_says_so() {
    let calls = [write(1, 0, 10), write(2, 0, 10), read(1, 11, 12)];
    assert_eq!(check::<Register>(0, &calls, 1), Verdict::GaveUp);
}

#[test]
fn a_long_history_takes_one_step_a_call() {
    let mut calls = vec![unknown(u64::MAX, 0)];
    for number in 1..1_000 {
        calls.push(write(number, number * 10, number * 10 + 5));
        calls.push(read(number, number * 10 + 5, number * 10 + 8));
    }
    let steps = 4 * calls.len() as u64;
    assert_eq!(check::<Register>(0, &calls, steps), Verdict::Linearizable);
}

/// Whether any order of any choice of the calls is right: what the search must agree with.
fn brute_force(state: u64, left: &[RegisterCall]) -> bool {
    if left.iter().all(|call| call.optional) {
        return true;
    }
    (0..left.len()).any(|place| {
        let call = &left[place];
        let first = left
            .iter()
            .all(|other| other.returned.is_none_or(|until| call.invoked <= until));
        let after = Register::step(&state, &call.operation, call.output.as_ref());
        let mut rest = left.to_vec();
        rest.remove(place);
        first && after.is_some_and(|after| brute_force(after, &rest))
    })
}

fn any_call(dice: &mut Dice) -> RegisterCall {
    let from = dice.below(12);
    let until = from + dice.below(6);
    let value = dice.below(3);
    match dice.below(5) {
        0..=1 => write(value, from, until),
        2..=3 => read(value, from, until),
        _ => unknown(value, from),
    }
}

#[test]
fn agrees_with_brute_force_on_tiny_histories() {
    let mut counts = [0, 0];
    for seed in 0..20_000 {
        let mut dice = Seed::new(seed).child("tiny histories").dice();
        let calls: Vec<RegisterCall> = (0..dice.between(1, 6))
            .map(|_| any_call(&mut dice))
            .collect();
        let right = brute_force(0, &calls);
        counts[usize::from(right)] += 1;
        let expected = if right {
            Verdict::Linearizable
        } else {
            Verdict::NotLinearizable
        };
        assert_eq!(verdict(&calls), expected, "{calls:?}");
    }
    assert!(counts.iter().all(|count| *count > 2_000), "{counts:?}");
}

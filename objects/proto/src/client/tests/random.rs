//! Many random stories: whatever is lost, refused or taken over, outcomes tell the truth.

use alloc::collections::BTreeMap;
use alloc::string::String;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::world::{World, process};
use crate::machine::Ticket;
use crate::message::{Refusal, Reply};
use crate::outcome::{Cause, Outcome};

#[test]
fn outcomes_tell_the_truth_and_order_is_kept() {
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..300 {
        story(seed, &mut ends);
    }
    for end in ["returned", "not executed", "indeterminate", "withdrawn"] {
        assert!(ends.get(end).is_some_and(|count| *count > 20), "{ends:?}");
    }
}

fn story(seed: u64, ends: &mut BTreeMap<&str, usize>) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new();
    let mut calls: BTreeMap<Ticket, u8> = BTreeMap::new();
    let mut withdrawn = alloc::vec::Vec::new();
    let lossy = dice.next_u32() % 8;
    for step in 0..400u32 {
        if step < 300 && step % 4 == 0 && calls.len() < 60 {
            let argument = u8::try_from(calls.len() + 1).unwrap();
            let ticket = world.write(argument);
            calls.insert(ticket, argument);
            if dice.next_u32() % 16 == 0 {
                world.client.cancel(world.now, ticket, &mut world.fx);
                world.collect();
                withdrawn.push(ticket);
            }
        }
        disturb(&mut world, &mut dice, lossy);
        for _ in 0..dice.next_u32() % 6 {
            if let Some((from, to, message)) = world.wire.pop_front() {
                world.deliver(from, to, message);
            }
        }
        world.tick();
    }
    world.frozen.clear();
    for _ in 0..250 {
        world.tick();
        world.settle();
    }
    assert!(
        !world.client.needs_tick(),
        "seed {seed}: a call never ended"
    );

    let log = world.object.log.clone();
    assert!(
        log.windows(2).all(|pair| pair[0] < pair[1]),
        "seed {seed}: order or repetition {log:?}"
    );
    for (ticket, argument) in calls {
        if withdrawn.contains(&ticket) {
            *ends.entry("withdrawn").or_default() += 1;
            continue;
        }
        let ran = log.contains(&argument);
        let end = match world.outcome(ticket) {
            Outcome::Returned(_) => {
                assert!(ran, "seed {seed}: {argument} did not run");
                "returned"
            }
            Outcome::NotExecuted(_) => {
                assert!(!ran, "seed {seed}: {argument} ran");
                "not executed"
            }
            Outcome::Indeterminate(_) => "indeterminate",
            other => panic!("seed {seed}: {other:?}"),
        };
        *ends.entry(end).or_default() += 1;
    }
}

/// Takeovers, frozen members, cut links, forgotten sessions.
fn disturb(world: &mut World, dice: &mut ChaCha8Rng, lossy: u32) {
    let victim = u8::try_from(dice.next_u32() % 3 + 1).unwrap();
    match dice.next_u32() % 40 {
        0 => world.object.primary = victim,
        1 if lossy < 6 => world.cut(process(victim)),
        2 if lossy > 3 => {
            world.frozen.insert(process(victim));
        }
        3..=5 => world.frozen.clear(),
        6 if lossy == 7 => world.object.sessions.open.clear(),
        7 if !world.requests().is_empty() => {
            let cause = Cause::Overloaded(String::from("queue"));
            world.answer_oldest(Reply::Refused(Refusal::Final(cause)));
        }
        _ => {}
    }
}

//! Users' own kinds in the simulated world: their real code, also async, also calling others.

use std::panic::{AssertUnwindSafe, catch_unwind};

use objects_macros::shared;
use objects_proto::context::Context;
use objects_proto::error::CallError;
use objects_proto::outcome::Cause;
use objects_proto::reference::Ref;
use objects_proto::register::Mutation;
use overlay_proto::Duration;
use serde::{Deserialize, Serialize};
use simulations::trial::{Client, Trial};

#[derive(Serialize, Deserialize)]
struct Tally {
    count: u64,
    sum: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Odd;

#[shared(crate = objects_proto)]
impl Tally {
    fn add(&mut self, by: u64) -> Result<u64, Odd> {
        self.count += 1;
        self.sum += by;
        if by % 2 == 1 {
            return Err(Odd);
        }
        Ok(self.sum)
    }

    async fn add_slowly(&mut self, cx: &Context, by: u64) -> u64 {
        self.count += 1;
        cx.sleep(Duration::from_millis(50)).await;
        self.sum += 2 * by;
        self.sum
    }

    /// Asks another object while it waits.
    async fn add_of(&mut self, cx: &Context, other: Ref<Tally>) -> Result<u64, Odd> {
        let (_, sum) = cx.get(other).totals().await.map_err(|_| Odd)?;
        self.count += 1;
        self.sum += 2 * sum;
        Ok(sum)
    }

    fn panic(&mut self) {
        self.sum += 1;
        panic!("on purpose");
    }

    fn totals(&self) -> (u64, u64) {
        (self.count, self.sum)
    }
}

type Pair = (Ref<Tally>, Ref<Tally>);

async fn two_tallies(client: Client) -> Result<Pair, Cause> {
    let empty = || Tally { count: 0, sum: 0 };
    let first = client.create(empty()).await?;
    let second = client.create(empty()).await?;
    Ok((Ref::from(&first), Ref::from(&second)))
}

async fn add(client: Client, (first, second): Pair) {
    let tally = client.get(first.clone());
    let by = client.random() % 100;
    match client.random() % 5 {
        0 => drop(tally.add_slowly(by).await),
        1 => drop(tally.add_of(second).await),
        2 => drop(tally.panic().await),
        _ => drop(tally.add(by).await),
    }
    drop(client.get(first).totals().await);
}

async fn is_even(client: Client, (first, _): Pair) -> Result<(), String> {
    let totals = client.get(first).totals().await;
    let (_, sum) = totals.map_err(|error| error.to_string())?;
    if sum % 2 == 0 {
        Ok(())
    } else {
        Err(format!("the sum is {sum}"))
    }
}

fn tallies() -> Trial<Pair> {
    let trial = Trial::new("tallies", two_tallies);
    trial.host::<Tally>().clients(4, add)
}

#[test]
fn promises_and_invariants_of_a_program_hold_under_faults() {
    let totals = tallies()
        .invariant("failed calls change nothing", is_even)
        .seeds(0..20)
        .check();
    for reached in [
        "crashes",
        "cuts",
        "takeovers",
        "reconfigurations",
        "invariants judged",
    ] {
        assert!(
            totals.get(reached).is_some_and(|count| *count > 0),
            "{totals:?}"
        );
    }
    assert!(totals["calls returned"] > 1_000, "{totals:?}");
}

#[test]
fn the_same_seeds_give_the_same_runs() {
    let totals = || tallies().seeds(3..6).check();
    assert_eq!(totals(), totals());
}

#[test]
fn an_invariant_that_does_not_hold_fails_with_its_seed() {
    async fn never_counted(client: Client, (first, _): Pair) -> Result<(), String> {
        match client.get(first).totals().await {
            Ok((0, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
    let trial = tallies().invariant("nothing was counted", never_counted);
    let message = failure(trial.seeds(0..3));
    for part in ["VIOLATED: invariant", "nothing was counted", "PYDO_SEED="] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn promises_that_are_broken_are_noticed() {
    let broken = [
        (Mutation::RepeatsRun, "one_effect_per_call", 0),
        (Mutation::QuorumOneLess, "acknowledged_never_lost", 5),
    ];
    for (rule, promise, first) in broken {
        let message = failure(tallies().broken(rule).seeds(first..500));
        let violated = format!("VIOLATED: {promise}");
        assert!(message.contains(&violated), "{rule:?}: {message}");
    }
}

#[test]
fn a_setup_that_fails_is_told() {
    async fn nothing(client: Client) -> Result<Pair, CallError<Odd>> {
        drop(client);
        Err(CallError::Executed)
    }
    let message = failure(Trial::new("nothing", nothing).seeds(0..1));
    assert!(message.contains("VIOLATED: setup"), "{message}");
}

fn failure<S: Clone + Send + Sync + 'static>(trial: Trial<S>) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| trial.check())).expect_err("it fails");
    *failed.downcast::<String>().expect("a report")
}

//! Methods that call other objects, wait, and take their time.

use std::sync::Arc;
use std::time::Duration;

use objects_macros::shared;
use objects_proto::context::Context;
use objects_proto::error::{CallError, MethodFailure};
use objects_proto::outcome::Cause;
use objects_proto::reference::Ref;
use serde::{Deserialize, Serialize};

use crate::world::{CALLER, World};

#[derive(Serialize, Deserialize)]
struct Account {
    balance: u64,
    partner: Option<Ref<Account>>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Refused {
    TooLittle,
}

#[shared(crate = objects_proto, name = "bank.Account", get(balance: u64))]
impl Account {
    /// Adds `amount`.
    pub(crate) fn deposit(&mut self, amount: u64, memo: &str) -> u64 {
        self.note(memo);
        self.balance += amount;
        self.balance
    }

    /// Moves `amount` to `to`, exactly once.
    pub(crate) fn transfer(
        &mut self,
        cx: &Context,
        to: Ref<Account>,
        amount: u64,
    ) -> Result<u64, Refused> {
        cx.after_commit(cx.get(to).deposit(amount, "transfer"));
        self.balance = self.balance.checked_sub(amount).ok_or(Refused::TooLittle)?;
        Ok(self.balance)
    }

    fn peek_and_transfer(&self, cx: &Context, to: Ref<Account>) -> u64 {
        cx.after_commit(cx.get(to).deposit(1, "from a read"));
        self.balance
    }

    fn flood(&mut self, cx: &Context, to: &Ref<Account>, calls: u32) {
        for _ in 0..calls {
            cx.after_commit(cx.get(to.clone()).deposit(1, "drop"));
        }
        self.balance = 0;
    }

    fn befriend(&mut self, partner: Ref<Account>) {
        self.partner = Some(partner);
    }

    /// Takes from the partner and adds here, one after the other.
    async fn draw(&mut self, cx: &Context, amount: u64) -> Result<u64, String> {
        let partner = cx.get(self.partner.clone().ok_or("no partner")?);
        let left = partner
            .withdraw(amount)
            .await
            .map_err(|error| error.to_string())?;
        cx.sleep(Duration::from_millis(10)).await;
        self.balance += amount;
        Ok(left)
    }

    fn withdraw(&mut self, amount: u64) -> Result<u64, Refused> {
        self.balance = self.balance.checked_sub(amount).ok_or(Refused::TooLittle)?;
        Ok(self.balance)
    }

    async fn dawdle(&mut self, cx: &Context, duration: Duration) -> u64 {
        self.balance = 0;
        cx.sleep(duration).await;
        self.balance
    }

    async fn stumble(&mut self, cx: &Context) {
        self.balance = 0;
        cx.sleep(Duration::from_millis(1)).await;
        panic!("over a stone");
    }

    fn who(&self, cx: &Context) -> (bool, Ref<Account>, u64) {
        (cx.caller() == CALLER, cx.me(), cx.random())
    }

    #[local]
    fn note(&mut self, memo: &str) {
        assert!(!memo.is_empty(), "a memo says something");
    }
}

fn accounts(left: u64, right: u64) -> (Arc<World>, AccountProxy, AccountProxy) {
    let world = World::new(|kinds| kinds.register::<Account>().unwrap());
    let left = world.create(&Account {
        balance: left,
        partner: None,
    });
    let right = world.create(&Account {
        balance: right,
        partner: None,
    });
    (world, left, right)
}

fn balances(world: &World, left: &AccountProxy, right: &AccountProxy) -> (u64, u64) {
    world.block_on(async {
        (
            left.balance().await.unwrap(),
            right.balance().await.unwrap(),
        )
    })
}

#[test]
fn a_call_after_commit_is_delivered_if_the_method_succeeds() {
    let (world, left, right) = accounts(100, 0);
    assert_eq!(world.block_on(left.transfer(Ref::from(&right), 30)), Ok(70));
    assert_eq!(balances(&world, &left, &right), (70, 30));
}

#[test]
fn a_call_after_commit_is_not_delivered_if_the_method_fails() {
    let (world, left, right) = accounts(20, 0);
    let failed = world.block_on(left.transfer(Ref::from(&right), 30));
    assert_eq!(
        failed,
        Err(CallError::Failed(MethodFailure::Returned(
            Refused::TooLittle
        )))
    );
    assert_eq!(balances(&world, &left, &right), (20, 0));
}

#[test]
fn a_read_commits_nothing_to_call_after() {
    let (world, left, right) = accounts(20, 0);
    let failed = world
        .block_on(left.peek_and_transfer(Ref::from(&right)))
        .unwrap_err();
    assert!(
        failed
            .to_string()
            .contains("`peek_and_transfer` takes `&self`"),
        "{failed}"
    );
    assert_eq!(balances(&world, &left, &right), (20, 0));
}

#[test]
fn too_many_calls_after_commit_undo_the_method() {
    let (world, left, right) = accounts(20, 0);
    let refused = world
        .block_on(left.flood(&Ref::from(&right), 65))
        .unwrap_err();
    assert!(matches!(
        refused,
        CallError::NotExecuted(Cause::TooLarge { .. })
    ));
    assert_eq!(balances(&world, &left, &right), (20, 0));
    world.block_on(left.flood(&Ref::from(&right), 64)).unwrap();
    assert_eq!(balances(&world, &left, &right), (0, 64));
}

#[test]
fn an_async_method_calls_another_object_and_waits_for_it() {
    let (world, left, right) = accounts(5, 50);
    world.block_on(async {
        left.befriend(Ref::from(&right)).await.unwrap();
        assert_eq!(left.draw(20).timeout(Duration::from_secs(2)).await, Ok(30));
    });
    assert_eq!(balances(&world, &left, &right), (25, 30));

    let calls = world.calls();
    let withdraw = &calls[2];
    let parent = withdraw
        .parent
        .as_ref()
        .expect("it says which call it is nested in");
    assert_eq!(parent.chain.holds, [Ref::from(&left).id()]);
    assert_eq!(parent.ordinal, 0);
    assert!(
        withdraw.timeout <= Duration::from_secs(2),
        "it waits no longer than its caller"
    );
}

#[test]
fn the_error_of_a_nested_call_is_the_methods_to_judge() {
    let (world, left, right) = accounts(5, 10);
    let failed = world.block_on(async {
        left.befriend(Ref::from(&right)).await.unwrap();
        left.draw(20).await.unwrap_err()
    });
    assert!(failed.returned().unwrap().contains("TooLittle"));
    assert_eq!(balances(&world, &left, &right), (5, 10));
}

#[test]
fn an_async_method_is_stopped_at_its_deadline_and_undone() {
    let (world, left, right) = accounts(5, 0);
    world.block_on(async {
        let late = left
            .dawdle(Duration::from_secs(5))
            .timeout(Duration::from_secs(1))
            .await;
        assert_eq!(late, Err(CallError::Failed(MethodFailure::Deadline)));
        assert_eq!(left.balance().await, Ok(5));
        assert_eq!(
            left.dawdle(Duration::from_secs(5)).await,
            Ok(0),
            "ten seconds are enough"
        );
    });
    assert_eq!(balances(&world, &left, &right), (0, 0));
}

#[test]
fn a_panic_in_the_middle_of_an_async_method_is_undone() {
    let (world, left, right) = accounts(5, 0);
    let failed = world.block_on(left.stumble());
    let panicked = MethodFailure::Panicked("over a stone".to_owned());
    assert_eq!(failed, Err(CallError::Failed(panicked)));
    assert_eq!(balances(&world, &left, &right), (5, 0));
}

#[test]
fn a_method_knows_its_caller_and_itself() {
    let (world, left, _) = accounts(5, 0);
    let (called, me, random) = world.block_on(left.who()).unwrap();
    assert!(called);
    assert_eq!((me, random), (Ref::from(&left), 4));
}

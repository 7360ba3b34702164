//! Calls from methods: awaited ones, and those recorded until after the commit.

use std::time::Duration;

use objects::{CallError, Context, Event, MethodFailure, Node, Ref, shared};
use serde::{Deserialize, Serialize};

use crate::harness::{start, until};

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TooLittle;

#[shared]
impl Account {
    fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    fn balance(&self) -> u64 {
        self.balance
    }

    /// Moves money once its own withdrawal is safe.
    fn transfer(&mut self, cx: &Context, to: Ref<Account>, amount: u64) -> Result<u64, TooLittle> {
        cx.after_commit(cx.get(to).deposit(amount));
        self.balance = self.balance.checked_sub(amount).ok_or(TooLittle)?;
        Ok(self.balance)
    }

    /// Asks another account while it runs.
    async fn sum(&self, cx: &Context, other: Ref<Account>) -> u64 {
        self.balance + cx.get(other).balance().await.unwrap_or_default()
    }

    /// Waits for another account's write, which may wait for this one's.
    async fn push(&mut self, cx: &Context, to: Ref<Account>, back: Option<Ref<Account>>) -> bool {
        cx.sleep(Duration::from_millis(200)).await;
        match back {
            Some(back) => cx.get(to).push(back, None).await.is_ok(),
            None => cx.get(to).deposit(1).await.is_ok(),
        }
    }
}

async fn two_accounts(node: &Node) -> (Ref<Account>, Ref<Account>) {
    let account = async |balance| {
        let account = node.create(Account { balance }).await.expect("an account");
        Ref::from(&account)
    };
    (account(100).await, account(0).await)
}

#[tokio::test]
async fn a_transfer_arrives_once_and_a_refused_one_never() {
    let nodes = start(3, |builder| builder.host::<Account>()).await;
    let (from, to) = two_accounts(&nodes[0]).await;
    let (payer, payee) = (nodes[1].get(from), nodes[2].get(to.clone()));
    for left in (0..10).rev() {
        assert_eq!(payer.transfer(to.clone(), 10).await.unwrap(), left * 10);
    }
    let refused = payer.transfer(to, 10).await.unwrap_err();
    assert_eq!(
        refused,
        CallError::Failed(MethodFailure::Returned(TooLittle))
    );
    until("everything arrives", || async {
        payee.balance().await.unwrap() >= 100
    })
    .await;
    assert_eq!(
        (
            payer.balance().await.unwrap(),
            payee.balance().await.unwrap()
        ),
        (0, 100)
    );
}

#[tokio::test]
async fn a_method_awaits_a_call_of_another_object() {
    let nodes = start(2, |builder| builder.host::<Account>()).await;
    let (one, other) = two_accounts(&nodes[0]).await;
    nodes[0].get(other.clone()).deposit(11).await.unwrap();
    assert_eq!(nodes[1].get(one).sum(other).await.unwrap(), 111);
}

#[tokio::test]
async fn a_call_that_waits_for_itself_ends_early() {
    let nodes = start(1, |builder| builder.host::<Account>()).await;
    let (one, other) = two_accounts(&nodes[0]).await;
    let pushed = nodes[0]
        .get(one.clone())
        .push(other.clone(), Some(one.clone()));
    let inner = pushed
        .timeout(Duration::from_secs(30))
        .await
        .expect("the outer call returns");
    assert!(
        inner,
        "the middle call returned; only the innermost, the circle's, failed"
    );
    assert_eq!(
        nodes[0].get(one).balance().await.unwrap(),
        100,
        "nothing was deposited"
    );
}

#[tokio::test]
async fn crossing_calls_do_not_wait_for_each_other_for_ever() {
    let nodes = start(2, |builder| builder.host::<Account>()).await;
    let (one, other) = two_accounts(&nodes[0]).await;
    let timeout = Duration::from_secs(30);
    let there = nodes[0]
        .get(one.clone())
        .push(other.clone(), None)
        .timeout(timeout);
    let back = nodes[1].get(other).push(one, None).timeout(timeout);
    let begun = std::time::Instant::now();
    let (there, back) = tokio::join!(there, back);
    assert!(
        begun.elapsed() < timeout / 2,
        "a deadlock is found long before the deadline"
    );
    assert!(
        there.unwrap() || back.unwrap(),
        "at least one of them got through"
    );
}

#[tokio::test]
async fn nested_calls_survive_the_loss_of_the_outer_primary() {
    let mut nodes = start(4, |builder| builder.host::<Account>()).await;
    let (from, to) = two_accounts(&nodes[0]).await;
    let description = nodes[0].inspect(&from).await.unwrap();
    let primary = description
        .configuration
        .process(description.ballot.member)
        .unwrap();
    let lost = nodes.iter().position(|node| node.id() == primary).unwrap();
    let caller = nodes[(lost + 1) % 4].clone();
    let mut events = caller.events();
    let payer = caller.get(from);
    assert_eq!(payer.transfer(to.clone(), 60).await.unwrap(), 40);
    drop(nodes.remove(lost));
    let payee = caller.get(to);
    until("the transfer arrives", || async {
        payee.balance().await.unwrap_or(0) >= 60
    })
    .await;
    assert_eq!(
        (
            payer.balance().await.unwrap(),
            payee.balance().await.unwrap()
        ),
        (40, 60)
    );
    let lost = async { while !matches!(events.next().await, Some(Event::Lost { .. })) {} };
    tokio::time::timeout(crate::harness::PATIENCE, lost)
        .await
        .expect("the loss is told");
}

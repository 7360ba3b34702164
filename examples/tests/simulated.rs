//! The bank in the simulated world: the same kind as in `bank.rs`, its hosts failing.

use examples::bank::Account;
use objects::{CallError, Cause, Ref};
use simulations::trial::{Client, Trial};

type Accounts = Vec<Ref<Account>>;

/// What each of the four accounts has to begin with.
const START: u64 = 100;

async fn open(client: Client) -> Result<Accounts, Cause> {
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(Ref::from(&client.create(Account::with(START)).await?));
    }
    Ok(accounts)
}

/// Moves some money, or fails to: both are fine, as long as none appears or vanishes.
async fn transfer(client: Client, accounts: Accounts) {
    let (Some(from), Some(to)) = (client.pick(&accounts), client.pick(&accounts)) else {
        return;
    };
    let amount = client.random() % 60;
    let moved = client.get(from.clone()).transfer(to.clone(), amount).await;
    drop(moved);
}

async fn balanced(client: Client, accounts: Accounts) -> Result<(), String> {
    let (mut balances, mut sent, mut received) = (0, 0, 0);
    for account in &accounts {
        let statement = client.get(account.clone()).statement().await;
        let statement = statement.map_err(|error: CallError| error.to_string())?;
        balances += statement.0;
        sent += statement.1;
        received += statement.2;
    }
    if balances + sent - received == START * accounts.len() as u64 && sent == received {
        return Ok(());
    }
    Err(format!(
        "balances {balances}, sent {sent}, received {received}"
    ))
}

#[test]
fn money_is_neither_made_nor_lost() {
    Trial::new("bank", open)
        .host::<Account>()
        .clients(4, transfer)
        .invariant("balances stay, and all that was sent arrives", balanced)
        .seeds(0..30)
        .check();
}

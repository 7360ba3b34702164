//! Transfers between accounts, each of them an object of its own, on several peers.
//!
//! A transfer takes the money and records the deposit with `after_commit`: the deposit is part of
//! the state that is replicated, and is delivered once afterwards, also across a failover.
//! So balances + money in flight never change.

use std::time::Duration;

use examples::bank::Account;
use objects::{Node, Ref};

#[tokio::main]
async fn main() -> objects::Result<()> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(
            Node::builder()
                .cluster(cluster())
                .host::<Account>()
                .start()
                .await?,
        );
    }
    let node = &nodes[0];
    wait_for_hosts(node, nodes.len()).await;
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(node.create(Account::with(100)).await?);
    }
    let mut refused = 0;
    for round in 0_u64..40 {
        let from = (round % 4) as usize;
        let to = Ref::from(&accounts[((round * 7 + 1) % 4) as usize]);
        match accounts[from].transfer(to, round % 60).await {
            Ok(_) => {}
            Err(error) => {
                refused += 1;
                println!("transfer {round}: {error}");
            }
        }
    }
    loop {
        let (mut balances, mut sent, mut received) = (0, 0, 0);
        for account in &accounts {
            let statement = account.statement().await?;
            balances += statement.0;
            sent += statement.1;
            received += statement.2;
        }
        println!("balances {balances} + in flight {} = 400?", sent - received);
        if sent == received {
            assert_eq!(balances, 400, "money was made or lost");
            println!("all arrived; {refused} transfers were refused");
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for node in nodes {
        node.shutdown().await?;
    }
    Ok(())
}

/// A cluster of this program alone.
fn cluster() -> String {
    format!("bank-{}", std::process::id())
}

async fn wait_for_hosts(node: &Node, hosts: usize) {
    let mut watch = node.watch();
    while node.members().hosts().count() < hosts {
        watch.changed().await.ok();
    }
}

//! The kind of the bank: an account, each of them an object of its own.

use objects::{Context, Ref, shared};
use serde::{Deserialize, Serialize};

/// An account: what it has, and what it ever sent and received.
#[derive(Serialize, Deserialize)]
pub struct Account {
    balance: u64,
    sent: u64,
    received: u64,
}

/// Why no money was moved.
#[derive(Debug, Serialize, Deserialize)]
pub enum Refused {
    /// The account does not have so much.
    TooLittle {
        /// What it has.
        balance: u64,
    },
}

#[shared]
impl Account {
    /// An account that has this much to begin with.
    #[local]
    pub fn with(balance: u64) -> Self {
        Self {
            balance,
            sent: 0,
            received: 0,
        }
    }

    /// Moves `amount` to `to`, exactly once.
    pub fn transfer(
        &mut self,
        cx: &Context,
        to: Ref<Account>,
        amount: u64,
    ) -> Result<u64, Refused> {
        let Some(rest) = self.balance.checked_sub(amount) else {
            return Err(Refused::TooLittle {
                balance: self.balance,
            });
        };
        self.balance = rest;
        self.sent += amount;
        cx.after_commit(cx.get(to).deposit(amount));
        Ok(self.balance)
    }

    /// Takes the money that a transfer recorded.
    pub fn deposit(&mut self, amount: u64) {
        self.balance += amount;
        self.received += amount;
    }

    /// The balance, what was sent and what was received.
    pub fn statement(&self) -> (u64, u64, u64) {
        (self.balance, self.sent, self.received)
    }
}

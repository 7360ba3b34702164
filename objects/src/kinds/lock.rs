//! A lock with fencing tokens.

use std::time::Duration;

use crate::{Context, shared};
use serde::{Deserialize, Serialize};

/// A lock that processes take in turn, with fencing tokens.
///
/// Time limits are measured by the clock of the peer that runs the object; after a failover by
/// another one's, so they are as good as the peers' clocks agree. **The token is what protects**:
/// it grows with every new holder, so whatever the lock protects should remember the highest
/// token seen and refuse lower ones. Then a holder that was paused beyond its time limit does no
/// harm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lock {
    holder: Option<Holder>,
    last_token: u64,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name that it gave.
    pub owner: String,
    /// Its fencing token: higher than any given before.
    pub token: u64,
    /// When its time ends, microseconds of the primary's clock; `None`: not by time.
    pub until: Option<u64>,
}

/// The lock is held by somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the lock is held by `{owner}`")]
pub struct Held {
    /// The holder's name.
    pub owner: String,
}

#[shared]
impl Lock {
    /// Takes the lock for `owner`, for `ttl_ms` milliseconds (until released without it), and
    /// returns the fencing token. A holder that asks again keeps its token and starts its time
    /// anew.
    pub fn acquire(&mut self, cx: &Context, owner: &str, ttl_ms: Option<u64>) -> Result<u64, Held> {
        self.take(
            cx.now().as_micros(),
            owner,
            ttl_ms.map(Duration::from_millis),
        )
    }

    /// Gives the lock back; says whether `owner` held it with this token.
    pub fn release(&mut self, owner: &str, token: u64) -> bool {
        let held = |holder: &Holder| holder.owner == owner && holder.token == token;
        let release = self.holder.as_ref().is_some_and(held);
        if release {
            self.holder = None;
        }
        release
    }

    /// Who holds the lock now.
    pub fn holder(&self, cx: &Context) -> Option<Holder> {
        self.holder_at(cx.now().as_micros()).cloned()
    }
}

impl Lock {
    fn take(&mut self, now: u64, owner: &str, ttl: Option<Duration>) -> Result<u64, Held> {
        let token = match self.holder_at(now) {
            Some(holder) if holder.owner == owner => holder.token,
            Some(holder) => {
                return Err(Held {
                    owner: holder.owner.clone(),
                });
            }
            None => self.last_token + 1,
        };
        let micros = |ttl: Duration| u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX);
        let until = ttl.map(|ttl| now.saturating_add(micros(ttl)));
        self.last_token = token;
        self.holder = Some(Holder {
            owner: owner.to_owned(),
            token,
            until,
        });
        Ok(token)
    }

    fn holder_at(&self, now: u64) -> Option<&Holder> {
        self.holder
            .as_ref()
            .filter(|holder| holder.until.is_none_or(|until| now < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Option<Duration> = Some(Duration::from_secs(1));

    #[test]
    fn tokens_grow_with_every_holder_and_expiry_frees_the_lock() {
        let mut lock = Lock::default();
        assert_eq!(lock.take(0, "a", SECOND), Ok(1));
        assert_eq!(
            lock.take(999_999, "b", None),
            Err(Held { owner: "a".into() })
        );
        assert_eq!(lock.take(1_000_000, "b", None), Ok(2));
        assert!(!lock.release("a", 1), "the lock is no longer its own");
        assert!(lock.release("b", 2));
        assert_eq!(lock.take(1_000_001, "a", None), Ok(3));
    }

    #[test]
    fn a_holder_that_asks_again_keeps_its_token() {
        let mut lock = Lock::default();
        assert_eq!(lock.take(0, "a", SECOND), Ok(1));
        assert_eq!(lock.take(900_000, "a", SECOND), Ok(1));
        assert!(
            lock.take(1_500_000, "b", None).is_err(),
            "its time started anew"
        );
    }
}

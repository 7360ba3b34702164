//! Callers: one for each object, whose handle it keeps.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use examples::bank::{Account, AccountProxy};
use objects::kinds::{Counter, CounterProxy};
use objects::proto::call::Traced;
use objects::{CallError, Node, Ref};
use simulations::seed::{Dice, Seed};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::history::{Class, Line, Recorder, What, now};
use crate::kinds::{LeasedLog, LeasedLogProxy, Log, LogProxy};
use crate::task::{Role, Thing};

/// Mean pause of a caller between two calls.
const PACE: Duration = Duration::from_millis(100);
/// How often a caller makes its next call before the one before it has ended.
const PIPELINED: f64 = 0.2;
/// Deadlines of calls, milliseconds.
const DEADLINE_MS: [u64; 2] = [1_000, 6_000];

/// The callers of one process.
pub(super) struct Workers {
    node: Node,
    recorder: std::sync::Arc<Recorder>,
    number: u64,
    seed: Seed,
    rest: watch::Sender<bool>,
    running: Mutex<JoinSet<()>>,
}

impl Workers {
    pub(super) fn new(node: Node, recorder: Recorder, number: u64, seed: u64) -> Self {
        Self {
            node,
            recorder: std::sync::Arc::new(recorder),
            number,
            seed: Seed::new(seed),
            rest: watch::Sender::new(false),
            running: Mutex::default(),
        }
    }

    /// Begins to call these objects.
    pub(super) fn work(&self, things: &[Thing]) {
        let accounts: Vec<(usize, Ref<Account>)> = things
            .iter()
            .enumerate()
            .filter(|(_, thing)| thing.role == Role::Account)
            .map(|(index, thing)| (index, Ref::from_raw(thing.reference.clone())))
            .collect();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, thing) in things.iter().enumerate() {
            let caller = Caller {
                object: index,
                handle: self.number << 16 | index as u64,
                calls: 0,
                proxy: Proxy::of(&self.node, thing),
                accounts: accounts.clone(),
                recorder: self.recorder.clone(),
                dice: self.seed.child("caller").nth(index as u64).dice(),
            };
            running.spawn(caller.run(self.rest.subscribe()));
        }
    }

    /// Ends all callers, each after its last call.
    pub(super) async fn rest(&self) {
        self.rest.send_replace(true);
        let taken = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *running)
        };
        taken.join_all().await;
    }
}

enum Proxy {
    Log(LogProxy),
    LeasedLog(LeasedLogProxy),
    Counter(CounterProxy),
    Account(AccountProxy),
}

impl Proxy {
    fn of(node: &Node, thing: &Thing) -> Self {
        let raw = thing.reference.clone();
        match thing.role {
            Role::Log => Self::Log(node.get(Ref::<Log>::from_raw(raw))),
            Role::LeasedLog => Self::LeasedLog(node.get(Ref::<LeasedLog>::from_raw(raw))),
            Role::Counter => Self::Counter(node.get(Ref::<Counter>::from_raw(raw))),
            Role::Account => Self::Account(node.get(Ref::<Account>::from_raw(raw))),
        }
    }
}

struct Caller {
    object: usize,
    handle: u64,
    calls: u64,
    proxy: Proxy,
    accounts: Vec<(usize, Ref<Account>)>,
    recorder: std::sync::Arc<Recorder>,
    dice: Dice,
}

/// A call that is yet to be made.
struct Call {
    id: u64,
    what: What,
    within: Duration,
}

impl Caller {
    async fn run(mut self, mut rest: watch::Receiver<bool>) {
        loop {
            let pause = self.dice.exponential(PACE);
            let rested = tokio::time::timeout(pause, rest.wait_for(|rest| *rest))
                .await
                .is_ok();
            if rested {
                return;
            }
            let first = self.draw();
            if self.dice.chance(PIPELINED) {
                let second = self.draw();
                tokio::join!(self.make(first), self.make(second));
            } else {
                self.make(first).await;
            }
        }
    }

    fn draw(&mut self) -> Call {
        self.calls += 1;
        let others = self.accounts.len().saturating_sub(1);
        let what = match self.proxy {
            _ if self.dice.chance(0.4) => What::Read,
            Proxy::Account(_) if others > 0 => {
                let mut to = self.accounts[self.dice.index(others)].0;
                if to == self.object {
                    to = self.accounts[others].0;
                }
                let amount = self.dice.between(1, 20);
                What::Transfer { amount, to }
            }
            _ => What::Write,
        };
        let [low, high] = DEADLINE_MS;
        Call {
            id: self.handle << 24 | self.calls,
            what,
            within: Duration::from_millis(self.dice.between(low, high)),
        }
    }

    async fn make(&self, call: Call) {
        let Call { id, what, within } = call;
        self.recorder.write(&Line::Begun {
            id,
            object: self.object,
            handle: self.handle,
            what,
            at: now(),
        });
        let (class, witness) = self.carry_out(id, what, within).await;
        self.recorder.write(&Line::Ended {
            id,
            at: now(),
            class,
            witness,
        });
    }

    async fn carry_out(
        &self,
        id: u64,
        what: What,
        within: Duration,
    ) -> (Class, Option<(u64, u64)>) {
        match (&self.proxy, what) {
            (Proxy::Log(log), What::Read) => pair(log.read().timeout(within).traced().await),
            (Proxy::Log(log), _) => pair(log.append(id).timeout(within).traced().await),
            (Proxy::LeasedLog(log), What::Read) => pair(log.read().timeout(within).traced().await),
            (Proxy::LeasedLog(log), _) => pair(log.append(id).timeout(within).traced().await),
            (Proxy::Counter(counter), What::Read) => {
                ended(counter.count().timeout(within).traced().await, |count| {
                    (count, 0)
                })
            }
            (Proxy::Counter(counter), _) => {
                let raised = counter.increment(1).timeout(within).traced().await;
                ended(raised, |count| (count, 0))
            }
            (Proxy::Account(account), What::Transfer { amount, to }) => {
                let to = self.accounts.iter().find(|(index, _)| *index == to);
                let Some((_, to)) = to else {
                    return (Class::NotExecuted, None);
                };
                let moved = account.transfer(to.clone(), amount).timeout(within);
                ended(moved.traced().await, |balance| (balance, 0))
            }
            (Proxy::Account(account), _) => {
                let statement = account.statement().timeout(within).traced().await;
                ended(statement, |(balance, sent, _)| (balance, sent))
            }
        }
    }
}

fn pair(traced: Traced<(u64, u64)>) -> (Class, Option<(u64, u64)>) {
    ended(traced, |pair| pair)
}

fn ended<T, E>(
    (outcome, witness): Traced<T, E>,
    numbers: impl FnOnce(T) -> (u64, u64),
) -> (Class, Option<(u64, u64)>) {
    let class = match outcome {
        Ok(value) => {
            let (first, second) = numbers(value);
            Class::Returned(first, second)
        }
        Err(CallError::NotExecuted(_)) => Class::NotExecuted,
        Err(CallError::Failed(_)) => Class::Failed,
        Err(CallError::Executed) => Class::Executed,
        Err(CallError::Indeterminate(_)) => Class::Indeterminate,
    };
    let witness = witness.map(|witness| (witness.epoch.number, witness.version.0));
    (class, witness)
}

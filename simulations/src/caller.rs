//! A process of the world as proxies and methods see it: commands go out, answers come in, and
//! whoever waits is polled again.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use objects_proto::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use objects_proto::machine::{Command, Ticket};
use objects_proto::message::Description;
use objects_proto::outcome::Cause;
use objects_proto::reference::RawRef;
use overlay_proto::{Duration, Instant};

use crate::seed::{Dice, Seed};

/// A machine's answer to a ticket.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To a creation.
    Created(Result<RawRef, Cause>),
    /// To a call or a deletion.
    Completed(Completion),
    /// To an inspection.
    Inspected(Result<Description, Cause>),
}

/// What proxies of one process are bound to. The environment carries its commands to the
/// machine and the machine's answers back, and polls the futures that wait.
#[derive(Clone, Debug)]
pub struct SimCaller {
    desk: Arc<Mutex<Desk>>,
}

#[derive(Debug)]
struct Desk {
    now: Instant,
    commands: Vec<Command>,
    sleeps: Vec<Duration>,
    answers: BTreeMap<Ticket, Answer>,
    tickets: u64,
    handles: u64,
    dice: Dice,
}

impl SimCaller {
    /// A process without calls; `seed` is for its methods' random numbers.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            desk: Arc::new(Mutex::new(Desk {
                now: Instant::ZERO,
                commands: Vec::new(),
                sleeps: Vec::new(),
                answers: BTreeMap::new(),
                tickets: 0,
                handles: 0,
                dice: seed.child("caller").dice(),
            })),
        }
    }

    /// The time that waiting futures see from now on.
    pub fn set_now(&self, now: Instant) {
        self.desk().now = now;
    }

    /// Takes in an answer; whoever waits for it gets it when polled.
    pub fn answer(&self, ticket: Ticket, answer: Answer) {
        self.desk().answers.insert(ticket, answer);
    }

    /// The commands for the machine since the last time, in order.
    #[must_use]
    pub fn take_commands(&self) -> Vec<Command> {
        std::mem::take(&mut self.desk().commands)
    }

    /// After how long to poll again, since the last time.
    #[must_use]
    pub fn take_sleeps(&self) -> Vec<Duration> {
        std::mem::take(&mut self.desk().sleeps)
    }

    /// Gives the machine a command, and waits for the answer that `pick` takes.
    pub fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(Ticket) -> Command,
        pick: fn(Answer) -> Option<T>,
    ) -> BoxFuture<'static, T> {
        let ticket = {
            let mut desk = self.desk();
            desk.tickets += 1;
            let ticket = Ticket(desk.tickets);
            desk.commands.push(command(ticket));
            ticket
        };
        Box::pin(Waiting {
            desk: self.desk.clone(),
            ticket,
            pick,
            answered: false,
        })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        locked(&self.desk)
    }
}

fn locked(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for an answer. Dropped before, it cancels its ticket.
struct Waiting<T> {
    desk: Arc<Mutex<Desk>>,
    ticket: Ticket,
    pick: fn(Answer) -> Option<T>,
    answered: bool,
}

impl<T> Future for Waiting<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let answer = locked(&self.desk).answers.remove(&self.ticket);
        match answer.and_then(self.pick) {
            Some(answer) => {
                self.answered = true;
                Poll::Ready(answer)
            }
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if !self.answered {
            let command = Command::Cancel(self.ticket);
            locked(&self.desk).commands.push(command);
        }
    }
}

impl Caller for SimCaller {
    fn open_handle(&self) -> HandleId {
        let mut desk = self.desk();
        desk.handles += 1;
        HandleId(desk.handles)
    }

    fn release_handle(&self, handle: HandleId) {
        self.desk().commands.push(Command::Release(handle));
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Completion> {
        let command = |ticket| Command::Invoke { ticket, invocation };
        self.ask(command, |answer| match answer {
            Answer::Completed(completion) => Some(completion),
            _ => None,
        })
    }

    fn now(&self) -> Instant {
        self.desk().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut desk = self.desk();
        desk.sleeps.push(duration);
        let (until, desk) = (desk.now + duration, self.desk.clone());
        Box::pin(std::future::poll_fn(move |_| {
            if locked(&desk).now >= until {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }))
    }

    fn random(&self) -> u64 {
        self.desk().dice.word()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Bytes;
    use objects_proto::object::ObjectId;
    use objects_proto::outcome::Outcome;

    use super::*;

    fn delete(caller: &SimCaller) -> BoxFuture<'static, Completion> {
        let command = |ticket| Command::Delete {
            ticket,
            target: RawRef::bare(ObjectId(1), "Counter"),
            timeout: Duration::from_secs(1),
        };
        caller.ask(command, |answer| match answer {
            Answer::Completed(completion) => Some(completion),
            _ => None,
        })
    }

    #[test]
    fn an_answer_reaches_whoever_waits_for_it() {
        let (caller, mut cx) = (
            SimCaller::new(Seed::new(1)),
            Context::from_waker(Waker::noop()),
        );
        let (mut first, second) = (delete(&caller), delete(&caller));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        let commands = caller.take_commands();
        let Command::Delete { ticket, .. } = commands[0] else {
            panic!("{commands:?}");
        };
        let completion = Completion {
            outcome: Outcome::Returned(Bytes::new()),
            witness: None,
        };
        caller.answer(ticket, Answer::Completed(completion.clone()));
        assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(completion));
        drop((first, second));
        let commands = caller.take_commands();
        assert!(
            matches!(commands[..], [Command::Cancel(_)]),
            "only the one without an answer: {commands:?}"
        );
    }

    #[test]
    fn a_sleep_ends_when_its_time_has_come() {
        let (caller, mut cx) = (
            SimCaller::new(Seed::new(1)),
            Context::from_waker(Waker::noop()),
        );
        let mut sleep = caller.sleep(Duration::from_secs(2));
        assert_eq!(caller.take_sleeps(), [Duration::from_secs(2)]);
        caller.set_now(Instant::from_micros(1_999_999));
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        caller.set_now(Instant::from_micros(2_000_000));
        assert!(sleep.as_mut().poll(&mut cx).is_ready());
    }
}

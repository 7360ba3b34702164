//! Who waits for the machine's answer to a command.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use objects_proto::caller::Completion;
use objects_proto::machine::Ticket;
use objects_proto::message::Description;
use objects_proto::object::Version;
use objects_proto::outcome::{Cause, Outcome};
use objects_proto::reference::RawRef;
use tokio::sync::oneshot;

/// The answer to a creation.
pub(crate) type Created = Result<RawRef, Cause>;
/// The answer to an inspection.
pub(crate) type Inspected = Result<Description, Cause>;
/// The answer to a recovery.
pub(crate) type Recovered = Result<(RawRef, Version), Cause>;

/// An answer that somebody can wait for.
pub(crate) trait Answer: Sized + Send + 'static {
    /// The answer of a node that is closed before it took the command.
    fn refused() -> Self;
    /// The answer of a node that closes before the machine answered.
    fn unknown() -> Self;
    /// Where the answer goes.
    fn waiter(sender: oneshot::Sender<Self>) -> Waiter;
}

/// Where an answer goes.
pub(crate) enum Waiter {
    /// To a call or a deletion.
    Completed(oneshot::Sender<Completion>),
    /// To a creation.
    Created(oneshot::Sender<Created>),
    /// To an inspection.
    Inspected(oneshot::Sender<Inspected>),
    /// To a recovery.
    Recovered(oneshot::Sender<Recovered>),
}

impl Answer for Completion {
    fn refused() -> Self {
        Self {
            outcome: Outcome::NotExecuted(Cause::ShuttingDown),
            witness: None,
        }
    }

    fn unknown() -> Self {
        Self {
            outcome: Outcome::Indeterminate(Cause::ShuttingDown),
            witness: None,
        }
    }

    fn waiter(sender: oneshot::Sender<Self>) -> Waiter {
        Waiter::Completed(sender)
    }
}

macro_rules! results_are_answers {
    ($($answer:ty => $waiter:ident),*) => {$(
        impl Answer for $answer {
            fn refused() -> Self {
                Err(Cause::ShuttingDown)
            }

            fn unknown() -> Self {
                Err(Cause::ShuttingDown)
            }

            fn waiter(sender: oneshot::Sender<Self>) -> Waiter {
                Waiter::$waiter(sender)
            }
        }
    )*};
}

results_are_answers!(Created => Created, Inspected => Inspected, Recovered => Recovered);

/// Open tickets. The machine bounds them: it answers each ticket once, at its deadline at last.
#[derive(Default)]
pub(crate) struct Waiting {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    waiters: HashMap<Ticket, Waiter>,
    tickets: u64,
}

impl Waiting {
    /// A ticket, and where its answer arrives.
    pub(crate) fn open_ticket<A: Answer>(&self) -> (Ticket, oneshot::Receiver<A>) {
        let (sender, receiver) = oneshot::channel();
        let mut open = self.open();
        open.tickets += 1;
        let ticket = Ticket(open.tickets);
        open.waiters.insert(ticket, A::waiter(sender));
        (ticket, receiver)
    }

    /// Takes the waiter of a ticket out; none for a one-way call or one that was cancelled.
    pub(crate) fn take(&self, ticket: Ticket) -> Option<Waiter> {
        self.open().waiters.remove(&ticket)
    }

    /// Leaves everybody without an answer.
    pub(crate) fn close(&self) {
        let waiters = std::mem::take(&mut self.open().waiters);
        drop(waiters);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

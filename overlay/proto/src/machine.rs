//! The one abstraction that the tokio driver and the simulator share.

use crate::id::ProcessId;
use crate::time::{Duration, Instant};

/// A deterministic protocol state machine: no clock, socket, task or global randomness.
///
/// Everything that can happen to it is one [`Input`]; everything that it can do is one
/// [`Output`]. Equal inputs in equal order give equal outputs, so a run is its seed.
pub trait Machine {
    /// What the layer above or the driver asks for or answers.
    type Command;
    /// What travels between processes.
    type Message;
    /// Opaque to the driver, handed back when due. A stale one is ignored by the machine.
    type Timer;
    /// What the machine asks of its driver beyond sending, or tells the layer above.
    type Event;

    /// Takes one input and pushes whatever follows from it into `out`.
    ///
    /// Bad input from the network is dropped or becomes an event, never an error or a panic.
    fn handle(
        &mut self,
        now: Instant,
        input: Input<Self::Command, Self::Message, Self::Timer>,
        out: &mut impl Sink<Self::Message, Self::Timer, Self::Event>,
    );
}

/// Everything that can happen to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<C, M, T> {
    /// The layer above, or the driver answering an earlier event.
    Command(C),
    /// A message on the confirmed link with `from`.
    Received {
        /// The sender, fixed by the link's hello.
        from: ProcessId,
        /// What it sent.
        message: M,
    },
    /// A timer that the machine set is due.
    TimerFired(T),
    /// A link with this process is open and confirmed in both directions.
    LinkUp(ProcessId),
    /// The link is gone, or could not be made for a message that waited for it.
    /// Messages sent and not yet received may be lost.
    LinkDown {
        /// The process at its other end.
        process: ProcessId,
        /// How strong the evidence is.
        reason: LinkDown,
    },
}

/// Why a link is down. A hint about the process, never a proof of its death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkDown {
    /// Closed on purpose by either side: an idle link, a surplus one, a clean leave.
    Closed,
    /// Reset, and a new dial was refused by the same address, or another incarnation answered
    /// there: strong evidence that the process is gone.
    Refused,
    /// No answer within the dial timeout: cut off, frozen or gone.
    Unreachable,
}

/// Everything that a machine can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M, T, E> {
    /// Send a message: at most once, in order per link, silently lost with the link.
    /// Without a link the driver makes one, or answers with [`Input::LinkDown`].
    Send {
        /// The receiver; another incarnation of the same peer never gets it.
        to: ProcessId,
        /// What to send.
        message: M,
    },
    /// Hand the timer back after this time.
    SetTimer {
        /// The timer.
        timer: T,
        /// How long from now.
        after: Duration,
    },
    /// An event for the driver or the layer above.
    Emit(E),
}

/// Takes a machine's outputs in order.
pub trait Sink<M, T, E> {
    /// Takes one output.
    fn push(&mut self, output: Output<M, T, E>);

    /// Pushes [`Output::Send`].
    fn send(&mut self, to: ProcessId, message: M) {
        self.push(Output::Send { to, message });
    }

    /// Pushes [`Output::SetTimer`].
    fn set_timer(&mut self, timer: T, after: Duration) {
        self.push(Output::SetTimer { timer, after });
    }

    /// Pushes [`Output::Emit`].
    fn emit(&mut self, event: E) {
        self.push(Output::Emit(event));
    }
}

impl<M, T, E> Sink<M, T, E> for alloc::vec::Vec<Output<M, T, E>> {
    fn push(&mut self, output: Output<M, T, E>) {
        alloc::vec::Vec::push(self, output);
    }
}

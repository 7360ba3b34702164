//! Commands whose answer somebody waits for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use objects_proto::machine::{Command, Ticket};
use tokio::sync::oneshot;

use crate::shard::Shard;
use crate::waiting::Answer;

/// Gives the machine a command and waits for its answer.
pub(crate) fn ask<A: Answer>(
    shard: &Arc<Shard>,
    command: impl FnOnce(Ticket) -> Command,
) -> Pending<A> {
    let stage = match shard.open(command) {
        Some((ticket, receiver)) => Stage::Waiting {
            receiver,
            cancels: Some((ticket, shard.clone())),
        },
        None => Stage::Refused,
    };
    Pending { stage }
}

/// The answer to a command, to come. Dropped before, it cancels its ticket.
pub(crate) struct Pending<A: Answer> {
    stage: Stage<A>,
}

enum Stage<A> {
    Refused,
    Waiting {
        receiver: oneshot::Receiver<A>,
        cancels: Option<(Ticket, Arc<Shard>)>,
    },
    Ended,
}

impl<A: Answer> Pending<A> {
    /// Whether the ticket is cancelled if the answer is dropped before it came.
    pub(crate) fn cancelling(mut self, yes: bool) -> Self {
        if let Stage::Waiting { cancels, .. } = &mut self.stage
            && !yes
        {
            *cancels = None;
        }
        self
    }
}

impl<A: Answer> Future for Pending<A> {
    type Output = A;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A> {
        let answer = match &mut self.stage {
            Stage::Refused => A::refused(),
            Stage::Waiting { receiver, .. } => match Pin::new(receiver).poll(cx) {
                Poll::Ready(answer) => answer.unwrap_or_else(|_| A::unknown()),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Ended => return Poll::Pending,
        };
        self.stage = Stage::Ended;
        Poll::Ready(answer)
    }
}

impl<A: Answer> Unpin for Pending<A> {}

impl<A: Answer> Drop for Pending<A> {
    fn drop(&mut self) {
        if let Stage::Waiting {
            cancels: Some((ticket, shard)),
            ..
        } = &self.stage
        {
            shard.cancel(*ticket);
        }
    }
}

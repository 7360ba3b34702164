//! What the machine asks of the world.

use std::sync::atomic::Ordering;

use objects_proto::frame;
use objects_proto::machine::{Command, Event as MachineEvent};
use objects_proto::message::Message;
use overlay::SendError;
use overlay_proto::{Input, LinkDown, Output, ProcessId};

use super::{MachineOutput, Shard, count};
use crate::events::Event;
use crate::waiting::Waiter;

impl Shard {
    /// Carries one output out; called without the lock.
    pub(super) fn dispatch(&self, output: MachineOutput) {
        match output {
            Output::Send { to, message } => self.send(to, &message),
            Output::SetTimer { timer, after } => self.timers.set(timer, self.clock.now() + after),
            Output::Emit(event) => self.emit(event),
        }
    }

    fn send(&self, to: ProcessId, message: &Message) {
        let Some(outbound) = self.outbound.get() else {
            return;
        };
        let sent = match frame::encode(message) {
            Ok(payload) => outbound.send(to, payload),
            Err(error) => {
                tracing::error!(%error, "a message cannot be encoded");
                return count(&self.counters.unsent);
            }
        };
        match sent {
            Ok(()) => count(&self.counters.sent),
            Err(error) => {
                count(&self.counters.unsent);
                tracing::debug!(%to, %error, "a message is not sent");
                let reason = match error {
                    SendError::ToItself => LinkDown::Refused,
                    SendError::Closed => LinkDown::Closed,
                    _ => return,
                };
                self.handle(Input::LinkDown {
                    process: to,
                    reason,
                });
            }
        }
    }

    fn emit(&self, event: MachineEvent) {
        match event {
            MachineEvent::Created { ticket, result } => {
                if let Some(Waiter::Created(waiter)) = self.waiting.take(ticket) {
                    let _nobody_waits = waiter.send(result);
                }
            }
            MachineEvent::Completed { ticket, completion } => {
                if let Some(Waiter::Completed(waiter)) = self.waiting.take(ticket) {
                    let _nobody_waits = waiter.send(completion);
                }
            }
            MachineEvent::Inspected { ticket, result } => {
                if let Some(Waiter::Inspected(waiter)) = self.waiting.take(ticket) {
                    let _nobody_waits = waiter.send(result);
                }
            }
            MachineEvent::Recovered { ticket, result } => {
                if let Some(Waiter::Recovered(waiter)) = self.waiting.take(ticket) {
                    let _nobody_waits = waiter.send(result);
                }
            }
            MachineEvent::Execute(execution) => {
                count(&self.counters.executions);
                if let Err(executed) = self.executors.execute(execution) {
                    self.handle(Input::Command(Command::Executed(executed)));
                }
            }
            MachineEvent::Lookup(object) => {
                if !self.directory.look_up(object) {
                    self.handle(Input::Command(Command::DirectoryExhausted(object)));
                }
            }
            MachineEvent::Publish { slot, holders } => self.directory.publish(slot, holders),
            other => self.tell(other),
        }
    }

    /// Tells people what they may want to know.
    fn tell(&self, event: MachineEvent) {
        self.events.tell(match event {
            MachineEvent::TookOver {
                object,
                kind,
                epoch,
                from,
                after,
            } => Event::TookOver {
                object,
                kind,
                epoch,
                from,
                after,
            },
            MachineEvent::Reconfigured {
                object,
                configuration,
            } => Event::Reconfigured {
                object,
                configuration,
            },
            MachineEvent::ReplayDiffered {
                object,
                kind,
                method,
            } => Event::ReplayDiffered {
                object,
                kind,
                method,
            },
            MachineEvent::Drained { left_behind } => {
                self.drained.send_replace(Some(left_behind));
                Event::Drained { left_behind }
            }
            MachineEvent::Lost { object, lost } => {
                let calls = lost.versions();
                self.counters.calls_lost.fetch_add(calls, Ordering::Relaxed);
                tracing::warn!(%object, kind = lost.kind, calls, "calls are lost");
                Event::CallsLost { object, lost }
            }
            MachineEvent::Announce(news) => {
                self.news.send_replace(news);
                return;
            }
            _ => return,
        });
    }
}

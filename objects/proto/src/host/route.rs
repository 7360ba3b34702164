//! Whom a message is for: a replica, a tombstone, or nobody here.

use overlay_proto::{Instant, ProcessId};

use crate::execution::Executed;
use crate::host::Host;
use crate::host::effects::Effects;
use crate::message::{Change, Message, Refusal, RegisterMessage, Reply, Request, Sighting};
use crate::object::{Epoch, ObjectId, Version};
use crate::outcome::{Cause, Failure};
use crate::register::{self, Replica};

impl Host {
    /// Something arrived from this process: it is not silent, and a learner is fresh.
    pub fn heard(&mut self, now: Instant, from: ProcessId, fx: &mut Effects) {
        self.silence.heard(from, fx);
        if self.world.reach.heard(&from) {
            self.returned.add(from);
        }
        self.learner_heard(now, from);
    }

    /// Takes a message that is for the host side; others pass by unused.
    pub fn on_message(
        &mut self,
        now: Instant,
        from: ProcessId,
        message: Message,
        fx: &mut Effects,
    ) {
        match message {
            Message::Request(request) => self.on_request(now, from, request, fx),
            Message::Cancel { object, id } => {
                self.with(now, object, fx, |replica, _, _| replica.on_cancel(from, id));
            }
            Message::Where { object, suspect } => self.on_where(now, from, object, suspect, fx),
            Message::Register { object, message } => {
                self.on_register(now, from, object, message, fx);
            }
            Message::Ping { nonce } => fx.send(from, Message::Pong { nonce }),
            Message::RenewLease { number, term } => {
                self.on_renew_lease(now, from, (number, term), fx);
            }
            Message::LeaseRenewed { number, generation } => {
                self.on_lease_renewed(now, from, number, generation);
            }
            Message::AskSilence { suspect } => self.on_ask_silence(now, from, suspect, fx),
            Message::Silence { suspect, silent } => {
                if self.silence.answered(from, suspect, silent) {
                    self.consider(now, suspect, fx);
                }
            }
            Message::Audit { replicas } => self.on_audit(now, from, replicas, fx),
            Message::Deadlocked { object, call } => self.on_deadlocked(now, object, call, fx),
            Message::Survey { id, object } => {
                let copy = self.replica(&object).and_then(Replica::copy);
                fx.send(from, Message::Surveyed { id, copy });
            }
            Message::Recover { id, object, epoch } => {
                self.on_recover(now, from, (id, object, epoch), fx);
            }
            Message::Reply { .. }
            | Message::Here { .. }
            | Message::Pong { .. }
            | Message::WaitProbe(_)
            | Message::Surveyed { .. } => {}
        }
    }

    /// The executor answered.
    pub fn on_executed(&mut self, now: Instant, executed: Executed, fx: &mut Effects) {
        self.counters.calls_executed += executed.ran.len() as u64;
        let object = executed.object;
        self.with(now, object, fx, |replica, env, out| {
            replica.on_executed(env, executed, out);
        });
    }

    fn on_request(&mut self, now: Instant, from: ProcessId, request: Request, fx: &mut Effects) {
        let (id, object) = (request.id, request.object);
        if self.slots.get(&object).is_some() {
            if self.silence.waits() {
                self.stand_for_caller(now, object, fx);
            }
            self.with(now, object, fx, |replica, env, out| {
                replica.on_request(env, from, request, out);
            });
            return;
        }
        let refusal = match self.sighting(&object) {
            Sighting::Deleted => Refusal::Final(Cause::Deleted),
            elsewhere => Refusal::Elsewhere(elsewhere),
        };
        let reply = Reply::Refused(refusal);
        fx.send(from, Message::Reply { id, reply });
    }

    fn on_where(
        &mut self,
        now: Instant,
        from: ProcessId,
        object: ObjectId,
        suspect: Option<ProcessId>,
        fx: &mut Effects,
    ) {
        let sighting = self.sighting(&object);
        fx.send(from, Message::Here { object, sighting });
        self.stand_again(now, object, fx);
        if self.silence.waits() {
            self.stand_for_caller(now, object, fx);
        }
        if let Some(slot) = self.slots.get_mut(&object) {
            slot.replica.note_asker(from);
        }
        let believed = self.replica(&object).and_then(Replica::believed_primary);
        let me = self.world.me;
        let Some(primary) = believed.filter(|primary| *primary != me) else {
            return;
        };
        let installed = self
            .replica(&object)
            .is_some_and(Replica::is_installed_member);
        if installed && suspect == Some(primary) {
            self.silence.doubt(now, primary, fx);
        }
        if self.is_unheard(&object) && from != primary {
            let suspect = None;
            fx.send(primary, Message::Where { object, suspect });
        }
    }

    /// A process told what it knows of an object. A first primary that never got the object is
    /// alive, so its silence cannot be waited for: its backup stands.
    pub fn on_here(
        &mut self,
        now: Instant,
        from: ProcessId,
        (object, sighting): (ObjectId, &Sighting),
        fx: &mut Effects,
    ) {
        let believed = self.replica(&object).and_then(Replica::believed_primary);
        if *sighting == Sighting::Unknown && believed == Some(from) && self.is_unheard(&object) {
            self.with(now, object, fx, |replica, env, out| replica.stand(env, out));
        }
    }

    /// Whether this is a backup that its primary has not spoken to yet.
    fn is_unheard(&self, object: &ObjectId) -> bool {
        self.replica(object)
            .is_some_and(|replica| replica.is_installed_member() && !replica.has_heard_primary())
    }

    fn on_register(
        &mut self,
        now: Instant,
        from: ProcessId,
        object: ObjectId,
        message: RegisterMessage,
        fx: &mut Effects,
    ) {
        if !message.is_possible() {
            return;
        }
        if self.slots.get(&object).is_some() {
            self.with(now, object, fx, |replica, env, out| {
                replica.on_register(env, from, message, out);
            });
        } else {
            self.on_register_without_record(now, from, object, message, fx);
        }
    }

    fn on_register_without_record(
        &mut self,
        now: Instant,
        from: ProcessId,
        object: ObjectId,
        message: RegisterMessage,
        fx: &mut Effects,
    ) {
        let installs = installed_epoch(&message);
        let tombstone = self.tombstones.get(&object);
        let full = self.slots.len() >= self.config.limits.objects;
        if let Some(epoch) = installs
            && tombstone.is_none()
            && (full || self.drain.is_some())
        {
            let sighting = Sighting::Unknown;
            let message = RegisterMessage::Gone { epoch, sighting };
            fx.send(from, Message::Register { object, message });
            return;
        }
        let mut out = register::Effects::default();
        let env = &mut self.world.env(now);
        let replica = Replica::install(env, object, from, message, tombstone, &mut out);
        if let Some(replica) = replica {
            self.slots.insert(object, replica);
        }
        self.absorb(now, object, out, fx);
    }

    fn on_deadlocked(&mut self, now: Instant, object: ObjectId, call: u128, fx: &mut Effects) {
        let failed = self.with(now, object, fx, |replica, env, out| {
            replica.fail_queued(env, call, Failure::Deadlock, out)
        });
        if failed == Some(true) {
            self.counters.deadlocks += 1;
        }
    }

    fn on_recover(
        &mut self,
        now: Instant,
        from: ProcessId,
        (id, object, epoch): (u64, ObjectId, Epoch),
        fx: &mut Effects,
    ) {
        if !register::counted(epoch, Version(0)) {
            return;
        }
        self.with(now, object, fx, |replica, env, out| {
            replica.recover(env, epoch, out)
        });
        let description = self
            .replica(&object)
            .filter(|replica| replica.configuration().epoch == epoch)
            .and_then(Replica::description);
        let reply = description.map_or(
            Reply::Refused(Refusal::Final(Cause::NotFound)),
            Reply::Description,
        );
        fx.send(from, Message::Reply { id, reply });
    }
}

/// The epoch that this message would make a record of.
fn installed_epoch(message: &RegisterMessage) -> Option<Epoch> {
    match message {
        RegisterMessage::Prepare { configuration, .. } => Some(configuration.epoch),
        RegisterMessage::Accept {
            epoch,
            change: Change::Full { .. },
            ..
        } => Some(*epoch),
        _ => None,
    }
}

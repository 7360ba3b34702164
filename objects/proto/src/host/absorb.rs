//! Runs a replica and takes in what it did.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use overlay_proto::Instant;

use crate::host::effects::Effects;
use crate::host::{Host, Told};
use crate::machine::{Announced, Event};
use crate::object::{Configuration, MethodId, ObjectId};
use crate::register::{self, Activation, Env, Note, Replica};

/// Shortest time between two events about what is to be announced.
const NEWS_PAUSE: overlay_proto::Duration = overlay_proto::Duration::from_secs(1);

impl Host {
    /// Lets `act` work on the replica of an object and does what it asks for. `None` if there
    /// is no such replica.
    pub(super) fn with<R>(
        &mut self,
        now: Instant,
        object: ObjectId,
        fx: &mut Effects,
        act: impl FnOnce(&mut Replica, &mut Env<'_>, &mut register::Effects) -> R,
    ) -> Option<R> {
        let slot = self.slots.get_mut(&object)?;
        let mut out = core::mem::take(&mut self.spare);
        let env = &mut self.world.env(now);
        let woken = slot.replica.wake(env);
        self.counters.woken += u64::from(woken);
        let result = act(&mut slot.replica, env, &mut out);
        self.absorb(now, object, out, fx);
        Some(result)
    }

    /// Takes in what a replica did.
    pub(super) fn absorb(
        &mut self,
        now: Instant,
        object: ObjectId,
        mut out: register::Effects,
        fx: &mut Effects,
    ) {
        self.slots.refresh(now, &object);
        let reach = &mut self.world.reach;
        if reach.is_whole() {
            fx.sends.append(&mut out.sends);
        } else {
            let sends = out.sends.drain(..);
            fx.sends
                .extend(sends.filter(|(to, _)| reach.tries(now, to)));
        }
        let executions = out.executions.drain(..);
        fx.events.extend(executions.map(Event::Execute));
        for note in out.notes.drain(..) {
            self.note(now, object, note, fx);
        }
        self.spare = out;
    }

    fn note(&mut self, now: Instant, object: ObjectId, note: Note, fx: &mut Effects) {
        match note {
            Note::Installed(_) => {
                self.counters.installs += 1;
                self.slots.share(&object);
            }
            Note::BecamePrimary(Activation::Created) => {
                self.attention.insert(object);
                self.publish(object);
            }
            Note::BecamePrimary(_) => {}
            Note::Active(activation) => self.activated(now, object, activation, fx),
            Note::SteppedDown => {
                self.forget_duties(&object);
            }
            Note::Chosen(_) => {}
            Note::DeltaStored => self.counters.deltas += 1,
            Note::Expired(count) => self.counters.expired += count,
            Note::Replayed => self.counters.replays += 1,
            Note::ReplayDiffered(method) => self.replay_differed(object, method, fx),
            Note::Reconfigured(configuration) => {
                self.announce(object, configuration, fx);
                self.end_job(&object);
                self.rebalance.changed(now, object);
                self.attention.insert(object);
            }
            Note::OutboxChanged => {
                self.outboxes.insert(object);
            }
            Note::LearnerSynced(_) => {
                self.attention.insert(object);
            }
            Note::Lost(lost) => self.tell_lost(object, lost, fx),
            Note::Alone => self.inquire(now, object, fx),
            Note::Outlived(_) => self.counters.sleepers += 1,
            Note::MemberLost(_) => {
                self.attention.insert(object);
            }
            Note::Retired(tombstone) => {
                let mutation = self.world.mutation;
                self.tombstones.bury(now, object, tombstone, mutation);
                self.world.issue = self.tombstones.issue();
                self.remove(&object);
            }
            Note::Dropped => self.remove(&object),
        }
    }

    /// A method that is declared deterministic is not. The object is as its primary made it.
    fn replay_differed(&mut self, object: ObjectId, method: MethodId, fx: &mut Effects) {
        self.counters.replays_differed += 1;
        let value = self.replica(&object).and_then(Replica::value);
        let Some((_, _, value)) = value else {
            return;
        };
        let (kind, methods) = (value.kind.clone(), &self.world.methods);
        let name = methods.name(&kind, value.kind_version, method);
        let method = name.map_or_else(|| format!("{:08x}", method.0), String::from);
        tracing::warn!(
            ?object,
            kind = &*kind,
            method,
            "a method that is declared deterministic came to something else here"
        );
        fx.emit(Event::ReplayDiffered {
            object,
            kind: String::from(&*kind),
            method,
        });
    }

    fn activated(
        &mut self,
        now: Instant,
        object: ObjectId,
        activation: Activation,
        fx: &mut Effects,
    ) {
        self.outboxes.insert(object);
        self.attention.insert(object);
        let Some(slot) = self.slots.get_mut(&object) else {
            return;
        };
        let configuration = slot.replica.configuration().clone();
        match activation {
            Activation::Created => {}
            Activation::Reconfigured => self.announce(object, configuration, fx),
            Activation::TookOver(from) => {
                let stood = slot.stood.take();
                let kind = slot.replica.value().map(|(_, _, value)| &*value.kind);
                let kind = String::from(kind.unwrap_or_default());
                self.counters.takeovers += 1;
                fx.emit(Event::TookOver {
                    object,
                    kind,
                    epoch: configuration.epoch,
                    from,
                    after: stood.map_or_else(Default::default, |stood| now.since(stood.doubted)),
                });
                self.publish(object);
            }
        }
    }

    /// Tells the driver of a new set, once, if this process goes on as its primary.
    fn announce(&mut self, object: ObjectId, configuration: Configuration, fx: &mut Effects) {
        let Some(slot) = self.slots.get_mut(&object) else {
            return;
        };
        let epoch = configuration.epoch;
        let is_ours = slot.replica.is_primary() && *slot.replica.configuration() == configuration;
        if slot.announced.as_deref() == Some(&epoch) || !is_ours {
            return;
        }
        slot.announced = Some(Box::new(epoch));
        self.counters.reconfigurations += 1;
        fx.emit(Event::Reconfigured {
            object,
            configuration,
        });
        self.publish(object);
    }

    pub(super) fn expire_tombstones(&mut self, now: Instant) {
        self.tombstones.expire(now, self.world.mutation);
        self.world.issue = self.tombstones.issue();
    }

    fn remove(&mut self, object: &ObjectId) {
        self.world.leases.given.release(object);
        self.slots.remove(object);
        self.forget_duties(object);
    }

    /// The object is no longer this process's to repair or to deliver for.
    fn forget_duties(&mut self, object: &ObjectId) {
        self.end_job(object);
        self.repairs.forget(object);
        self.deliveries.forget(object);
        self.outboxes.remove(object);
    }

    /// What the member record should say now.
    fn news(&self) -> Announced {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Announced {
            load: count(self.slots.len()),
            primaries: count(self.slots.count_of(&self.world.me)),
            stamp: self.next_stamp(),
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.told.content != self.news()
    }

    pub(super) fn tell_news(&mut self, now: Instant, fx: &mut Effects) {
        let due = self.told.at.is_none_or(|at| now.since(at) >= NEWS_PAUSE);
        if due && self.has_news() {
            let content = self.news();
            let at = Some(now);
            self.told = Told { content, at };
            fx.emit(Event::Announce(content));
        }
    }
}

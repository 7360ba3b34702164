//! Brings the replica set of an object into shape, step by step: learners first, then one seal.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

use crate::host::Host;
use crate::host::effects::Effects;
use crate::host::repair::{Need, Situation, Standing};
use crate::message::Message;
use crate::object::{Configuration, Epoch, ObjectId, Replica};
use crate::placement::Wanted;

/// The kind of the directory of names: its objects grow first and at once.
pub(super) const NAMES_KIND: &str = "pydo.Names";
/// A learner in step from which nothing was heard lately is pinged this often.
const FRESH_PING: Duration = Duration::from_millis(300);

/// What is wanted for one object, taken out of its replica.
pub(super) struct Wish {
    pub(super) configuration: Configuration,
    pub(super) kind: Arc<str>,
    pub(super) kind_version: u32,
    factor: usize,
    learners: Vec<ProcessId>,
    weak: bool,
}

impl Host {
    /// Something arrived from a learner: it is fresh.
    pub(super) fn learner_heard(&mut self, now: Instant, from: ProcessId) {
        let Some(contact) = self.repairs.contacts.get_mut(&from) else {
            return;
        };
        contact.heard = Some(now);
        let concerned = self.repairs.jobs.iter();
        let waiting = concerned.filter(|(_, job)| job.learners.contains_key(&from));
        self.attention.extend(waiting.map(|(object, _)| *object));
    }

    /// Does the next step for one object.
    pub(super) fn mend(&mut self, now: Instant, object: ObjectId, fx: &mut Effects) {
        self.check_move(now, &object);
        let Some(wish) = self.wish(&object) else {
            return;
        };
        let mut situation = self.situation(now, object, &wish);
        if self.rebalance.target(&object).is_some() && situation.need() != Need::Members(1) {
            // Something has to be repaired: that goes first.
            self.rebalance.end(&object);
            situation = self.situation(now, object, &wish);
        }
        if situation.is_cut_off() {
            // Others may have gone on: this side replaces nobody, and asks around.
            self.repairs.missed.insert(object);
            self.inquire(now, object, fx);
            return;
        }
        let want = match situation.need() {
            Need::Nothing => return self.finish(now, object, &wish.learners, fx),
            Need::Shadow => 1,
            Need::Members(count) => count,
        };
        if !self.may_start(now, &object, &wish.kind) {
            self.repairs.queue.insert(object);
            return;
        }
        self.give_up_late(now, object, fx);
        let chosen = self.choose(&object, &wish, want);
        let stays = chosen.is_empty() && wish.learners.is_empty();
        if stays && situation.next_set(&[]).is_none() {
            return self.settle_with_learners(object, &chosen);
        }
        if self
            .replica(&object)
            .is_some_and(|replica| !replica.is_active())
        {
            self.repairs.begin(now, object);
            self.with(now, object, fx, |replica, env, out| {
                replica.activate(env, out);
            });
            return;
        }
        self.ship(now, object, &wish.learners, &chosen, fx);
        let ready = self.ready(now, object, &chosen, fx);
        if ready.len() < chosen.len() {
            return;
        }
        if let (Need::Members(_), Some((members, first))) =
            (situation.need(), situation.next_set(&ready))
        {
            self.propose(now, object, &wish.configuration, (members, first), fx);
            return;
        }
        self.settle_with_learners(object, &chosen);
    }

    /// What the object needs to be judged; `None` unless this is its unchanging primary.
    pub(super) fn wish(&mut self, object: &ObjectId) -> Option<Wish> {
        let replica = &self.slots.get(object)?.replica;
        if !replica.is_primary() || replica.is_changing() {
            return None;
        }
        let (_, _, value) = replica.value()?;
        Some(Wish {
            configuration: replica.configuration().clone(),
            kind: value.kind.clone(),
            kind_version: value.kind_version,
            factor: usize::from(value.factor),
            learners: replica.learners(),
            weak: replica.is_weak(),
        })
    }

    fn situation<'a>(&mut self, now: Instant, object: ObjectId, wish: &'a Wish) -> Situation<'a> {
        let me = self.world.me;
        let (kind, version) = (&wish.kind, wish.kind_version);
        let draining = self.drain.is_some();
        let hands_over = draining || !self.world.methods.hosts(kind, version);
        let mut standings = Vec::with_capacity(wish.configuration.members.len());
        for process in wish.configuration.processes() {
            let record = self.view.process(&process).map(|member| &member.record);
            let runs = record
                .and_then(|record| record.kind(kind))
                .is_some_and(|hosted| hosted.version == version);
            standings.push(match record.map(|record| record.leaving) {
                _ if process == me && hands_over => Standing::Leaving,
                _ if process == me && self.rebalance.moves_away(&object, &process) => {
                    Standing::Moves
                }
                _ if process == me => Standing::Stays,
                _ if self.has_lost(&object, &process) => Standing::Gone,
                Some(true) => Standing::Leaving,
                Some(false) if self.rebalance.moves_away(&object, &process) => Standing::Moves,
                Some(false) if runs => Standing::Stays,
                Some(false) => Standing::StaysIdle,
                None if self.lost.missed(now, process) >= self.config.timings.lost_after => {
                    Standing::Gone
                }
                None => {
                    self.repairs.missed.insert(object);
                    Standing::Stays
                }
            });
        }
        let counted = self
            .host_counts
            .of(&self.view, &wish.kind, wish.kind_version);
        let me_counted = self
            .view
            .process(&me)
            .is_some_and(|member| member.record.is_host() && !member.record.leaving);
        Situation {
            configuration: &wish.configuration,
            standings,
            me,
            factor: wish.factor,
            weak: wish.weak,
            hosts: counted - usize::from(draining && me_counted && counted > 0),
        }
    }

    /// Whether a member cannot come into the object's set any more.
    fn has_lost(&self, object: &ObjectId, process: &ProcessId) -> bool {
        self.replica(object)
            .is_some_and(|replica| replica.has_lost(process))
    }

    /// Whether a change of this object may be under way now.
    fn may_start(&self, now: Instant, object: &ObjectId, kind: &str) -> bool {
        self.repairs.jobs.contains_key(object)
            || self.repairs.shadowed.contains(object)
            || kind == NAMES_KIND
            || self.repairs.under_way(now) < self.repairs_at_once(now)
    }

    /// Sets aside learners that did not come into step in time.
    fn give_up_late(&mut self, now: Instant, object: ObjectId, fx: &mut Effects) {
        let patience = self.config.timings.learner_patience;
        let Some(job) = self.repairs.jobs.get_mut(&object) else {
            return;
        };
        let late: Vec<ProcessId> = job
            .learners
            .iter()
            .filter(|(_, since)| now.since(**since) >= patience)
            .map(|(process, _)| *process)
            .collect();
        job.give_up(&late);
        for process in late {
            self.with(now, object, fx, |replica, env, out| {
                replica.drop_learner(env, process, out);
            });
        }
    }

    /// Whom to bring into step: learners that there are, then the best candidates.
    fn choose(&self, object: &ObjectId, wish: &Wish, want: usize) -> Vec<ProcessId> {
        if let Some(to) = self.rebalance.target(object) {
            return Vec::from([to]);
        }
        let failed = self.repairs.jobs.get(object).map(|job| &job.failed);
        let mut avoid: BTreeSet<ProcessId> = failed.cloned().unwrap_or_default();
        avoid.insert(self.world.me);
        let usable = |process: &ProcessId| {
            let member = self.view.process(process);
            !avoid.contains(process) && member.is_some_and(|member| !member.record.leaving)
        };
        let learners = wish.learners.iter().copied();
        let mut chosen: Vec<ProcessId> = learners.filter(usable).take(want).collect();
        let mut taken: Vec<ProcessId> = wish.configuration.processes().collect();
        taken.extend(&chosen);
        let wanted = Wanted {
            kind: &wish.kind,
            kind_version: wish.kind_version,
            factor: wish.factor,
        };
        let more = want - chosen.len();
        let candidates = self
            .strategy
            .candidates(&self.view, &wanted, &taken, &avoid, more);
        chosen.extend(candidates.iter().map(|replica| replica.process));
        chosen
    }

    /// Makes the chosen ones learners and others not.
    fn ship(
        &mut self,
        now: Instant,
        object: ObjectId,
        learners: &[ProcessId],
        chosen: &[ProcessId],
        fx: &mut Effects,
    ) {
        let job = self.repairs.begin(now, object);
        job.learners.retain(|process, _| chosen.contains(process));
        for process in chosen {
            job.learners.entry(*process).or_insert(now);
        }
        for process in chosen {
            self.repairs.contacts.entry(*process).or_default();
        }
        for process in learners.iter().filter(|one| !chosen.contains(one)) {
            self.with(now, object, fx, |replica, env, out| {
                replica.drop_learner(env, *process, out);
            });
        }
        for process in chosen.iter().filter(|one| !learners.contains(one)) {
            self.with(now, object, fx, |replica, env, out| {
                replica.add_learner(env, *process, out);
            });
        }
    }

    /// The chosen ones that are in step and were heard of lately.
    fn ready(
        &mut self,
        now: Instant,
        object: ObjectId,
        chosen: &[ProcessId],
        fx: &mut Effects,
    ) -> Vec<Replica> {
        let fresh = self.config.timings.learner_fresh;
        let mut ready = Vec::with_capacity(chosen.len());
        for process in chosen {
            let status = self
                .replica(&object)
                .and_then(|replica| replica.peer_status(*process, now));
            let Some(status) = status.filter(|status| status.follows) else {
                continue;
            };
            let contact = self.repairs.contacts.entry(*process).or_default();
            let heard = status.heard.max(contact.heard);
            if heard.is_some_and(|at| now.since(at) < fresh) {
                let stamp = status.stamp.unwrap_or_default();
                let process = *process;
                ready.push(Replica { process, stamp });
            } else if contact.pinged.is_none_or(|at| now.since(at) >= FRESH_PING) {
                contact.pinged = Some(now);
                fx.send(*process, Message::Ping { nonce: 0 });
            }
        }
        ready
    }

    fn propose(
        &mut self,
        now: Instant,
        object: ObjectId,
        configuration: &Configuration,
        (members, first_primary): (Vec<Replica>, u8),
        fx: &mut Effects,
    ) {
        let next = Configuration {
            epoch: Epoch {
                lineage: configuration.epoch.lineage,
                number: configuration.epoch.number.saturating_add(1),
            },
            members: members.into(),
            forks: configuration.forks.clone(),
            seal: None,
        };
        let proposed = self.with(now, object, fx, |replica, env, out| {
            replica.propose(env, next, first_primary, out)
        });
        if let Some(Err(error)) = proposed {
            tracing::debug!(?object, %error, "the next replica set was not proposed");
        }
    }

    /// Nothing better can be had: what is in step stays as learners, and the next change of
    /// the view makes this process look again.
    fn settle_with_learners(&mut self, object: ObjectId, chosen: &[ProcessId]) {
        let failed = self
            .repairs
            .jobs
            .get(&object)
            .is_some_and(|job| !job.failed.is_empty());
        self.end_job(&object);
        if chosen.is_empty() {
            self.note_untakeable(object);
        } else {
            self.repairs.shadowed.insert(object);
        }
        if failed {
            self.repairs.missed.insert(object);
        }
    }

    fn finish(&mut self, now: Instant, object: ObjectId, learners: &[ProcessId], fx: &mut Effects) {
        for process in learners {
            self.with(now, object, fx, |replica, env, out| {
                replica.drop_learner(env, *process, out);
            });
        }
        self.repairs.queue.remove(&object);
        self.repairs.shadowed.remove(&object);
        self.end_job(&object);
    }

    /// The change of this object's set is over: the next one may begin.
    pub(super) fn end_job(&mut self, object: &ObjectId) {
        if self.repairs.jobs.remove(object).is_some() {
            self.repairs.forget_contacts();
            self.start_queued();
        }
    }

    pub(super) fn start_queued(&mut self) {
        let under_way = self.repairs.jobs.len() + self.attention.len();
        for _ in under_way..self.config.limits.repairs {
            let Some(object) = self.repairs.queue.pop_first() else {
                return;
            };
            self.attention.insert(object);
        }
    }
}

//! When a backup stands for primary: after a silence that a majority of its set confirms.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};

use overlay_proto::{Duration, Instant, LinkDown, ProcessId};

use crate::config::{Pace, Timings};
use crate::host::Host;
use crate::host::effects::Effects;
use crate::host::silence::Finding;
use crate::host::slots::Stood;
use crate::message::Message;
use crate::object::{Configuration, ObjectId};
use crate::register::Replica;

/// A candidate that did not get through is asked to stand again after this time; in between it
/// retries by itself.
const STAND_AGAIN: Duration = Duration::from_secs(2);
/// While more than enough is under way, which may be for ever where majorities are gone, a host
/// still goes on with a silent primary's objects: after such a pause,
const CROWDED_PAUSE: Duration = Duration::from_millis(100);
/// with such a part of what it does else.
const CROWDED_PART: usize = 4;
/// Doubts about an absent primary that nothing comes of become rarer up to this multiple.
const DOUBT_FACTOR_MAX: u32 = 64;

/// Primaries that are not in the view: when they are doubted next, and the pause after that.
#[derive(Debug, Default)]
pub(super) struct Absent {
    next: BTreeMap<ProcessId, (Instant, u32)>,
}

impl Absent {
    pub(super) fn len(&self) -> usize {
        self.next.len()
    }

    pub(super) fn waits(&self) -> bool {
        !self.next.is_empty()
    }
}

impl Host {
    /// Doubts primaries that the view does not know: at once, then ever more rarely.
    pub(super) fn doubt_absent(&mut self, now: Instant, fx: &mut Effects) {
        let me = self.world.me;
        let view = &self.view;
        let absent: BTreeSet<ProcessId> = self
            .slots
            .primaries()
            .filter(|primary| **primary != me && view.process(primary).is_none())
            .copied()
            .collect();
        self.absent
            .next
            .retain(|process, _| absent.contains(process));
        for process in absent {
            let (at, factor) = *self.absent.next.entry(process).or_insert((now, 1));
            if at <= now {
                let pause = self.config.timings.silence_age * factor;
                let rarer = factor.saturating_mul(2).min(DOUBT_FACTOR_MAX);
                self.absent.next.insert(process, (now + pause, rarer));
                self.silence.doubt(now, process, fx);
            }
        }
    }

    /// A link is down: strong or weak evidence about a primary.
    pub(super) fn doubt_link(
        &mut self,
        now: Instant,
        process: ProcessId,
        reason: LinkDown,
        fx: &mut Effects,
    ) {
        let concerned = self.slots.has_primary(&process) || self.silence.watches(&process);
        if !concerned || process == self.world.me {
            return;
        }
        match reason {
            LinkDown::Refused => {
                if self.silence.refused(now, process, fx) {
                    self.found_silent(now, process, fx);
                }
            }
            LinkDown::Closed | LinkDown::Unreachable => self.silence.doubt(now, process, fx),
        }
    }

    /// Another member asks whether this process misses the suspect, too.
    pub(super) fn on_ask_silence(
        &mut self,
        now: Instant,
        from: ProcessId,
        suspect: ProcessId,
        fx: &mut Effects,
    ) {
        if suspect == self.world.me {
            let silent = false;
            fx.send(from, Message::Silence { suspect, silent });
        } else {
            self.silence.asked(now, from, suspect, fx);
        }
    }

    pub(super) fn tick_silence(&mut self, now: Instant, fx: &mut Effects) {
        for process in self.silence.tick(now, fx) {
            self.found_silent(now, process, fx);
        }
        for process in self.silence.silent() {
            self.found_silent(now, process, fx);
        }
    }

    fn found_silent(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) {
        if !self.slots.has_primary(&process) {
            return;
        }
        let every = self.config.timings.silence_ask;
        if self.silence.should_ask(now, &process, every) {
            for member in self.next_fellows(&process) {
                fx.send(member, Message::AskSilence { suspect: process });
            }
        }
        self.consider(now, process, fx);
    }

    /// The other members of the next objects whose primary is `primary`.
    fn next_fellows(&mut self, primary: &ProcessId) -> BTreeSet<ProcessId> {
        let me = self.world.me;
        let mut round = self.silence.round(primary);
        let most = self.config.pace.doubted;
        let part = self.slots.part_of(primary, round.asked, most);
        round.asked = part.last().copied().filter(|_| part.len() == most);
        self.silence.set_round(primary, round);
        part.iter()
            .filter_map(|object| self.replica(object))
            .flat_map(|replica| replica.configuration().processes())
            .filter(|member| *member != me && member != primary)
            .collect()
    }

    /// Stands for primary of the next objects whose majority misses `primary` and whose turn it
    /// is. Not of all at once: what else this host does must not wait for a hundred thousand.
    pub(super) fn consider(&mut self, now: Instant, primary: ProcessId, fx: &mut Effects) {
        let mut round = self.silence.round(&primary);
        let busy = self.slots.busy_len();
        let Pace {
            doubted, standing, ..
        } = self.config.pace;
        let crowded = busy >= standing;
        let lately = round.at.is_some_and(|at| now.since(at) < CROWDED_PAUSE);
        if crowded && lately || self.silence.finding(&primary).is_none() {
            return;
        }
        round.at = Some(now);
        let most = if crowded {
            busy + (standing / CROWDED_PART).max(1)
        } else {
            standing
        };
        let part = self.slots.part_of(&primary, round.after, doubted);
        let mut complete = part.len() < doubted;
        for object in part {
            if self.slots.busy_len() >= most {
                complete = false;
                break;
            }
            round.after = Some(object);
            self.stand_if_due(now, object, &primary, round.number, fx);
        }
        if complete {
            round.number = round.number.saturating_add(1);
            round.after = None;
        }
        self.silence.set_round(&primary, round);
    }

    /// Stands for primary of an object before those that nobody waits for. Members whose turn is
    /// later leave it to those before them: two that stand at once hold each other up.
    pub(super) fn stand_for_caller(&mut self, now: Instant, object: ObjectId, fx: &mut Effects) {
        let believed = self.replica(&object).and_then(Replica::believed_primary);
        if let Some(primary) = believed.filter(|primary| self.silence.watches(primary)) {
            let turn = self.silence.round(&primary).number;
            self.stand_if_due(now, object, &primary, turn, fx);
        }
    }

    /// Stands for primary of an object if it may, and its turn among the members is not after
    /// `turn`.
    fn stand_if_due(
        &mut self,
        now: Instant,
        object: ObjectId,
        primary: &ProcessId,
        turn: u32,
        fx: &mut Effects,
    ) {
        let Some(finding) = self.silence.finding(primary) else {
            return;
        };
        let (me, timings) = (&self.world.me, &self.config.timings);
        let Some(slot) = self.slots.get(&object) else {
            return;
        };
        let lately = slot
            .stood
            .as_ref()
            .is_some_and(|stood| now.since(stood.at) < STAND_AGAIN);
        let in_turn =
            rank(object, slot.replica.configuration(), me, primary).is_some_and(|it| it <= turn);
        let due = stands_after(&slot.replica, me, primary, &finding, timings)
            .is_some_and(|after| now >= finding.silent + after);
        if lately || !in_turn || !due || self.is_leased(now, &object) {
            return;
        }
        let doubted = finding.since;
        if let Some(slot) = self.slots.get_mut(&object) {
            slot.stood = Some(Box::new(Stood { at: now, doubted }));
        }
        self.with(now, object, fx, |replica, env, out| replica.stand(env, out));
    }

    /// Somebody looks for the primary of an object. If this member stood for it in vain, and nobody
    /// else has since, it stands again: nothing else would make it.
    pub(super) fn stand_again(&mut self, now: Instant, object: ObjectId, fx: &mut Effects) {
        let Some(slot) = self.slots.get_mut(&object) else {
            return;
        };
        let lately = slot
            .stood
            .as_ref()
            .is_some_and(|stood| now.since(stood.at) < STAND_AGAIN);
        if lately || !slot.replica.gave_up() {
            return;
        }
        let doubted = slot.stood.as_ref().map_or(now, |stood| stood.doubted);
        slot.stood = Some(Box::new(Stood { at: now, doubted }));
        self.with(now, object, fx, |replica, env, out| replica.stand(env, out));
    }

    /// Tells replicas with something under way, or with learners, about a link; of very many a
    /// part: the others send again by themselves.
    pub(super) fn tell_links(
        &mut self,
        now: Instant,
        process: ProcessId,
        up: bool,
        fx: &mut Effects,
    ) {
        let mut objects: BTreeSet<ObjectId> = self.slots.some_busy().collect();
        objects.extend(self.repairs.shadowed.iter().copied());
        objects.extend(self.repairs.jobs.keys().copied());
        if up {
            objects.extend(self.slots.weak_primaries());
        }
        for object in objects {
            self.with(now, object, fx, |replica, env, out| {
                replica.on_link(env, process, up, out);
            });
        }
    }
}

/// How long after a silence was certain here this backup stands, if it may.
fn stands_after(
    replica: &Replica,
    me: &ProcessId,
    primary: &ProcessId,
    finding: &Finding<'_>,
    timings: &Timings,
) -> Option<Duration> {
    if !replica.is_installed_member() {
        return None;
    }
    let configuration = replica.configuration();
    if !replica.is_weak() {
        let rank = may_stand(replica.object(), configuration, me, primary, finding)?;
        return Some(timings.rank_delay * rank);
    }
    // In weak mode nobody has to agree. But one that hears the primary is believed.
    let mut others = configuration.processes();
    if others.any(|member| finding.denied.contains(&member)) {
        return None;
    }
    let turn = timings.rank_delay + timings.weak.collect;
    let rank = rank(replica.object(), configuration, me, primary)?;
    Some(timings.weak.wait + turn * rank)
}

/// This backup's turn among the members after the primary, if a majority misses the primary.
fn may_stand(
    object: ObjectId,
    configuration: &Configuration,
    me: &ProcessId,
    primary: &ProcessId,
    finding: &Finding<'_>,
) -> Option<u32> {
    let misses = |member: &ProcessId| member == me || finding.confirmed.contains(member);
    let votes = configuration
        .processes()
        .filter(|member| member != primary && misses(member))
        .count();
    if votes < configuration.majority() {
        return None;
    }
    rank(object, configuration, me, primary)
}

/// How many members stand before this one when the primary of an object is gone.
fn rank(
    object: ObjectId,
    configuration: &Configuration,
    me: &ProcessId,
    primary: &ProcessId,
) -> Option<u32> {
    let mut order = configuration.successors(object, primary);
    let place = order.position(|member| member == *me)?;
    u32::try_from(place).ok()
}

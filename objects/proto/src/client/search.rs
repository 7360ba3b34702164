//! Where is the primary? Members are asked, then the directory, then everybody.

use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Instant, LinkDown, ProcessId};
use rand_chacha::rand_core::Rng;

use super::call::CallId;
use super::effects::ClientEffects;
use super::place::{Learned, Search};
use super::{Client, ClientConfig};
use crate::directory::{RECORDS_MAX, SlotRecord};
use crate::message::{Message, Sighting};
use crate::object::ObjectId;
use crate::outcome::Cause;

/// Rounds after which the search goes on beyond those that answer: they may be hosts that the
/// object has left, and where it went to from there may be gone too (design review 3.7).
const ROUNDS_IN_VAIN: u32 = 3;

impl Client {
    /// Somebody said where an object is.
    pub fn on_here(
        &mut self,
        now: Instant,
        from: ProcessId,
        object: ObjectId,
        sighting: Sighting,
        fx: &mut ClientEffects,
    ) {
        self.reach.heard(&from);
        let limit = self.config.candidates;
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        match place.adopt(now, from, sighting, limit) {
            Learned::Moved => self.resend_all(now, object, fx),
            Learned::Deleted => self.on_deleted(now, object, fx),
            Learned::Nothing => {}
        }
    }

    /// A link is down, or could not be made: what was sent on it may be lost.
    pub fn on_link_down(
        &mut self,
        now: Instant,
        process: ProcessId,
        reason: LinkDown,
        fx: &mut ClientEffects,
    ) {
        let suspect = match reason {
            LinkDown::Closed => None,
            LinkDown::Refused | LinkDown::Unreachable => Some(process),
        };
        if suspect.is_some() {
            self.reach.failed(now, process);
        }
        let hit: Vec<ObjectId> = self
            .active
            .iter()
            .filter(|object| {
                self.places
                    .get_mut(object)
                    .is_some_and(|place| place.lost(process))
            })
            .copied()
            .collect();
        for object in hit {
            for key in self.lanes_on(object) {
                self.rewind(key);
            }
            self.seek(now, object, suspect, fx);
        }
    }

    /// The directory has records of the object's slot: whoever they name is asked.
    pub fn on_directory(
        &mut self,
        now: Instant,
        object: ObjectId,
        records: &[Bytes],
        fx: &mut ClientEffects,
    ) {
        let Some(place) = self
            .places
            .get_mut(&object)
            .filter(|place| !place.lanes.is_empty())
        else {
            return;
        };
        let slot = object.slot();
        let records = records.iter().take(RECORDS_MAX);
        let holders = records.filter_map(|record| SlotRecord::decode(slot, record));
        for process in holders.flat_map(|record| record.holders) {
            if place.add_holder(process) {
                place.asked_at = Some(now);
                let suspect = None;
                fx.sends.push((process, Message::Where { object, suspect }));
            }
        }
    }

    /// The directory has no more records for the object.
    pub fn on_directory_exhausted(
        &mut self,
        now: Instant,
        object: ObjectId,
        fx: &mut ClientEffects,
    ) {
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        let Some(search) = &mut place.search else {
            return;
        };
        search.looking_up = false;
        search.exhausted = true;
        if place.target.is_none() && place.known().is_empty() {
            self.ask_everybody(now, object, fx);
        }
    }

    /// An object is called again whose primary could not be reached lately: others are asked at
    /// once, instead of waiting for one more dial to fail. If this is the `first` open call, who
    /// comes after the primary is called, and says if it does not stand for it; further calls wait
    /// for the search, which sends those again that are under way to the primary.
    pub(super) fn pass_over(&mut self, now: Instant, object: ObjectId, first: bool) {
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        let target = place.target.filter(|one| !self.reach.tries(now, one));
        if let Some(target) = target {
            place.lost(target);
            place.search = Some(Search::new(now, Some(target)));
            if first {
                let reached = |one: &ProcessId| self.reach.tries(now, one);
                place.target = place.successor(object, &target, reached);
            }
        }
    }

    /// Looks for the primary, if that is not under way.
    pub(super) fn seek(
        &mut self,
        now: Instant,
        object: ObjectId,
        suspect: Option<ProcessId>,
        fx: &mut ClientEffects,
    ) {
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        let search = place
            .search
            .get_or_insert_with(|| Search::new(now, suspect));
        search.suspect = suspect.or(search.suspect);
        if search.next_at <= now {
            self.ask_round(now, object, fx);
        }
    }

    /// Asks all who should know, and the directory if they did not answer the last time, or if
    /// what they say has led nowhere for some rounds.
    pub(super) fn ask_round(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        let jitter = u32::try_from(self.dice.next_u64() % 41).unwrap_or_default();
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        let known = place.known();
        let mut reached = known.clone();
        reached.retain(|process| self.reach.tries(now, process));
        for process in known.difference(&reached) {
            place.lost(*process);
        }
        let stalled = place.stalled;
        let Some(search) = &mut place.search else {
            return;
        };
        let age = now.since(search.began);
        let pause = pause(&self.config, (search.rounds, age), stalled);
        search.next_at = now + pause * (80 + jitter) / 100;
        let unanswered = known.is_empty()
            || (search.rounds > 0 && !search.answered)
            || search.rounds >= ROUNDS_IN_VAIN;
        let exhausted = search.exhausted;
        search.rounds = search.rounds.saturating_add(1);
        search.answered = false;
        let suspect = search.suspect;
        // Where nobody is known, this process may have a replica itself.
        let itself = (known.is_empty() && search.rounds == 1).then_some(self.me);
        for process in reached.into_iter().chain(itself) {
            fx.sends.push((process, Message::Where { object, suspect }));
        }
        let may_look_up = place
            .lookup_at
            .is_none_or(|at| now.since(at) >= self.config.lookup_pause);
        if unanswered && !search.looking_up && may_look_up {
            search.looking_up = true;
            place.lookup_at = Some(now);
            fx.lookups.push(object);
        }
        if !known.is_empty() {
            place.asked_at = Some(now);
        }
        if unanswered && exhausted {
            self.ask_everybody(now, object, fx);
        }
    }

    /// The last resort in a small cluster: one round through all hosts of the view.
    fn ask_everybody(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        let hosts: Vec<ProcessId> = self
            .view
            .hosts()
            .map(|member| member.record.process)
            .collect();
        let pause = self.config.view_rounds_apart;
        if hosts.is_empty()
            || hosts.len() > self.config.view_round_hosts
            || self.view_round_at.is_some_and(|at| now.since(at) < pause)
        {
            return;
        }
        let Some(place) = self.places.get_mut(&object) else {
            return;
        };
        let pause = self.config.view_round_pause;
        if place.view_round_at.is_some_and(|at| now.since(at) < pause) {
            return;
        }
        self.view_round_at = Some(now);
        place.view_round_at = Some(now);
        place.asked_at = Some(now);
        let Some(search) = &mut place.search else {
            return;
        };
        let suspect = search.suspect;
        search.unheard.clear();
        for process in hosts {
            search.unheard.insert(process);
            fx.sends.push((process, Message::Where { object, suspect }));
        }
    }

    /// Whether all who could know an object said that they do not, for long enough.
    pub(super) fn is_unknown(&self, now: Instant, object: ObjectId) -> bool {
        let Some(place) = self.places.get(&object) else {
            return false;
        };
        let Some(search) = &place.search else {
            return false;
        };
        let everybody_asked = place.view_round_at.is_some_and(|at| at >= search.began)
            || self.view.hosts().count() > self.config.view_round_hosts
            || self.view.is_empty();
        place.target.is_none()
            && search.exhausted
            && search.unheard.is_empty()
            && everybody_asked
            && now.since(search.began) >= self.config.not_found_after
            && !place.heard_since(search.began)
            && !place.may_be_known(|holder| self.view.process(holder).is_some())
    }

    /// Ends the calls on an object that is no more, but for those that a replica will answer.
    fn on_deleted(&mut self, now: Instant, object: ObjectId, fx: &mut ClientEffects) {
        let answering = self
            .places
            .get(&object)
            .is_some_and(|place| place.target.is_some() && !place.stalled);
        let over: Vec<CallId> = self
            .lanes_on(object)
            .iter()
            .filter_map(|key| self.lanes.get(key))
            .flat_map(|lane| lane.calls.iter().copied().chain(lane.opening()))
            .filter(|id| {
                let call = self.calls.get(id);
                !answering || call.is_some_and(|call| call.current.is_none())
            })
            .collect();
        for id in over {
            self.end(now, id, Cause::Deleted, fx);
        }
    }
}

/// The pause after a round: short while the primary is known to be gone, growing with each, and
/// not beyond what a takeover allows before that had its time.
fn pause(config: &ClientConfig, (rounds, age): (u32, Duration), stalled: bool) -> Duration {
    let first = if stalled {
        config.patience
    } else {
        config.search_pause_min
    };
    let longest = if age < config.takeover_max {
        config.search_pause_takeover
    } else {
        config.search_pause_max
    };
    let grown = (0..rounds.min(16)).fold(first, |pause, _| pause * 3 / 2);
    grown.min(longest)
}

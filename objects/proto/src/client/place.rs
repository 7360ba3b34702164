//! Where an object is believed to be, and what is known of those who should know.

mod search;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId};

pub(super) use self::search::Search;
use super::lane::Owner;
use crate::directory::HOLDERS_MAX;
use crate::message::Sighting;
use crate::object::{Configuration, MEMBERS_MAX, ObjectId};

/// Processes remembered as not knowing the object, or as unreachable.
pub(super) const DOUBTED_MAX: usize = 256;

/// Processes asked in one round, but for a round through all hosts.
const ASKED_MAX: usize = 64;

/// Where an object is believed to be. Hints only: the object's members decide.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The replica set believed in.
    pub(super) configuration: Option<Arc<Configuration>>,
    /// Whether a member said so, rather than a reference.
    confirmed: bool,
    /// The process that calls are sent to.
    pub(super) target: Option<ProcessId>,
    /// Other replica sets that somebody named.
    candidates: Vec<Arc<Configuration>>,
    /// Processes that the directory names for the object's slot, those named last at the end.
    holders: Vec<ProcessId>,
    /// Processes that said that they know nothing of the object.
    strangers: BTreeSet<ProcessId>,
    /// Processes without a link since they were last heard.
    down: BTreeSet<ProcessId>,
    /// Lanes with open calls.
    pub(super) lanes: BTreeSet<Owner>,
    /// Somebody who knows said that the object was deleted.
    pub(super) deleted: bool,
    /// The search for the primary, since it was last heard.
    pub(super) search: Option<Search>,
    /// The target leaves calls unanswered.
    pub(super) stalled: bool,
    /// When the target last answered, or was chosen.
    pub(super) progress_at: Instant,
    /// When a call was last answered with its end.
    done_at: Option<Instant>,
    /// When a replica last said anything.
    heard_at: Option<Instant>,
    /// When the replicas were last asked.
    pub(super) asked_at: Option<Instant>,
    /// Refusals since the last call that ended.
    refusals: u32,
    /// Nothing is sent before this.
    pub(super) resend_at: Option<Instant>,
    /// When unanswered calls were last looked at.
    pub(super) probed_at: Instant,
    /// When the directory was last asked.
    pub(super) lookup_at: Option<Instant>,
    /// When all hosts of the view were last asked.
    pub(super) view_round_at: Option<Instant>,
    /// Where the place stands among those without an open call.
    pub(super) idle: Option<u64>,
}

/// What a sighting changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// Nothing that matters for open calls.
    Nothing,
    /// Calls go to another process from now on.
    Moved,
    /// The object is no more.
    Deleted,
}

impl Place {
    /// Takes a reference's hint.
    pub(super) fn hint(&mut self, now: Instant, hint: Option<&Arc<Configuration>>, limit: usize) {
        let Some(hint) = hint else { return };
        let Some(believed) = &self.configuration else {
            if possible(hint) {
                self.configuration = Some(hint.clone());
                if let Some(first) = hint.process(0) {
                    self.find(now, first);
                }
            }
            return;
        };
        if Arc::ptr_eq(believed, hint) || hint.epoch <= believed.epoch {
            return;
        }
        if self.confirmed || !self.lanes.is_empty() {
            self.add_candidate(hint.clone(), limit);
        } else if possible(hint) {
            self.target = hint.process(0);
            self.configuration = Some(hint.clone());
        }
    }

    /// Remembers a replica set whose members are worth asking; says whether it is a new one.
    pub(super) fn add_candidate(&mut self, candidate: Arc<Configuration>, limit: usize) -> bool {
        let known = self
            .configuration
            .iter()
            .chain(&self.candidates)
            .any(|c| **c == *candidate);
        if known || !possible(&candidate) {
            return false;
        }
        if self.candidates.len() >= limit {
            self.candidates.remove(0);
        }
        self.candidates.push(candidate);
        true
    }

    /// Remembers a process that has objects of the same slot; says whether it is to be asked.
    pub(super) fn add_holder(&mut self, process: ProcessId) -> bool {
        let is_known = self.holders.contains(&process) || self.members().any(|one| one == process);
        if is_known || self.strangers.contains(&process) {
            return false;
        }
        if self.holders.len() >= HOLDERS_MAX {
            self.holders.remove(0);
        }
        self.holders.push(process);
        true
    }

    /// The first open call after a while: old doubts do not count.
    pub(super) fn wake(&mut self, now: Instant) {
        self.holders.clear();
        self.search = None;
        self.stalled = false;
        self.refusals = 0;
        self.resend_at = None;
        self.progress_at = now;
        self.probed_at = now;
        self.strangers.clear();
        self.down.clear();
    }

    /// Takes what `from` says of the object's place.
    pub(super) fn adopt(
        &mut self,
        now: Instant,
        from: ProcessId,
        sighting: Sighting,
        limit: usize,
    ) -> Learned {
        self.down.remove(&from);
        if let Some(search) = &mut self.search {
            search.unheard.remove(&from);
        }
        match sighting {
            Sighting::Unknown => {
                insert(&mut self.strangers, from);
                Learned::Nothing
            }
            Sighting::Deleted => {
                self.deleted = true;
                Learned::Deleted
            }
            Sighting::Member {
                configuration,
                primary,
            } if possible(&configuration) => {
                self.adopt_member(now, from, configuration, primary, limit)
            }
            Sighting::Member { .. } => Learned::Nothing,
        }
    }

    fn adopt_member(
        &mut self,
        now: Instant,
        from: ProcessId,
        configuration: Configuration,
        primary: Option<u8>,
        limit: usize,
    ) -> Learned {
        self.heard(now);
        self.strangers.remove(&from);
        let believed = self.configuration.as_ref().map(|believed| believed.epoch);
        let newer = match believed {
            Some(epoch) if self.confirmed && configuration.epoch < epoch => {
                return Learned::Nothing;
            }
            Some(epoch) => configuration.epoch != epoch,
            None => true,
        };
        self.confirmed = true;
        let claim = primary.and_then(|index| configuration.process(index));
        let claim = if newer {
            let first = configuration.process(0);
            if let Some(old) = self.configuration.replace(Arc::new(configuration)) {
                self.add_candidate(old, limit);
            }
            self.target = None;
            claim.or(first)
        } else {
            claim
        };
        match claim {
            Some(claim)
                if self.target != Some(claim)
                    && (self.target.is_none() || self.stalled)
                    && !self.down.contains(&claim) =>
            {
                self.target = Some(claim);
                self.stalled = false;
                self.progress_at = now;
                Learned::Moved
            }
            _ => Learned::Nothing,
        }
    }

    /// A replica of the object said something.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
        if let Some(search) = &mut self.search {
            search.answered = true;
        }
    }

    /// A request was answered by `from`; `done`: with the end of a call.
    pub(super) fn answered(&mut self, now: Instant, from: ProcessId, done: bool) {
        self.heard(now);
        self.down.remove(&from);
        if self.target.is_none() && done {
            self.find(now, from);
        }
        if self.target != Some(from) {
            return;
        }
        self.progress_at = now;
        self.stalled = false;
        if done {
            self.done_at = Some(now);
            self.refusals = 0;
            self.search = None;
            self.holders = Vec::new();
        }
    }

    /// Calls go to this process from now on, also those that wait for the search.
    fn find(&mut self, now: Instant, target: ProcessId) {
        self.target = Some(target);
        if !self.lanes.is_empty() {
            self.resend_at = self.resend_at.or(Some(now));
        }
    }

    /// `from` refused a request because it is not the primary.
    pub(super) fn turned_away(&mut self, from: ProcessId) {
        if self.target == Some(from) {
            self.target = None;
            self.stalled = false;
        }
    }

    /// The link with a process is down; says whether calls went there.
    pub(super) fn lost(&mut self, process: ProcessId) -> bool {
        insert(&mut self.down, process);
        if self.target == Some(process) {
            self.target = None;
            self.stalled = false;
            return true;
        }
        false
    }

    /// Who stands first for primary after this one, of those within reach.
    pub(super) fn successor(
        &self,
        object: ObjectId,
        of: &ProcessId,
        mut reached: impl FnMut(&ProcessId) -> bool,
    ) -> Option<ProcessId> {
        let set = self.configuration.as_ref()?;
        set.successors(object, of)
            .find(|one| !self.down.contains(one) && reached(one))
    }

    /// Counts a refusal: the first one is answered at once, later ones after a pause.
    pub(super) fn back_off(&mut self, now: Instant, min: Duration, max: Duration) {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals > 1 {
            let doublings = self.refusals.saturating_sub(2).min(16);
            let pause = min.saturating_mul(1 << doublings).min(max);
            self.resend_at = Some(now + pause);
        }
    }

    /// The processes that are worth asking: members of all replica sets that were named, then the
    /// holders of the slot.
    pub(super) fn known(&self) -> BTreeSet<ProcessId> {
        self.members()
            .chain(self.holders.iter().rev().copied())
            .filter(|process| !self.strangers.contains(process))
            .take(ASKED_MAX)
            .collect()
    }

    /// Whether anybody may still say where the object is: a member that was named, or a holder of
    /// the slot that lives.
    pub(super) fn may_be_known(&self, lives: impl Fn(&ProcessId) -> bool) -> bool {
        let holders = self.holders.iter().copied();
        self.members()
            .chain(holders.filter(|process| lives(process)))
            .any(|process| !self.strangers.contains(&process))
    }

    fn members(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.configuration
            .iter()
            .chain(self.candidates.iter().rev())
            .flat_map(|configuration| configuration.processes())
    }

    /// How many processes are remembered as holders of the slot.
    pub(super) fn holders(&self) -> usize {
        self.holders.len()
    }

    /// How many replica sets are remembered as candidates.
    pub(super) fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// How many processes said that they know nothing of the object.
    pub(super) fn strangers(&self) -> usize {
        self.strangers.len()
    }

    /// How many processes are without a link.
    pub(super) fn down(&self) -> usize {
        self.down.len()
    }

    /// How many processes were asked through the view and not heard since.
    pub(super) fn unheard(&self) -> usize {
        self.search
            .as_ref()
            .map_or(0, |search| search.unheard.len())
    }

    /// Whether a call has ended here after this time.
    pub(super) fn done_since(&self, then: Instant) -> bool {
        self.done_at.is_some_and(|at| at > then)
    }

    /// Whether a replica said anything after this time.
    pub(super) fn heard_since(&self, then: Instant) -> bool {
        self.heard_at.is_some_and(|at| at > then)
    }

    /// Whether the replicas were asked at or after this time.
    pub(super) fn asked_since(&self, then: Instant) -> bool {
        self.asked_at.is_some_and(|at| at >= then)
    }
}

fn possible(configuration: &Configuration) -> bool {
    (1..=MEMBERS_MAX).contains(&configuration.members.len())
}

fn insert(set: &mut BTreeSet<ProcessId>, process: ProcessId) {
    if set.len() < DOUBTED_MAX {
        set.insert(process);
    }
}

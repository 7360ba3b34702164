//! Which replica set an object should have next: replacing, growing, handing over, shrinking.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, Instant, ProcessId, Table};

use crate::object::{Configuration, MEMBERS_MAX, ObjectId, Replica};
use crate::placement::target_size;

/// From so many missed processes on it is looked which of them still matter.
pub(crate) const LOST_CROWD: usize = 1_024;

/// Processes that are passed over for one change; beyond that all are tried again.
const FAILED_MAX: usize = 256;

/// A change that took longer waits for a majority that may never come.
const STUCK: Duration = Duration::from_secs(15);

/// What is known of a member of a replica set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It stays.
    Stays,
    /// It stays, and cannot run the object: it has another version of the kind.
    StaysIdle,
    /// It is about to leave, handing over: the set may shrink by it.
    Leaving,
    /// The view lost it for good: it is replaced, but the set does not shrink for it.
    Gone,
    /// Another host has more room: it is replaced, but the set does not shrink for it.
    Moves,
}

impl Standing {
    const fn stays(self) -> bool {
        matches!(self, Self::Stays | Self::StaysIdle)
    }
}

/// Everything that decides about the next set of one object.
#[derive(Clone, Debug)]
pub(crate) struct Situation<'a> {
    /// The set that it has.
    pub(crate) configuration: &'a Configuration,
    /// What is known of its members, in order.
    pub(crate) standings: Vec<Standing>,
    /// The primary, who asks.
    pub(crate) me: ProcessId,
    /// Replicas wanted.
    pub(crate) factor: usize,
    /// The object is in weak mode.
    pub(crate) weak: bool,
    /// Hosts that could hold a replica, members included.
    pub(crate) hosts: usize,
}

/// How many processes have to be brought into step before the set can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// None: the set is as it should be.
    Nothing,
    /// One that stays without a vote: two hosts carry a set of one and a learner, because a set
    /// of two would be lost with either of them.
    Shadow,
    /// So many new members.
    Members(usize),
}

impl Situation<'_> {
    /// A weak object's primary that misses a majority of the set may be the one that is cut off.
    #[must_use]
    pub(crate) fn is_cut_off(&self) -> bool {
        let members = self.standings.len();
        let gone = self.count(|standing| standing == Standing::Gone);
        self.weak && members - gone < self.configuration.majority()
    }

    /// What is missing.
    #[must_use]
    pub(crate) fn need(&self) -> Need {
        let members = self.configuration.members.len();
        let leaves = self.count(|standing| !standing.stays());
        let growth = self.target().saturating_sub(members);
        if leaves + growth > 0 {
            Need::Members(leaves + growth)
        } else if members == 1 && self.factor > 1 {
            Need::Shadow
        } else {
            Need::Nothing
        }
    }

    /// The next set and its first primary, once `ready` hold the state and no further candidate
    /// is to be waited for. A member that is gone is never named again, because it could not
    /// take the state; without a replacement for it the set stays, unless it shrinks anyway.
    /// `None` if nothing would be better than now.
    #[must_use]
    pub(crate) fn next_set(&self, ready: &[Replica]) -> Option<(Vec<Replica>, u8)> {
        let shrinks = self.count(|standing| standing == Standing::Leaving) > 0;
        if ready.is_empty() && !shrinks {
            return None;
        }
        let mut ready = ready.iter().copied();
        let mut next: Vec<Replica> = Vec::new();
        for (member, standing) in self.configuration.members.iter().zip(&self.standings) {
            if standing.stays() {
                next.push(*member);
            } else {
                next.extend(ready.next());
            }
        }
        next.extend(ready.take(self.target().saturating_sub(next.len())));
        let before = self.configuration.members.len();
        if next.len() > before && next.len().is_multiple_of(2) {
            next.pop();
        }
        let processes = || next.iter().map(|member| member.process);
        if next.is_empty() || processes().eq(self.configuration.processes()) {
            return None;
        }
        let first = self.first_primary(&next)?;
        Some((next, first))
    }

    /// This process if it is a member, else one that has run the object or can, else a new one.
    fn first_primary(&self, next: &[Replica]) -> Option<u8> {
        let standing = |process: &ProcessId| {
            let index = self.configuration.index_of(process)?;
            self.standings.get(usize::from(index)).copied()
        };
        let place = |of: &dyn Fn(&ProcessId) -> bool| {
            let mut members = next.iter();
            members.position(|member| of(&member.process))
        };
        let index = place(&|process| *process == self.me)
            .or_else(|| place(&|process| standing(process) == Some(Standing::Stays)))
            .or_else(|| place(&|process| standing(process).is_none()))
            .unwrap_or(0);
        u8::try_from(index).ok()
    }

    fn target(&self) -> usize {
        target_size(self.factor, self.hosts)
    }

    fn count(&self, of: impl Fn(Standing) -> bool) -> usize {
        self.standings.iter().filter(|one| of(**one)).count()
    }
}

/// When members that are not in the view were first missed.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    since: BTreeMap<ProcessId, Instant>,
}

impl Lost {
    /// Forgets members that are back.
    pub(crate) fn on_view(&mut self, view: &MembershipView) {
        self.since
            .retain(|process, _| view.process(process).is_none());
    }

    /// How long the view has been without this process; zero if it was not missed before.
    pub(crate) fn missed(&mut self, now: Instant, process: ProcessId) -> Duration {
        now.since(*self.since.entry(process).or_insert(now))
    }

    /// How many are missed.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.since.len()
    }

    /// Whether so many are missed that some of them are probably named by no replica any more.
    pub(crate) fn is_crowded(&self) -> bool {
        self.since.len() > LOST_CROWD
    }

    /// Forgets members that no replica names any more.
    pub(crate) fn retain(&mut self, named: &BTreeSet<ProcessId>) {
        self.since.retain(|process, _| named.contains(process));
    }
}

/// A change of one object's set, under way.
#[derive(Debug)]
pub(crate) struct Job {
    /// Processes that are being brought into step, and since when.
    pub(crate) learners: BTreeMap<ProcessId, Instant>,
    /// Processes that did not come into step in time.
    pub(crate) failed: BTreeSet<ProcessId>,
    /// When it began.
    pub(crate) since: Instant,
}

impl Job {
    /// These did not come into step in time.
    pub(crate) fn give_up(&mut self, late: &[ProcessId]) {
        self.learners.retain(|process, _| !late.contains(process));
        if self.failed.len() + late.len() > FAILED_MAX {
            self.failed.clear();
        }
        self.failed.extend(late.iter().take(FAILED_MAX));
    }
}

/// When something was last heard of a process that is to join, and when it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Contact {
    /// The last message.
    pub(crate) heard: Option<Instant>,
    /// The last ping.
    pub(crate) pinged: Option<Instant>,
}

/// The changes under way, and those that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    /// Under way.
    pub(crate) jobs: BTreeMap<ObjectId, Job>,
    /// Waiting.
    pub(crate) queue: BTreeSet<ObjectId>,
    /// Objects with a member that may have to be replaced soon.
    pub(crate) missed: BTreeSet<ObjectId>,
    /// Objects that are looked at again, part by part.
    pub(crate) scan: BTreeSet<ObjectId>,
    /// Objects of this primary with a learner that is to stay one.
    pub(crate) shadowed: BTreeSet<ObjectId>,
    /// Processes that are to join a set.
    pub(crate) contacts: BTreeMap<ProcessId, Contact>,
    /// Everything is to be looked at again.
    pub(crate) stale: bool,
}

impl Repairs {
    /// How full its tables are, if `objects` may be held here.
    pub(crate) fn tables(&self, objects: usize) -> [Table; 8] {
        let most = |of: fn(&Job) -> usize| self.jobs.values().map(of).max().unwrap_or(0);
        let contacts = objects.saturating_mul(MEMBERS_MAX);
        [
            Table::new("repairs.jobs", self.jobs.len(), objects),
            Table::new("repairs.queue", self.queue.len(), objects),
            Table::new("repairs.missed", self.missed.len(), objects),
            Table::new("repairs.scan", self.scan.len(), objects),
            Table::new("repairs.shadowed", self.shadowed.len(), objects),
            Table::new("repairs.contacts", self.contacts.len(), contacts),
            Table::new(
                "repairs.learners",
                most(|job| job.learners.len()),
                MEMBERS_MAX,
            ),
            Table::new("repairs.failed", most(|job| job.failed.len()), FAILED_MAX),
        ]
    }

    /// Whether anything waits for time to pass.
    #[must_use]
    pub(crate) fn pending(&self) -> bool {
        self.stale || !self.queue.is_empty() || !self.missed.is_empty()
    }

    /// Whether a part of what is to be looked at is left for the next tick.
    pub(crate) fn scans(&self) -> bool {
        !self.scan.is_empty()
    }

    /// The change of this object's set, which begins now unless it is under way.
    pub(crate) fn begin(&mut self, now: Instant, object: ObjectId) -> &mut Job {
        self.jobs.entry(object).or_insert_with(|| Job {
            learners: BTreeMap::new(),
            failed: BTreeSet::new(),
            since: now,
        })
    }

    /// How many changes are under way. One that has been stuck for long, in a set without a
    /// majority, takes no place.
    pub(crate) fn under_way(&self, now: Instant) -> usize {
        let moves = |job: &&Job| now.since(job.since) < STUCK;
        self.jobs.values().filter(moves).count()
    }

    /// Forgets processes that no job needs.
    pub(crate) fn forget_contacts(&mut self) {
        let jobs = &self.jobs;
        self.contacts
            .retain(|process, _| jobs.values().any(|job| job.learners.contains_key(process)));
    }

    /// The object is no longer this process's to repair.
    pub(crate) fn forget(&mut self, object: &ObjectId) {
        self.jobs.remove(object);
        self.queue.remove(object);
        self.missed.remove(object);
        self.scan.remove(object);
        self.shadowed.remove(object);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use overlay_proto::{Incarnation, PeerId};

    use super::Standing::{Gone, Leaving, Stays, StaysIdle};
    use super::*;
    use crate::object::Epoch;

    fn replica(number: u8) -> Replica {
        Replica {
            process: ProcessId {
                peer: PeerId([number; 32]),
                incarnation: Incarnation(1),
            },
            stamp: 0,
        }
    }

    fn set(members: &[u8]) -> Configuration {
        Configuration {
            epoch: Epoch::default(),
            members: members.iter().copied().map(replica).collect(),
            forks: Vec::new(),
            seal: None,
        }
    }

    fn situation<'a>(
        configuration: &'a Configuration,
        standings: &[Standing],
        hosts: usize,
    ) -> Situation<'a> {
        Situation {
            configuration,
            standings: standings.to_vec(),
            me: replica(1).process,
            factor: 3,
            weak: false,
            hosts,
        }
    }

    fn next(situation: &Situation<'_>, ready: &[u8]) -> Option<(Vec<u8>, u8)> {
        let ready: Vec<Replica> = ready.iter().copied().map(replica).collect();
        let (members, first) = situation.next_set(&ready)?;
        let numbers = members.iter().map(|member| member.process.peer.0[0]);
        Some((numbers.collect(), first))
    }

    #[test]
    fn a_whole_set_is_left_alone() {
        let set = set(&[1, 2, 3]);
        let situation = situation(&set, &[Stays; 3], 9);
        assert_eq!(situation.need(), Need::Nothing);
        assert_eq!(next(&situation, &[]), None);
    }

    #[test]
    fn one_host_grows_to_three_in_one_step_and_two_hosts_carry_a_learner() {
        let set = set(&[1]);
        assert_eq!(situation(&set, &[Stays], 1).need(), Need::Shadow);
        assert_eq!(situation(&set, &[Stays], 2).need(), Need::Shadow);
        let three = situation(&set, &[Stays], 3);
        assert_eq!(three.need(), Need::Members(2));
        assert_eq!(next(&three, &[2]), None, "never a set of two");
        assert_eq!(next(&three, &[2, 3]), Some((vec![1, 2, 3], 0)));
    }

    #[test]
    fn a_crashed_member_is_replaced_but_the_set_does_not_shrink() {
        let set = set(&[1, 2, 3]);
        let crashed = situation(&set, &[Stays, Gone, Stays], 2);
        assert_eq!(crashed.need(), Need::Members(1));
        assert_eq!(next(&crashed, &[]), None);
        assert_eq!(next(&crashed, &[4]), Some((vec![1, 4, 3], 0)));
    }

    #[test]
    fn a_leaving_member_is_replaced_or_the_set_shrinks() {
        let set = set(&[1, 2, 3]);
        let leaving = situation(&set, &[Stays, Leaving, Stays], 2);
        assert_eq!(next(&leaving, &[4]), Some((vec![1, 4, 3], 0)));
        assert_eq!(next(&leaving, &[]), Some((vec![1, 3], 0)));
    }

    #[test]
    fn a_leaving_primary_hands_over_to_a_member_that_stays() {
        let set = set(&[1, 2, 3]);
        let leaving = situation(&set, &[Leaving, Stays, Stays], 3);
        assert_eq!(next(&leaving, &[4]), Some((vec![4, 2, 3], 1)));
        assert_eq!(next(&leaving, &[]), Some((vec![2, 3], 0)));
    }

    #[test]
    fn a_member_that_cannot_run_the_object_stays_and_is_not_its_first_primary() {
        let set = set(&[1, 2, 3]);
        let leaving = situation(&set, &[Leaving, StaysIdle, Stays], 2);
        assert_eq!(next(&leaving, &[]), Some((vec![2, 3], 1)));
        let crashed = situation(&set, &[Leaving, StaysIdle, Gone], 3);
        assert_eq!(next(&crashed, &[4]), Some((vec![4, 2], 0)));
        let whole = situation(&set, &[Stays, StaysIdle, Stays], 5);
        assert_eq!(whole.need(), Need::Nothing);
    }

    #[test]
    fn the_last_member_hands_over_to_its_learner_or_stays() {
        let set = set(&[1]);
        let leaving = situation(&set, &[Leaving], 1);
        assert_eq!(leaving.need(), Need::Members(1));
        assert_eq!(next(&leaving, &[2]), Some((vec![2], 0)));
        assert_eq!(next(&leaving, &[]), None);
    }

    #[test]
    fn a_set_that_shrinks_does_not_name_who_is_gone() {
        let set = set(&[1, 2, 3]);
        let both = situation(&set, &[Stays, Gone, Leaving], 1);
        assert_eq!(next(&both, &[]), Some((vec![1], 0)));
    }
}

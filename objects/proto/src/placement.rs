//! Which hosts hold an object: decided locally on the membership view, without coordination.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use overlay_proto::ProcessId;
use overlay_proto::member::{MemberRecord, MemberState};
use overlay_proto::view::{Member, MembershipView};

use crate::object::{MEMBERS_MAX, Replica, Slot};

/// Labels whose values two replicas of one object should not share, the more important first.
const SPREAD_LABELS: [&str; 2] = ["host", "zone"];

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The kind's name.
    pub kind: &'a str,
    /// The kind's version: its hosts only.
    pub kind_version: u32,
    /// Replicas wanted.
    pub factor: usize,
}

/// Picks the hosts of an object. A later strategy may look at resources, priority or affinity.
pub trait Strategy: Send {
    /// A first replica set for an object of this slot, its first primary in front. `avoid` names
    /// processes that just failed to answer. Empty if no host is left.
    fn deal(
        &mut self,
        view: &MembershipView,
        slot: Slot,
        wanted: &Wanted<'_>,
        avoid: &BTreeSet<ProcessId>,
    ) -> Vec<Replica>;

    /// Up to `count` hosts that could join `members`, best first.
    fn candidates(
        &self,
        view: &MembershipView,
        wanted: &Wanted<'_>,
        members: &[ProcessId],
        avoid: &BTreeSet<ProcessId>,
        count: usize,
    ) -> Vec<Replica>;
}

/// How many members a set should have: never more than there are hosts, and odd, because an
/// even set survives no more losses than the next smaller odd one.
#[must_use]
pub fn target_size(factor: usize, hosts: usize) -> usize {
    let size = factor.clamp(1, MEMBERS_MAX).min(hosts);
    if size == 0 { 0 } else { size - (size + 1) % 2 }
}

/// Hosts of this kind and version that are not leaving, in the order of the view.
pub fn hosts_of<'a>(
    view: &'a MembershipView,
    kind: &'a str,
    kind_version: u32,
) -> impl Iterator<Item = &'a Member> {
    view.hosts().filter(move |member| {
        member
            .record
            .kind(kind)
            .is_some_and(|hosted| hosted.version == kind_version)
    })
}

/// Deals slots in turn over the hosts of the view: the primary, then the next ones in the order
/// of the view, skipping those with an equal `host` or `zone` label where possible. In one view
/// all creators place a slot alike.
#[derive(Clone, Debug)]
pub struct RoundRobin;

impl Strategy for RoundRobin {
    fn deal(
        &mut self,
        view: &MembershipView,
        slot: Slot,
        wanted: &Wanted<'_>,
        avoid: &BTreeSet<ProcessId>,
    ) -> Vec<Replica> {
        let live = live_hosts(view, wanted, avoid);
        let size = target_size(wanted.factor, live.len());
        let Some(start) = usize::from(slot.0).checked_rem(live.len()) else {
            return Vec::new();
        };
        let order: Vec<&MemberRecord> = rotated(&live, start).collect();
        pick(&order, Vec::new(), size)
    }

    fn candidates(
        &self,
        view: &MembershipView,
        wanted: &Wanted<'_>,
        members: &[ProcessId],
        avoid: &BTreeSet<ProcessId>,
        count: usize,
    ) -> Vec<Replica> {
        let live = live_hosts(view, wanted, avoid);
        let taken = members
            .iter()
            .filter_map(|process| view.process(process))
            .map(|member| &*member.record)
            .collect();
        let start = members.first().map_or(0, |primary| {
            live.partition_point(|host| host.process.peer <= primary.peer)
        });
        let order: Vec<&MemberRecord> = rotated(&live, start)
            .filter(|host| !members.contains(&host.process))
            .collect();
        pick(&order, taken, count)
    }
}

/// Hosts that are believed alive and not to be avoided; if those are fewer than wanted, also
/// the suspected ones, because suspicion is a hint only.
fn live_hosts<'a>(
    view: &'a MembershipView,
    wanted: &'a Wanted<'_>,
    avoid: &BTreeSet<ProcessId>,
) -> Vec<&'a MemberRecord> {
    let hosts = || {
        hosts_of(view, wanted.kind, wanted.kind_version)
            .filter(|member| !avoid.contains(&member.record.process))
    };
    let alive: Vec<&MemberRecord> = hosts()
        .filter(|member| member.state == MemberState::Alive)
        .map(|member| &*member.record)
        .collect();
    if alive.len() >= wanted.factor {
        alive
    } else {
        hosts().map(|member| &*member.record).collect()
    }
}

fn rotated<'a>(
    hosts: &'a [&'a MemberRecord],
    start: usize,
) -> impl Iterator<Item = &'a MemberRecord> {
    let (before, after) = hosts.split_at(start.min(hosts.len()));
    after.iter().chain(before).copied()
}

/// Whether `to` is believed alive and shares no more labels with `others` than `from` does.
pub(crate) fn shares_fewer_labels(
    view: &MembershipView,
    to: &ProcessId,
    from: &ProcessId,
    others: &[ProcessId],
) -> bool {
    let record = |process: &ProcessId| view.process(process).map(|member| &*member.record);
    let others: Vec<&MemberRecord> = others.iter().filter_map(record).collect();
    let Some(candidate) = view
        .process(to)
        .filter(|member| member.state == MemberState::Alive)
    else {
        return false;
    };
    let now = record(from).map_or(usize::MAX, |host| clash(host, &others));
    clash(&candidate.record, &others) <= now
}

/// Takes `count` hosts in order, each time the first that shares the fewest labels with those
/// taken before.
fn pick<'a>(
    order: &[&'a MemberRecord],
    mut taken: Vec<&'a MemberRecord>,
    count: usize,
) -> Vec<Replica> {
    let mut picked: Vec<Replica> = Vec::with_capacity(count);
    while picked.len() < count {
        let free = order
            .iter()
            .filter(|host| !picked.iter().any(|one| one.process == host.process));
        let Some(host) = free.min_by_key(|host| clash(host, &taken)) else {
            break;
        };
        taken.push(host);
        picked.push(Replica {
            process: host.process,
            stamp: host.stamp,
        });
    }
    picked
}

/// 0 if no label is shared with a taken host; a shared `host` weighs more than a shared `zone`.
fn clash(host: &MemberRecord, taken: &[&MemberRecord]) -> usize {
    SPREAD_LABELS
        .iter()
        .rev()
        .enumerate()
        .filter(|(_, name)| {
            host.label(name)
                .is_some_and(|value| taken.iter().any(|other| other.label(name) == Some(value)))
        })
        .map(|(weight, _)| 1 << weight)
        .sum()
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::collections::BTreeMap;
    use alloc::sync::Arc;
    use alloc::vec;

    use overlay_proto::member::HostedKind;
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(number: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn record(number: u8, labels: &[(&str, &str)]) -> MemberRecord {
        MemberRecord {
            process: process(number),
            sequence: 0,
            addresses: Vec::new(),
            kinds: vec![HostedKind {
                name: "Counter".to_owned(),
                version: 1,
                weak: false,
                methods: Vec::new(),
            }],
            capacity: 100,
            load: 0,
            primaries: 0,
            labels: labels
                .iter()
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            leaving: false,
            stamp: u64::from(number),
        }
    }

    fn view(records: Vec<MemberRecord>) -> MembershipView {
        let members = records
            .into_iter()
            .map(|record| Member {
                record: Arc::new(record),
                state: MemberState::Alive,
            })
            .collect();
        MembershipView::new(1, members)
    }

    const WANTED: Wanted<'static> = Wanted {
        kind: "Counter",
        kind_version: 1,
        factor: 3,
    };

    fn none() -> BTreeSet<ProcessId> {
        BTreeSet::new()
    }

    #[test]
    fn target_size_is_odd_and_never_above_the_hosts() {
        let sizes: Vec<usize> = (0..7).map(|hosts| target_size(5, hosts)).collect();
        assert_eq!(sizes, [0, 1, 1, 3, 3, 5, 5]);
        assert_eq!(target_size(3, 100), 3);
        assert_eq!(target_size(0, 4), 1);
    }

    #[test]
    fn three_hundred_objects_over_five_hosts_are_dealt_evenly() {
        let view = view((1..=5).map(|number| record(number, &[])).collect());
        let mut primaries: BTreeMap<ProcessId, u32> = BTreeMap::new();
        let mut replicas: BTreeMap<ProcessId, u32> = BTreeMap::new();
        for slot in (12_345..).take(300).map(Slot) {
            let set = RoundRobin.deal(&view, slot, &WANTED, &none());
            *primaries.entry(set[0].process).or_default() += 1;
            for member in set {
                *replicas.entry(member.process).or_default() += 1;
            }
        }
        assert!(primaries.len() == 5 && primaries.values().all(|&count| count == 60));
        assert!(replicas.len() == 5 && replicas.values().all(|&count| count == 180));
    }

    #[test]
    fn a_slot_is_placed_alike_as_long_as_the_view_stands() {
        let view = view((1..=7).map(|number| record(number, &[])).collect());
        let (mut one, mut other) = (RoundRobin, RoundRobin);
        for slot in [Slot(0), Slot(6), Slot(u16::MAX)] {
            let set = one.deal(&view, slot, &WANTED, &none());
            assert_eq!(other.deal(&view, slot, &WANTED, &none()), set);
            let next = one.deal(&view, slot.next(), &WANTED, &none());
            assert_ne!(next[0], set[0]);
        }
    }

    #[test]
    fn a_leaving_member_and_a_host_of_another_version_get_nothing() {
        let mut leaving = record(2, &[]);
        leaving.leaving = true;
        let mut newer = record(3, &[]);
        newer.kinds[0].version = 2;
        let view = view(vec![record(1, &[]), leaving, newer, record(4, &[])]);
        let set = RoundRobin.deal(&view, Slot(0), &WANTED, &none());
        assert_eq!(set.len(), 1, "two hosts carry a set of one and a learner");
        let candidates = RoundRobin.candidates(&view, &WANTED, &[process(1)], &none(), 9);
        assert_eq!(candidates.len(), 1);
        assert_eq!(candidates[0].process, process(4));
    }

    #[test]
    fn equal_labels_are_skipped_where_possible() {
        let view = view(vec![
            record(1, &[("host", "a"), ("zone", "x")]),
            record(2, &[("host", "a"), ("zone", "x")]),
            record(3, &[("host", "b"), ("zone", "x")]),
            record(4, &[("host", "c"), ("zone", "y")]),
        ]);
        let set = RoundRobin.deal(&view, Slot(0), &WANTED, &none());
        let members: Vec<ProcessId> = set.iter().map(|member| member.process).collect();
        assert_eq!(members, [process(1), process(4), process(3)]);
    }

    #[test]
    fn candidates_follow_the_primary_in_the_order_of_the_view() {
        let view = view((1..=5).map(|number| record(number, &[])).collect());
        let members = [process(4), process(5)];
        let candidates = RoundRobin.candidates(&view, &WANTED, &members, &none(), 2);
        let order: Vec<ProcessId> = candidates.iter().map(|one| one.process).collect();
        assert_eq!(order, [process(1), process(2)]);
    }

    #[test]
    fn a_process_that_just_failed_is_avoided() {
        let view = view((1..=4).map(|number| record(number, &[])).collect());
        let avoid: BTreeSet<ProcessId> = [process(2)].into();
        for slot in (0..4).map(Slot) {
            let set = RoundRobin.deal(&view, slot, &WANTED, &avoid);
            assert_eq!(set.len(), 3);
            assert!(set.iter().all(|member| member.process != process(2)));
        }
    }
}

//! How many hosts each kind has in the current view: brought up to date from the records that
//! differ between two views, when somebody asks.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use overlay_proto::Table;
use overlay_proto::member::MemberRecord;
use overlay_proto::view::{Member, MembershipView};

use crate::placement::hosts_of;

/// Kinds and versions counted; beyond that it is counted again.
const COUNTS_MAX: usize = 1_024;

/// Numbers of hosts by kind and version.
#[derive(Debug, Default)]
pub(crate) struct HostCounts {
    counts: BTreeMap<String, BTreeMap<u32, usize>>,
    /// The view that was counted.
    counted: MembershipView,
    stale: bool,
}

impl HostCounts {
    /// How full it is.
    pub(crate) fn table(&self) -> Table {
        let count = self.counts.values().map(BTreeMap::len).sum();
        Table::new("host_counts", count, COUNTS_MAX)
    }

    /// The view changed.
    pub(crate) fn on_view(&mut self) {
        self.stale = true;
    }

    /// Hosts of this kind and version that are not leaving.
    pub(crate) fn of(&mut self, view: &MembershipView, kind: &str, version: u32) -> usize {
        if core::mem::take(&mut self.stale) {
            self.catch_up(view);
        }
        if let Some(count) = self.counts.get(kind).and_then(|by| by.get(&version)) {
            return *count;
        }
        if self.table().len >= COUNTS_MAX {
            self.counts.clear();
        }
        let count = hosts_of(view, kind, version).count();
        let by_version = self.counts.entry(kind.to_owned()).or_default();
        by_version.insert(version, count);
        count
    }

    /// Takes in the records that differ between the view that was counted and this one.
    fn catch_up(&mut self, view: &MembershipView) {
        let before = core::mem::replace(&mut self.counted, view.clone());
        if self.counts.is_empty() {
            return;
        }
        let peer = |member: &&Member| member.record.process.peer;
        let (mut old, mut new) = (before.iter().peekable(), view.iter().peekable());
        loop {
            let (gone, come) = match (old.peek().map(peer), new.peek().map(peer)) {
                (None, None) => return,
                (Some(a), Some(b)) if a == b => (old.next(), new.next()),
                (Some(a), b) if b.is_none_or(|b| a < b) => (old.next(), None),
                _ => (None, new.next()),
            };
            if let (Some(gone), Some(come)) = (gone, come)
                && Arc::ptr_eq(&gone.record, &come.record)
            {
                continue;
            }
            if let Some(member) = gone {
                self.count(&member.record, |count| *count -= 1);
            }
            if let Some(member) = come {
                self.count(&member.record, |count| *count += 1);
            }
        }
    }

    fn count(&mut self, record: &MemberRecord, how: fn(&mut usize)) {
        if record.leaving {
            return;
        }
        for (kind, by_version) in &mut self.counts {
            let hosted = record.kind(kind);
            if let Some(count) = hosted.and_then(|hosted| by_version.get_mut(&hosted.version)) {
                how(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;
    use alloc::vec::Vec;

    use overlay_proto::member::{HostedKind, MemberState};
    use overlay_proto::{Incarnation, PeerId, ProcessId};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn member(number: u8, rng: &mut ChaCha8Rng) -> Member {
        let kind = |name: &str, version| HostedKind {
            name: name.to_string(),
            version,
            weak: false,
            methods: Vec::new(),
        };
        let record = MemberRecord {
            process: ProcessId {
                peer: PeerId([number; 32]),
                incarnation: Incarnation(1),
            },
            sequence: 0,
            addresses: Vec::new(),
            kinds: match rng.random_range(0..4) {
                0 => Vec::new(),
                1 => vec![kind("A", 1)],
                2 => vec![kind("A", 2), kind("B", 1)],
                _ => vec![kind("B", 1), kind("B", 2), kind("A", 1)],
            },
            capacity: 100,
            load: rng.random_range(0..50),
            primaries: 0,
            labels: Vec::new(),
            leaving: rng.random_range(0..5) == 0,
            stamp: 0,
        };
        Member {
            record: Arc::new(record),
            state: MemberState::Alive,
        }
    }

    #[test]
    fn what_is_brought_up_to_date_is_what_is_counted_afresh() {
        let rng = &mut ChaCha8Rng::seed_from_u64(5);
        let mut members: BTreeMap<u8, Member> = BTreeMap::new();
        let mut counts = HostCounts::default();
        for version in 0..500 {
            for _ in 0..rng.random_range(0..4) {
                let number = rng.random_range(0..12);
                if rng.random_range(0..3) == 0 {
                    members.remove(&number);
                } else {
                    members.insert(number, member(number, rng));
                }
            }
            let view = MembershipView::new(version, members.values().cloned().collect());
            counts.on_view();
            if rng.random_range(0..3) == 0 {
                continue;
            }
            for (kind, version) in [("A", 1), ("A", 2), ("B", 1), ("B", 2), ("C", 1)] {
                let afresh = HostCounts::default().of(&view, kind, version);
                assert_eq!(counts.of(&view, kind, version), afresh, "{kind} {version}");
            }
        }
    }
}

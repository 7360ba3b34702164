//! How many hosts each kind has in the current view, counted once per view.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;

use overlay_proto::Table;
use overlay_proto::view::MembershipView;

use crate::placement::hosts_of;

/// Kinds and versions counted; beyond that it is counted again.
const COUNTS_MAX: usize = 1_024;

/// Numbers of hosts by kind and version.
#[derive(Debug, Default)]
pub(crate) struct HostCounts {
    counts: BTreeMap<String, BTreeMap<u32, usize>>,
}

impl HostCounts {
    /// How full it is.
    pub(crate) fn table(&self) -> Table {
        let count = self.counts.values().map(BTreeMap::len).sum();
        Table::new("host_counts", count, COUNTS_MAX)
    }

    /// The view changed.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
    }

    /// Hosts of this kind and version that are not leaving.
    pub(crate) fn of(&mut self, view: &MembershipView, kind: &str, version: u32) -> usize {
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
}

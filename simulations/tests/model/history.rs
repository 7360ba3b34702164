//! What the callers were told and what was chosen: from it follows whether a promise is broken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use objects_proto::object::Version;

use crate::host::Told;

/// Everything that the properties look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// The list at each version that a primary took for chosen.
    chosen: BTreeMap<Version, Bytes>,
    /// The writes that their caller knows to have run, with the answer.
    acknowledged: BTreeMap<u8, (Version, Bytes)>,
    /// The writes that were acknowledged when the read began; none before that.
    read: Option<BTreeSet<u8>>,
    /// The first promise that was broken.
    pub(crate) broken: Option<&'static str>,
}

/// Every version has one value.
pub(crate) const ONE_VALUE: &str = "one value per version";
/// A longer list continues a shorter one, and has each write once.
pub(crate) const ONE_EFFECT: &str = "one effect per call";
/// What was acknowledged is in every later list.
pub(crate) const NEVER_LOST: &str = "acknowledged never lost";
/// A read shows what was acknowledged before it.
pub(crate) const NO_STALE_READ: &str = "no stale read";
/// A repeated call is answered alike.
pub(crate) const SAME_ANSWER: &str = "same answer";

impl History {
    /// Takes in what was told. Whether that is new.
    pub(crate) fn learn(&mut self, told: &Told) -> bool {
        let before = self.clone();
        match told {
            Told::Chosen(version, list) => self.chosen(*version, list),
            Told::Wrote(number, version, list) => self.wrote(*number, *version, list),
            Told::Read(list) => self.read(list),
        }
        *self != before
    }

    /// Whether this was told before, and means nothing new.
    pub(crate) fn knows(&self, told: &Told) -> bool {
        !self.clone().learn(told)
    }

    /// A primary takes a version for chosen.
    fn chosen(&mut self, version: Version, list: &Bytes) {
        let known = self.chosen.entry(version).or_insert_with(|| list.clone());
        if known != list {
            return self.violate(ONE_VALUE);
        }
        let distinct: BTreeSet<u8> = list.iter().copied().collect();
        if distinct.len() != list.len() {
            self.violate(ONE_EFFECT);
        }
        self.check_kept();
    }

    /// A write was answered with its version and the list after it.
    fn wrote(&mut self, number: u8, version: Version, list: &Bytes) {
        if list.last() != Some(&number) {
            return self.violate(ONE_EFFECT);
        }
        let answer = (version, list.clone());
        let before = self.acknowledged.entry(number).or_insert(answer);
        if *before != (version, list.clone()) {
            return self.violate(SAME_ANSWER);
        }
        self.check_kept();
    }

    /// Each list that somebody was told of, or that was chosen, begins like those before it.
    fn check_kept(&mut self) {
        let chosen = self.chosen.iter().map(|(version, list)| (*version, list));
        let told = self.acknowledged.values();
        let told = told.map(|(version, list)| (*version, list));
        let mut lists: Vec<(Version, &Bytes)> = chosen.chain(told).collect();
        lists.sort();
        let kept = lists.is_sorted_by(|(_, before), (_, after)| after.starts_with(before));
        if !kept {
            self.violate(NEVER_LOST);
        }
    }

    /// The read reaches a primary: from now on its answer must show what was acknowledged before.
    pub(crate) fn begin_read(&mut self) {
        self.read = Some(self.acknowledged.keys().copied().collect());
    }

    /// The read was answered with this list.
    fn read(&mut self, list: &Bytes) {
        let Some(before) = &self.read else { return };
        if before.iter().any(|number| !list.contains(number)) {
            self.violate(NO_STALE_READ);
        }
    }

    fn violate(&mut self, promise: &'static str) {
        self.broken.get_or_insert(promise);
    }
}

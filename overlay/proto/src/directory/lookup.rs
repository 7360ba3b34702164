//! One search for an object: candidates come in, are tried one by one, refuted ones are set
//! aside while the search goes on.

use alloc::collections::{BTreeMap, VecDeque};

use super::{Bundle, DirectoryRecord, ObjectKey};
use crate::id::PeerId;
use crate::member::Keys;

/// The search for one object.
#[derive(Debug)]
pub struct Lookup {
    object: ObjectKey,
    candidates_max: usize,
    untried: VecDeque<DirectoryRecord>,
    newest: BTreeMap<PeerId, u64>,
    set_aside: usize,
    ended: bool,
}

impl Lookup {
    /// A search for `object` that considers at most `candidates_max` records.
    #[must_use]
    pub fn new(object: ObjectKey, candidates_max: usize) -> Self {
        Self {
            object,
            candidates_max,
            untried: VecDeque::new(),
            newest: BTreeMap::new(),
            set_aside: 0,
            ended: false,
        }
    }

    /// The object searched for.
    #[must_use]
    pub fn object(&self) -> ObjectKey {
        self.object
    }

    /// The hash table found a value. Records of other objects, forged ones and those not newer
    /// than what the same signer said before are dropped.
    pub fn found(&mut self, bundle: &Bundle, keys: &dyn Keys) {
        for signed in &bundle.records {
            let Ok(record) = signed.open(keys) else {
                continue;
            };
            let known = self.newest.get(&record.signer).copied();
            let full = known.is_none() && self.newest.len() >= self.candidates_max;
            let old = known.is_some_and(|sequence| sequence >= record.sequence);
            if record.object != self.object || old || full {
                continue;
            }
            self.newest.insert(record.signer, record.sequence);
            self.untried.retain(|other| other.signer != record.signer);
            self.untried.push_back(record);
        }
    }

    /// The next candidate to contact, in the order found: none is better for its epoch.
    pub fn next_candidate(&mut self) -> Option<DirectoryRecord> {
        self.untried.pop_front()
    }

    /// A candidate's members do not know the object, or were not reached.
    pub fn refuted(&mut self) {
        self.set_aside += 1;
    }

    /// The hash table will find no more.
    pub fn ended(&mut self) {
        self.ended = true;
    }

    /// Whether nothing more is to be hoped for: the search ended and nobody is left to try.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.ended && self.untried.is_empty()
    }

    /// Candidates that were refuted so far.
    #[must_use]
    pub fn set_aside(&self) -> usize {
        self.set_aside
    }
}

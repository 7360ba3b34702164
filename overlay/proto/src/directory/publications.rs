//! What this node publishes: one current content per object, at a bounded rate, again and
//! again before it expires.

use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{DirectoryRecord, ObjectKey, SignedDirectoryRecord};
use crate::config::DirectoryConfig;
use crate::member::Keys;
use crate::time::{Duration, Instant};

#[derive(Debug)]
struct Content {
    epoch: Bytes,
    value: Bytes,
    due: Option<Instant>,
    changed: bool,
}

/// The objects that this node publishes.
#[derive(Debug)]
pub struct Publications {
    config: DirectoryConfig,
    contents: BTreeMap<ObjectKey, Content>,
    schedule: BTreeSet<(Instant, ObjectKey)>,
    pending: usize,
    credit: Duration,
    credit_at: Instant,
    sequence: u64,
}

/// One record to put into the hash table; report its end with [`Publications::finished`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The object.
    pub object: ObjectKey,
    /// Its record, signed now.
    pub record: SignedDirectoryRecord,
}

/// As many objects as allowed are published already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit of published objects is reached")]
pub struct TooManyObjects;

impl Publications {
    /// Publishes nothing yet. `sequence` must be above all that this peer used before, for
    /// example the Unix time in milliseconds at its start.
    #[must_use]
    pub fn new(config: DirectoryConfig, now: Instant, sequence: u64) -> Self {
        let cost = Self::cost(&config);
        Self {
            contents: BTreeMap::new(),
            schedule: BTreeSet::new(),
            pending: 0,
            credit: cost * config.publications_burst,
            credit_at: now,
            sequence,
            config,
        }
    }

    /// From now on publishes this content for `object`. A content that was not yet published
    /// is replaced and never seen.
    ///
    /// # Errors
    /// [`TooManyObjects`]; then nothing was changed.
    pub fn publish(
        &mut self,
        now: Instant,
        object: ObjectKey,
        epoch: Bytes,
        value: Bytes,
    ) -> Result<(), TooManyObjects> {
        let known = self.contents.contains_key(&object);
        if !known && self.contents.len() >= self.config.publications_max {
            return Err(TooManyObjects);
        }
        let scheduled = (now, object);
        let content = self.contents.entry(object).or_insert_with(|| Content {
            epoch: Bytes::new(),
            value: Bytes::new(),
            due: Some(now),
            changed: false,
        });
        content.epoch = epoch;
        content.value = value;
        match content.due {
            Some(due) if due > now || !known => {
                self.schedule.remove(&(due, object));
                content.due = Some(now);
                self.schedule.insert(scheduled);
            }
            Some(_) => {}
            None => content.changed = true,
        }
        Ok(())
    }

    /// Stops publishing `object`; its records expire.
    pub fn withdraw(&mut self, object: &ObjectKey) {
        match self.contents.remove(object) {
            Some(Content { due: Some(due), .. }) => {
                self.schedule.remove(&(due, *object));
            }
            Some(_) => self.pending = self.pending.saturating_sub(1),
            None => {}
        }
    }

    /// The next record to put into the hash table, if one is due and the rate allows it.
    pub fn next(&mut self, now: Instant, keys: &dyn Keys) -> Option<Publication> {
        let (due, object) = *self.schedule.first()?;
        if due > now || self.pending >= self.config.publications_pending_max {
            return None;
        }
        let cost = Self::cost(&self.config);
        let most = cost * self.config.publications_burst;
        self.credit = most.min(self.credit + now.since(self.credit_at));
        self.credit_at = now;
        self.credit = self.credit.checked_sub(cost)?;
        self.schedule.pop_first();
        let content = self.contents.get_mut(&object)?;
        content.due = None;
        content.changed = false;
        self.pending += 1;
        self.sequence = self.sequence.saturating_add(1);
        let record = DirectoryRecord {
            object,
            epoch: content.epoch.clone(),
            value: content.value.clone(),
            sequence: self.sequence,
            signer: keys.peer(),
        };
        Some(Publication {
            object,
            record: SignedDirectoryRecord::sign(&record, keys),
        })
    }

    /// The hash table finished putting the record of `object`.
    pub fn finished(&mut self, now: Instant, object: &ObjectKey, succeeded: bool) {
        let Some(content) = self.contents.get_mut(object) else {
            return;
        };
        if content.due.is_some() {
            return;
        }
        self.pending = self.pending.saturating_sub(1);
        let pause = match (succeeded, content.changed) {
            (true, true) => Duration::ZERO,
            (true, false) => self.config.ttl / 3,
            (false, _) => self.config.retry,
        };
        content.due = Some(now + pause);
        self.schedule.insert((now + pause, *object));
    }

    /// When to call [`Self::next`] again, if no publication ends before.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let (due, _) = self.schedule.first()?;
        if self.pending >= self.config.publications_pending_max {
            return None;
        }
        let cost = Self::cost(&self.config);
        let credit = self.credit + now.since(self.credit_at);
        Some((*due).max(now + cost.saturating_sub(credit)))
    }

    /// Objects published.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether nothing is published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Time that earns one publication.
    fn cost(config: &DirectoryConfig) -> Duration {
        Duration::from_secs(1) / config.publications_per_second.max(1)
    }
}

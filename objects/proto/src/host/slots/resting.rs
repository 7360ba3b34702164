//! Which primaries rest: those that were not called for longest, a few with each tick.

use overlay_proto::Instant;

use super::Slots;

/// One in so many of the primaries that are awake beyond the limit is looked at with one tick: what
/// wakes in a burst goes to rest after it.
const REST_PART: usize = 256;
/// A burst keeps this many times the limit awake at most: beyond, some rest with each input.
const BURST: usize = 4;
/// So many are looked at with one input then: fewer cannot come to rest.
const RESTS_AT_ONCE: usize = 2;

impl Slots {
    /// Something was called. If very many are awake, some rest at once.
    pub(super) fn end_burst(&mut self, now: Instant) {
        self.in_vain = 0;
        for _ in 0..RESTS_AT_ONCE {
            if self.awake.len() > self.pace.awake.saturating_mul(BURST) {
                self.let_rest(now);
            }
        }
    }

    /// How many primaries are awake beyond the limit, unless none of all may rest.
    fn restless(&self) -> usize {
        if self.in_vain > 2 * self.awake.len() {
            return 0;
        }
        self.awake.len().saturating_sub(self.pace.awake)
    }

    /// Whether primaries are to rest.
    pub(crate) fn rests(&self) -> bool {
        self.restless() > 0
    }

    /// Lets some primaries rest.
    pub(crate) fn tick_rest(&mut self, now: Instant) {
        for _ in 0..self.restless().div_ceil(REST_PART) {
            self.let_rest(now);
        }
    }

    /// Lets the primary rest that was longest unused, unless it was used since, or is busy.
    fn let_rest(&mut self, now: Instant) {
        let Some(object) = self.awake.pop_front() else {
            return;
        };
        let Some(slot) = self.map.get_mut(&object).filter(|slot| slot.awake) else {
            return;
        };
        let used = core::mem::take(&mut slot.used);
        slot.awake = slot.replica.is_awake() && (used || !slot.replica.rest(now));
        if slot.awake {
            self.in_vain += 1;
            self.awake.push_back(object);
        } else {
            self.in_vain = 0;
        }
    }
}

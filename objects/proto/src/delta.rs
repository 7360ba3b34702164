//! Changes of encoded states, and above all differences of large ones.
//!
//! The new state is compared in chunks with the old one at two places: at the same distance from
//! the beginning, and at the same distance from the end. So any number of changes in place and
//! one insertion or removal cost little more than what is new, without an index of the old state
//! and in time that is linear in its length.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::digest::digest;
use crate::message::{Delta, Piece, ReplayCall, StateChange};
use crate::value::STATE_BYTES_MAX;

/// States up to this many bytes are always shipped whole: what a difference would save is less
/// than what it costs to find and to check.
pub const WHOLE_STATE_MAX: usize = 4 * 1024;

/// A difference is shipped if it is smaller than the state by this factor.
const PAYS: usize = 2;

/// Bytes compared at a time.
const CHUNK: usize = 4 * 1024;

/// Shorter common parts of a chunk are sent as new.
const KEPT_MIN: usize = 16;

/// What a piece weighs besides its new bytes.
const PIECE_COST: usize = 9;

/// What a difference weighs besides its pieces.
const DELTA_COST: usize = 16;

/// What a call weighs besides its arguments.
const CALL_COST: usize = 17;

/// Most pieces of a difference: three per chunk of the largest state.
pub const DELTA_PIECES_MAX: usize = 3 * (STATE_BYTES_MAX / CHUNK + 1);

impl Delta {
    /// The difference from `old` to `new`, if the state is large and the difference is not.
    #[must_use]
    pub fn between(old: &[u8], new: &Bytes) -> Option<Self> {
        if new.len() <= WHOLE_STATE_MAX {
            return None;
        }
        let pieces = Comparison { old, new }.pieces();
        let delta = Self {
            length: u32::try_from(new.len()).ok()?,
            digest: 0,
            pieces,
        };
        if delta.bytes() * PAYS >= new.len() {
            return None;
        }
        Some(Self {
            digest: digest(new),
            ..delta
        })
    }

    /// The state that it makes of `base`; `None` if it is no difference from that one.
    #[must_use]
    pub fn applied_to(&self, base: &[u8]) -> Option<Bytes> {
        self.spliced(base)
            .filter(|state| digest(state) == self.digest)
    }

    /// The pieces put together, if all are there and make the length that was said. Nothing is
    /// allocated for more than that.
    #[must_use]
    pub(crate) fn spliced(&self, base: &[u8]) -> Option<Bytes> {
        let length = usize::try_from(self.length).ok()?;
        let mut parts = Vec::with_capacity(self.pieces.len().min(DELTA_PIECES_MAX));
        let mut sum = 0_usize;
        for piece in &self.pieces {
            let part = piece.of(base)?;
            sum = sum.checked_add(part.len())?;
            parts.push(part);
        }
        if sum != length || length > STATE_BYTES_MAX {
            return None;
        }
        let mut state = BytesMut::with_capacity(length);
        for part in parts {
            state.extend_from_slice(part);
        }
        Some(state.freeze())
    }

    /// What it weighs on the wire, roughly, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        DELTA_COST + self.pieces.iter().map(Piece::bytes).sum::<usize>()
    }
}

impl StateChange {
    /// A change to the whole of `new`, or none.
    #[must_use]
    pub fn whole(new: Option<&Bytes>) -> Self {
        new.map_or(Self::Kept, |new| Self::Whole(new.clone()))
    }

    /// The smallest form of a change that needs nothing to be run. `new` is `None` if no call
    /// changed the state.
    #[must_use]
    pub fn between(old: &[u8], new: Option<&Bytes>) -> Self {
        let Some(new) = new else { return Self::Kept };
        Delta::between(old, new).map_or_else(|| Self::Whole(new.clone()), Self::Delta)
    }

    /// The state that it makes of `base`; `None` if it is no change of that one, or if calls
    /// must be run to know.
    #[must_use]
    pub fn applied_to(&self, base: &Bytes) -> Option<Bytes> {
        match self {
            Self::Kept => Some(base.clone()),
            Self::Whole(state) => Some(state.clone()),
            Self::Delta(delta) => delta.applied_to(base),
            Self::Replay(_) => None,
        }
    }

    /// What it weighs on the wire, roughly, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Kept => 0,
            Self::Whole(state) => state.len(),
            Self::Delta(delta) => delta.bytes(),
            Self::Replay(calls) => calls.iter().map(ReplayCall::bytes).sum(),
        }
    }
}

impl ReplayCall {
    /// What it weighs on the wire, roughly, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        CALL_COST + self.arguments.len()
    }
}

impl Piece {
    fn of<'a>(&'a self, base: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Self::New(bytes) => Some(bytes),
            Self::Kept { at, length } => {
                let start = usize::try_from(*at).ok()?;
                let end = start.checked_add(usize::try_from(*length).ok()?)?;
                base.get(start..end)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Kept { .. } => PIECE_COST,
            Self::New(bytes) => PIECE_COST + bytes.len(),
        }
    }
}

/// A part of the new state.
enum Part {
    /// It is this part of the old one.
    Kept(Range<usize>),
    /// It is not.
    New(Range<usize>),
}

struct Comparison<'a> {
    old: &'a [u8],
    new: &'a Bytes,
}

impl Comparison<'_> {
    fn pieces(&self) -> Vec<Piece> {
        let mut parts = Parts::default();
        for start in (0..self.new.len()).step_by(CHUNK) {
            let end = (start + CHUNK).min(self.new.len());
            let front = self.front(start..end);
            let back = self.back(start + front.len()..end);
            let middle = start + front.len()..end - back.len();
            parts.push(Part::Kept(front));
            parts.push(Part::New(middle));
            parts.push(Part::Kept(back));
        }
        parts.0.into_iter().map(|part| self.piece(&part)).collect()
    }

    /// The part of the old state with which the chunk begins: the longer one of the two places.
    fn front(&self, chunk: Range<usize>) -> Range<usize> {
        let places = [Some(chunk.start), self.counted_from_end(chunk.start)];
        let parts = places.into_iter().flatten().filter_map(|at| {
            let old = self.old.get(at..)?;
            let length = common_front(old, &self.new[chunk.clone()]);
            Some(at..at + length)
        });
        longest(parts)
    }

    /// The part of the old state with which the chunk ends.
    fn back(&self, chunk: Range<usize>) -> Range<usize> {
        let places = [Some(chunk.end), self.counted_from_end(chunk.end)];
        let parts = places.into_iter().flatten().filter_map(|end| {
            let old = self.old.get(..end)?;
            let length = common_back(old, &self.new[chunk.clone()]);
            Some(end - length..end)
        });
        longest(parts)
    }

    /// The place in the old state that is as far from its end as this one is in the new state.
    fn counted_from_end(&self, at: usize) -> Option<usize> {
        (at + self.old.len()).checked_sub(self.new.len())
    }

    fn piece(&self, part: &Part) -> Piece {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match part {
            Part::Kept(range) => Piece::Kept {
                at: number(range.start),
                length: number(range.len()),
            },
            Part::New(range) => Piece::New(self.new.slice(range.clone())),
        }
    }
}

/// Parts in order; those that go on where the one before ends become one.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn push(&mut self, part: Part) {
        match (self.0.last_mut(), &part) {
            (_, Part::Kept(range) | Part::New(range)) if range.is_empty() => {}
            (Some(Part::Kept(last)), Part::Kept(range)) if last.end == range.start => {
                last.end = range.end;
            }
            (Some(Part::New(last)), Part::New(range)) => last.end = range.end,
            _ => self.0.push(part),
        }
    }
}

/// The longest part, or none if it is not worth a piece.
fn longest(parts: impl Iterator<Item = Range<usize>>) -> Range<usize> {
    parts
        .max_by_key(Range::len)
        .filter(|part| part.len() >= KEPT_MIN)
        .unwrap_or(0..0)
}

/// Bytes that are compared by one instruction of many, not one by one.
const BLOCK: usize = 64;

fn common_front(left: &[u8], right: &[u8]) -> usize {
    let blocks = left.chunks_exact(BLOCK).zip(right.chunks_exact(BLOCK));
    let equal = blocks.take_while(|(left, right)| left == right).count() * BLOCK;
    let rest = left[equal..].iter().zip(&right[equal..]);
    equal + rest.take_while(|(left, right)| left == right).count()
}

fn common_back(left: &[u8], right: &[u8]) -> usize {
    let blocks = left.rchunks_exact(BLOCK).zip(right.rchunks_exact(BLOCK));
    let equal = blocks.take_while(|(left, right)| left == right).count() * BLOCK;
    let (left, right) = (&left[..left.len() - equal], &right[..right.len() - equal]);
    let rest = left.iter().rev().zip(right.iter().rev());
    equal + rest.take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests;

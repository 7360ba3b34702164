//! What a run was: a running hash of every event, and the last events in words when asked for.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use overlay_proto::Instant;

/// A running 64-bit hash, FNV-1a taken over words instead of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningHash(u64);

impl Default for RunningHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl RunningHash {
    /// Takes one word.
    pub fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(29);
    }

    /// Takes bytes, and their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(
                chunk
                    .iter()
                    .fold(0, |word, byte| (word << 8) | u64::from(*byte)),
            );
        }
        let rest = chunks.remainder();
        let tail = rest
            .iter()
            .fold(0, |word, byte| (word << 8) | u64::from(*byte));
        self.word(tail);
        self.word(bytes.len() as u64);
    }

    /// The hash so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Hasher for RunningHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    // Discriminants come this way; by the default their bytes would depend on the machine.
    fn write_isize(&mut self, word: isize) {
        self.word(word as u64);
    }
}

/// Which variant of an enumeration a value is. What it carries is not hashed: it came by a
/// message, whose bytes are, or is the answer of a machine to what is.
pub(crate) fn variant<T>(value: &T) -> u64 {
    let mut hash = RunningHash::default();
    discriminant(value).hash(&mut hash);
    hash.value()
}

/// The kinds of event that a trace tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A command reached a machine.
    Command,
    /// A message left a machine.
    Sent,
    /// A message reached a machine.
    Received,
    /// A timer fired.
    Timer,
    /// A link came up at a machine.
    LinkUp,
    /// A link went down at a machine.
    LinkDown,
    /// A machine emitted an event.
    Event,
    /// A fault was injected or healed.
    Fault,
    /// The scenario noted something.
    Note,
}

/// The trace of one run.
#[derive(Debug)]
pub struct Trace {
    hash: RunningHash,
    events: u64,
    keep: usize,
    last: VecDeque<String>,
}

impl Trace {
    /// A trace that keeps the last `keep` events in words. Zero is much faster: run without,
    /// and run the same seed again with words after a failure.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self {
            hash: RunningHash::default(),
            events: 0,
            keep,
            last: VecDeque::new(),
        }
    }

    /// Records one event: `node` is where it happened, `payload` its content's hash, `words`
    /// what to print of it.
    pub fn record(
        &mut self,
        at: Instant,
        node: u32,
        kind: Kind,
        payload: u64,
        words: impl FnOnce() -> String,
    ) {
        self.hash.word(at.as_micros());
        self.hash.word((u64::from(node) << 8) | kind as u64);
        self.hash.word(payload);
        self.events += 1;
        if self.keep > 0 {
            if self.last.len() == self.keep {
                self.last.pop_front();
            }
            self.last
                .push_back(format!("{at:?} node {node:<3} {kind:?} {}", words()));
        }
    }

    /// The hash of everything recorded.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.value()
    }

    /// Number of events recorded.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last events in words, oldest first.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_every_part() {
        let hash = |at, node, kind, payload| {
            let mut trace = Trace::new(0);
            trace.record(Instant::from_micros(at), node, kind, payload, String::new);
            trace.hash()
        };
        let reference = hash(1, 2, Kind::Sent, 3);
        assert_eq!(reference, hash(1, 2, Kind::Sent, 3));
        for other in [
            hash(2, 2, Kind::Sent, 3),
            hash(1, 3, Kind::Sent, 3),
            hash(1, 2, Kind::Timer, 3),
            hash(1, 2, Kind::Sent, 4),
        ] {
            assert_ne!(reference, other);
        }
    }

    #[test]
    fn variants_differ_and_their_contents_do_not() {
        assert_eq!(variant(&Some(1)), variant(&Some(2)));
        assert_ne!(variant(&Some(1)), variant(&None::<u8>));
    }

    #[test]
    fn bytes_of_different_length_differ() {
        let hash = |bytes: &[u8]| {
            let mut hash = RunningHash::default();
            hash.bytes(bytes);
            hash.value()
        };
        assert_ne!(hash(b""), hash(b"\0"));
        assert_ne!(hash(b"\0"), hash(b"\0\0"));
        assert_ne!(hash(b"12345678"), hash(b"12345679"));
    }

    #[test]
    fn keeps_only_the_last_events() {
        let mut trace = Trace::new(2);
        for at in 0..5 {
            trace.record(Instant::from_micros(at), 0, Kind::Note, 0, || {
                format!("event {at}")
            });
        }
        let last: Vec<&str> = trace.last().collect();
        assert_eq!(last.len(), 2);
        assert!(last[1].ends_with("event 4"));
        assert_eq!(trace.events(), 5);
    }
}

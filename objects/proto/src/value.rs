//! The register's value: what a step makes of it, what it weighs, how a call is told apart.

use bytes::Bytes;

use crate::digest::digest_of_arguments;
use crate::execution::{Codec, Deferred};
use crate::message::{Outbox, OutboxOp, Status, Value};
use crate::object::MethodId;
use crate::session::SessionOp;

/// Largest encoded state of one object, bytes.
pub const STATE_BYTES_MAX: usize = 1024 * 1024;

/// Most calls that one object's outbox holds undelivered.
pub const OUTBOX_CALLS_MAX: usize = 1024;

/// Most bytes of arguments that one object's outbox holds undelivered.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;

/// What one outbox call weighs besides its arguments and its method's name, bytes.
const DEFERRED_COST: usize = 64;

impl Value {
    /// Takes one step. Equal values and equal steps give equal values on every replica.
    pub fn apply(
        &mut self,
        state: Option<&Bytes>,
        sessions: &[SessionOp],
        outbox: &[OutboxOp],
        status: Option<&Status>,
    ) {
        if let Some(state) = state {
            self.state = state.clone();
        }
        for op in sessions {
            self.sessions.apply(op);
        }
        for op in outbox {
            self.outbox.apply(op);
        }
        if let Some(status) = status {
            self.status = status.clone();
        }
    }

    /// What it weighs in memory and on the wire, roughly, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kind.len() + self.state.len() + self.sessions.bytes() + self.outbox.bytes()
    }
}

impl Outbox {
    /// Takes one change.
    pub fn apply(&mut self, op: &OutboxOp) {
        match op {
            OutboxOp::Push(call) => {
                self.last = self.last.saturating_add(1);
                self.calls.push((self.last, call.clone()));
            }
            OutboxOp::Done(number) => self.calls.retain(|(held, _)| held != number),
        }
    }

    /// What the undelivered calls weigh, roughly, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.calls
            .iter()
            .map(|(_, call)| deferred_bytes(call))
            .sum()
    }

    /// Whether these calls may be recorded besides those that are.
    #[must_use]
    pub fn has_room(&self, calls: &[Deferred]) -> bool {
        let bytes: usize = calls.iter().map(deferred_bytes).sum();
        self.calls.len() + calls.len() <= OUTBOX_CALLS_MAX
            && self.bytes() + bytes <= OUTBOX_BYTES_MAX
    }
}

/// What one outbox call weighs, roughly, bytes.
fn deferred_bytes(call: &Deferred) -> usize {
    DEFERRED_COST + call.name.len() + call.arguments.len()
}

/// The hash by which a repeated call is told from another call under the same id, over method,
/// codec and arguments.
#[must_use]
pub fn call_hash(method: MethodId, codec: Codec, arguments: &[u8]) -> u64 {
    let codec: u8 = match codec {
        Codec::Cbor => 0,
        Codec::Json => 1,
    };
    digest_of_arguments(u64::from(method.0) << 8 | u64::from(codec), arguments)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::object::ObjectId;
    use crate::reference::RawRef;

    fn deferred(arguments: &'static [u8]) -> Deferred {
        Deferred {
            target: RawRef::bare(ObjectId(7), "Counter"),
            method: MethodId::of("add"),
            name: String::from("add"),
            arguments: Bytes::from_static(arguments),
        }
    }

    #[test]
    fn outbox_numbers_are_never_used_twice() {
        let mut outbox = Outbox::default();
        outbox.apply(&OutboxOp::Push(deferred(b"a")));
        outbox.apply(&OutboxOp::Push(deferred(b"b")));
        outbox.apply(&OutboxOp::Done(2));
        outbox.apply(&OutboxOp::Done(1));
        outbox.apply(&OutboxOp::Push(deferred(b"c")));
        assert_eq!(outbox.calls, [(3, deferred(b"c"))]);
    }

    #[test]
    fn outbox_is_bounded_in_calls_and_bytes() {
        let mut outbox = Outbox::default();
        let large = Deferred {
            arguments: Bytes::from(alloc::vec![0; OUTBOX_BYTES_MAX]),
            ..deferred(b"")
        };
        assert!(!outbox.has_room(&[large]));
        for _ in 0..OUTBOX_CALLS_MAX {
            assert!(outbox.has_room(&[deferred(b"")]));
            outbox.apply(&OutboxOp::Push(deferred(b"")));
        }
        assert!(!outbox.has_room(&[deferred(b"")]));
    }

    #[test]
    fn calls_that_differ_in_one_part_differ_in_their_hash() {
        let base = call_hash(MethodId::of("add"), Codec::Cbor, b"1");
        assert_eq!(base, call_hash(MethodId::of("add"), Codec::Cbor, b"1"));
        assert_ne!(base, call_hash(MethodId::of("sub"), Codec::Cbor, b"1"));
        assert_ne!(base, call_hash(MethodId::of("add"), Codec::Json, b"1"));
        assert_ne!(base, call_hash(MethodId::of("add"), Codec::Cbor, b"2"));
    }
}

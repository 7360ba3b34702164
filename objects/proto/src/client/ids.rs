//! Ids of calls: unique in all objects' histories, and the same for every attempt.

use overlay_proto::ProcessId;

use crate::execution::Codec;
use crate::object::{MethodId, ObjectId};

/// FNV-1a of 128 bits.
struct Fnv(u128);

impl Fnv {
    const fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn write(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte))
                .wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
        self
    }
}

/// The id of the `ordinal`-th outermost call that a process makes.
pub(super) fn outermost(me: &ProcessId, ordinal: u64) -> u128 {
    Fnv::new()
        .write(b"call")
        .write(&me.peer.0)
        .write(&me.incarnation.0.to_le_bytes())
        .write(&ordinal.to_le_bytes())
        .0
}

/// The id of a call from an outbox: the same whoever delivers it.
pub(super) fn outbox(source: ObjectId, number: u64) -> u128 {
    Fnv::new()
        .write(b"outbox")
        .write(&source.0.to_le_bytes())
        .write(&number.to_le_bytes())
        .0
}

/// The id of a call made inside another one. A run of the parent that takes another branch
/// makes other calls, which must not get the stored results of these.
pub(super) fn nested(
    parent: u128,
    ordinal: u32,
    callee: ObjectId,
    method: MethodId,
    codec: Codec,
    arguments: &[u8],
) -> u128 {
    Fnv::new()
        .write(b"nested")
        .write(&parent.to_le_bytes())
        .write(&ordinal.to_le_bytes())
        .write(&callee.0.to_le_bytes())
        .write(&method.0.to_le_bytes())
        .write(&[codec as u8])
        .write(arguments)
        .0
}

//! Whatever goes in comes out, and nothing else comes out.

mod strategies;

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::Duration;
use proptest::prelude::*;

use self::strategies::{message, set_of};
use super::{FRAME_BYTES_MAX, FRAME_VERSION, FrameError, decode, encode};
use crate::delta::DELTA_PIECES_MAX;
use crate::execution::{CallChain, Codec, RootId};
use crate::message::{
    Ask, CallRequest, Change, Delta, Message, Piece, Position, REPLAY_CALLS_MAX, RegisterMessage,
    ReplayCall, Reply, Request, Sighting, StateChange,
};
use crate::object::{Ballot, Epoch, Lineage, MEMBERS_MAX, MethodId, ObjectId, Version};
use crate::outcome::{Outcome, Witness};
use crate::session::SessionId;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn messages_survive(message in message()) {
        let frame = encode(&message).unwrap();
        prop_assert_eq!(decode(frame), Ok(message));
    }

    #[test]
    fn a_frame_cut_short_is_no_message(message in message(), cut in any::<prop::sample::Index>()) {
        let frame = encode(&message).unwrap();
        let cut = cut.index(frame.len());
        prop_assert!(decode(frame.slice(..cut)).is_err());
    }

    #[test]
    fn a_frame_with_a_tail_is_no_message(message in message(), tail in any::<u8>()) {
        let mut frame = encode(&message).unwrap().to_vec();
        frame.push(tail);
        prop_assert!(decode(Bytes::from(frame)).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(
        form in 0u8..12,
        noise in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut frame = vec![FRAME_VERSION, form];
        frame.extend(noise);
        if let Ok(message) = decode(Bytes::from(frame)) {
            prop_assert_eq!(decode(encode(&message).unwrap()), Ok(message));
        }
    }

    #[test]
    fn a_flipped_byte_does_no_harm(
        message in message(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut frame = encode(&message).unwrap().to_vec();
        let place = place.index(frame.len());
        frame[place] = byte;
        if let Ok(message) = decode(Bytes::from(frame)) {
            prop_assert_eq!(decode(encode(&message).unwrap()), Ok(message));
        }
    }
}

fn call(arguments: Bytes, holds: usize) -> Message {
    let session = SessionId {
        lineage: Lineage::default(),
        version: Version(1),
    };
    Message::Request(Request {
        id: 1,
        object: ObjectId(2),
        kind: MethodId(3),
        attempt: 0,
        budget: Duration::from_secs(5),
        ask: Ask::Call(CallRequest {
            method: MethodId(4),
            write: true,
            codec: Codec::Cbor,
            position: Position::Numbered {
                session,
                number: 9,
                predecessor: 8,
                floor: 7,
            },
            chain: CallChain {
                root: RootId { began: 1, call: 2 },
                call: 3,
                holds: vec![ObjectId(5); holds],
            },
            arguments,
        }),
    })
}

/// The bytes themselves: a change of them is a change of the protocol and of its version.
#[test]
fn the_forms_of_a_call_and_its_answer_are_fixed() {
    let frame = encode(&call(Bytes::from_static(b"ab"), 0)).unwrap();
    let mut expected: Vec<u8> = vec![1, 1];
    expected.extend(1u64.to_le_bytes());
    expected.extend(2u128.to_le_bytes());
    expected.extend(3u32.to_le_bytes());
    expected.extend(0u32.to_le_bytes());
    expected.extend(5_000_000u64.to_le_bytes());
    expected.extend(4u32.to_le_bytes());
    expected.extend([1, 0, 2]);
    expected.extend([0; 8]);
    for number in [1u64, 9, 8, 7, 1] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend(2u128.to_le_bytes());
    expected.extend(3u128.to_le_bytes());
    expected.extend([0; 4]);
    expected.extend([2, 0, 0, 0, b'a', b'b']);
    assert_eq!(frame, expected);

    let witness = Witness {
        epoch: Epoch::default(),
        version: Version(6),
    };
    let outcome = Outcome::Returned(Bytes::from_static(b"ok"));
    let reply = Reply::Done {
        outcome,
        witness: Some(witness),
    };
    let frame = encode(&Message::Reply { id: 1, reply }).unwrap();
    let mut expected: Vec<u8> = vec![1, 2];
    expected.extend(1u64.to_le_bytes());
    expected.extend([0, 2, 0, 0, 0, b'o', b'k', 1]);
    expected.extend([0; 16]);
    expected.extend(6u64.to_le_bytes());
    assert_eq!(frame, expected);
}

#[test]
fn decoded_arguments_share_the_frame() {
    let frame = encode(&call(Bytes::from(vec![7; 1000]), 0)).unwrap();
    let range = frame.as_ptr_range();
    let Ok(Message::Request(Request {
        ask: Ask::Call(call),
        ..
    })) = decode(frame.clone())
    else {
        panic!("no call")
    };
    assert!(range.contains(&call.arguments.as_ptr()));
}

#[test]
fn lists_have_limits() {
    assert!(decode(encode(&call(Bytes::new(), 32)).unwrap()).is_ok());
    let long = encode(&call(Bytes::new(), 33)).unwrap();
    assert_eq!(decode(long), Err(FrameError::Limits));
    for members in [0, MEMBERS_MAX + 1] {
        let sighting = Sighting::Member {
            configuration: set_of(members),
            primary: None,
        };
        let here = Message::Here {
            object: ObjectId(1),
            sighting,
        };
        assert_eq!(decode(encode(&here).unwrap()), Err(FrameError::Limits));
    }
}

#[test]
fn changes_of_a_state_have_limits() {
    let accept = |state| Message::Register {
        object: ObjectId(1),
        message: RegisterMessage::Accept {
            epoch: Epoch::default(),
            ballot: Ballot::default(),
            version: Version(2),
            change: Change::Step {
                base: Version(1),
                state,
                sessions: Vec::new(),
                outbox: Vec::new(),
                status: None,
            },
        },
    };
    let pieces = |count| {
        let length = 1;
        StateChange::Delta(Delta {
            length,
            digest: 0,
            pieces: vec![Piece::Kept { at: 0, length }; count],
        })
    };
    let calls = |count| {
        let call = ReplayCall {
            method: MethodId(1),
            codec: Codec::Cbor,
            arguments: Bytes::new(),
            digest: 0,
        };
        StateChange::Replay(vec![call; count])
    };
    for fits in [pieces(DELTA_PIECES_MAX), calls(1), calls(REPLAY_CALLS_MAX)] {
        assert!(decode(encode(&accept(fits)).unwrap()).is_ok());
    }
    for long in [
        pieces(DELTA_PIECES_MAX + 1),
        calls(0),
        calls(REPLAY_CALLS_MAX + 1),
    ] {
        let frame = encode(&accept(long)).unwrap();
        assert_eq!(decode(frame), Err(FrameError::Limits));
    }
}

#[test]
fn a_length_that_lies_costs_no_memory() {
    let mut frame = encode(&call(Bytes::new(), 0)).unwrap().to_vec();
    let length = frame.len();
    frame[length - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(Bytes::from(frame.clone())), Err(FrameError::Short));
    frame[length - 8..length - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(Bytes::from(frame)), Err(FrameError::Short));
}

#[test]
fn other_versions_and_giants_are_refused() {
    assert_eq!(
        decode(Bytes::from_static(&[2, 7, 0])),
        Err(FrameError::Version(2))
    );
    assert_eq!(decode(Bytes::new()), Err(FrameError::Short));
    let giant = call(Bytes::from(vec![0; FRAME_BYTES_MAX]), 0);
    assert!(matches!(encode(&giant), Err(FrameError::TooLong(_))));
    let giant = Bytes::from(vec![FRAME_VERSION; FRAME_BYTES_MAX + 1]);
    assert!(matches!(decode(giant), Err(FrameError::TooLong(_))));
}

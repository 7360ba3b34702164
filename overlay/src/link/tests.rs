//! What arrives on a link, altered: no decoder comes to harm.

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::io::Cursor;
use fuzz::{dice, noisy, seeds, swollen};
use overlay_proto::{Incarnation, PeerId, ProcessId};

use super::frame::{Channel, Decoder, Frame, SMALL_FRAME_BYTES_MAX};
use super::hello::{Answer, Hello, Introduction, VERSION, message, read_message};

fn introduction() -> Introduction {
    Introduction {
        version: VERSION,
        cluster: String::from("default"),
        process: ProcessId {
            peer: PeerId([7; 32]),
            incarnation: Incarnation(3),
        },
        addresses: vec![String::from("/ip4/127.0.0.1/tcp/4001"); 3],
    }
}

fn read_hello(bytes: &[u8]) -> Option<Hello> {
    read_message(&mut Cursor::new(bytes)).now_or_never()?.ok()
}

fn read_answer(bytes: &[u8]) -> Option<Answer> {
    read_message(&mut Cursor::new(bytes)).now_or_never()?.ok()
}

#[test]
fn altered_hellos_and_answers_do_no_harm() {
    let hello = Hello {
        from: introduction(),
        nonce: 9,
        last: Some(8),
    };
    let answers = [
        Answer::Welcome(introduction()),
        Answer::Busy,
        Answer::Stranger,
    ];
    assert_eq!(read_hello(&message(&hello)), Some(hello.clone()));
    let mut recordings = vec![message(&hello)];
    for answer in &answers {
        assert_eq!(read_answer(&message(answer)).as_ref(), Some(answer));
        recordings.push(message(answer));
    }
    for seed in seeds(1_000) {
        let mut dice = dice(seed);
        for bytes in [
            noisy(&mut dice, &recordings),
            swollen(&mut dice, &recordings),
        ] {
            if let Some(hello) = read_hello(&bytes) {
                assert_eq!(read_hello(&message(&hello)), Some(hello));
            }
            if let Some(answer) = read_answer(&bytes) {
                assert_eq!(read_answer(&message(&answer)), Some(answer));
            }
        }
    }
}

fn wire(frames: &[Frame]) -> Vec<u8> {
    let mut wire = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode_into(&mut wire));
    wire.to_vec()
}

/// What was cut out of the bytes is what its bytes say, and no more is held than was fed.
#[test]
fn altered_streams_of_frames_do_no_harm() {
    let frame = |channel, bytes: usize| Frame {
        channel,
        payload: Bytes::from(vec![7; bytes]),
    };
    let frames = [
        frame(Channel::Control, 30),
        frame(Channel::Data, 0),
        frame(Channel::Request, 300),
        frame(Channel::Reply, 5),
        frame(Channel::Bye, 0),
    ];
    let recordings = [wire(&frames), wire(&frames[1..3])];
    for seed in seeds(1_000) {
        let mut dice = dice(seed);
        for bytes in [
            noisy(&mut dice, &recordings),
            swollen(&mut dice, &recordings),
        ] {
            let mut decoder = Decoder::new(SMALL_FRAME_BYTES_MAX);
            let mut taken = Vec::new();
            'stream: for part in bytes.chunks(17) {
                decoder.feed(part);
                loop {
                    match decoder.next() {
                        Ok(Some(frame)) => taken.push(frame),
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                }
            }
            let again = wire(&taken);
            assert_eq!(bytes.get(..again.len()), Some(&again[..]));
        }
    }
}

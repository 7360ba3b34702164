//! What is measured, by name: something to do once, after something was set up.

use bytes::Bytes;
use objects_proto::frame;
use objects_proto::message::Message;
use objects_proto::reference::RawRef;

use crate::world::World;

/// Every scenario.
pub(crate) const NAMES: [&str; 6] = [
    "call, factor 1",
    "write, factor 3",
    "eight queued writes, factor 3",
    "creation, factor 3",
    "encode the frames of a write",
    "decode the frames of a write",
];

/// A scenario that is ready.
pub(crate) enum Scenario {
    /// Calls that go on at once, on one object.
    Calls(Box<World>, RawRef, usize),
    /// Objects that are made.
    Creations(Box<World>),
    /// Messages that become frames.
    Encode(Vec<Message>),
    /// Frames that become messages.
    Decode(Vec<Bytes>),
}

impl Scenario {
    pub(crate) fn new(name: &str) -> Self {
        match name {
            "call, factor 1" => Self::calls(1, 1),
            "write, factor 3" => Self::calls(3, 1),
            "eight queued writes, factor 3" => Self::calls(3, 8),
            "creation, factor 3" => Self::Creations(Box::new(World::new(3))),
            "encode the frames of a write" => {
                let decoded = frames().into_iter().map(frame::decode);
                Self::Encode(decoded.map(|message| message.expect("a message")).collect())
            }
            _ => Self::Decode(frames()),
        }
    }

    fn calls(hosts: u8, at_once: usize) -> Self {
        let mut world = Box::new(World::new(hosts));
        let object = world.create();
        Self::Calls(world, object, at_once)
    }

    /// Does it once.
    pub(crate) fn step(&mut self) {
        match self {
            Self::Calls(world, object, at_once) => {
                let ended = world.ended();
                for _ in 0..*at_once {
                    world.begin(object, 1);
                }
                world.deliver();
                assert_eq!(world.ended(), ended + *at_once as u64);
            }
            Self::Creations(world) => drop(world.create()),
            Self::Encode(messages) => {
                for message in messages {
                    std::hint::black_box(frame::encode(message)).expect("a frame");
                }
            }
            Self::Decode(frames) => {
                for frame in frames {
                    std::hint::black_box(frame::decode(frame.clone())).expect("a message");
                }
            }
        }
    }
}

/// The frames of one write with three replicas: request, two steps, two answers, reply.
fn frames() -> Vec<Bytes> {
    let mut world = World::new(3);
    let object = world.create();
    for _ in 0..4 {
        world.increment(&object, 1);
    }
    world.sent = Some(Vec::new());
    world.increment(&object, 1);
    world.sent.take().expect("frames were kept")
}

//! Before a member declares another dead, it asks what a third one knows.

use alloc::vec::Vec;

use super::{World, content};
use crate::ProcessId;
use crate::interface::{Command, Event};
use crate::machine::Input;
use crate::member::MemberState;
use crate::message::{GossipBatch, MembershipEvent};
use crate::time::Duration;

#[test]
fn a_refutation_that_gossip_lost_is_asked_for_before_a_death() {
    let mut world = World::new();
    let all = world.cluster(60);
    let doubted = all[7];
    let others = all.iter().filter(|one| **one != doubted);
    let strangers = others
        .clone()
        .filter(|one| !world.connected(**one, doubted));
    let deaf: Vec<ProcessId> = strangers.take(3).copied().collect();
    let told = others.filter(|one| !deaf.contains(one));
    let sequence = world
        .view(all[1])
        .process(&doubted)
        .unwrap()
        .record
        .sequence;

    world.gossip_works = false;
    world.input(doubted, Input::Command(Command::Announce(content(1))));
    world.run(Duration::from_millis(100));
    let refutation = published(&world, doubted);
    for other in told.clone() {
        world.input(*other, Input::Command(Command::Gossip(refutation.clone())));
    }
    let doubts = told.take(3).map(|observer| MembershipEvent::Suspect {
        process: doubted,
        sequence,
        observer: *observer,
        refused: false,
    });
    let doubts = GossipBatch {
        events: doubts.collect(),
        cluster: None,
    };
    for one in &deaf {
        world.input(*one, Input::Command(Command::Gossip(doubts.encode())));
    }
    let state = |world: &World, of| world.view(of).process(&doubted).map(|one| one.state);
    assert_eq!(state(&world, deaf[0]), Some(MemberState::Suspect));

    world.run(Duration::from_secs(2));
    for one in &deaf {
        assert_eq!(world.losses(*one), 0);
        assert_eq!(state(&world, *one), Some(MemberState::Alive));
    }
}

/// What a member published last.
fn published(world: &World, process: ProcessId) -> bytes::Bytes {
    let batches = world.events(process).filter_map(|event| match event {
        Event::Publish(bytes) => Some(bytes.clone()),
        _ => None,
    });
    batches.collect::<Vec<_>>().pop().unwrap()
}

//! Stories of reads that ask nobody, and of promises that wait for them.

use alloc::vec::Vec;

use super::story::*;
use super::world::*;
use crate::message::{Position, Reply};
use crate::object::Version;
use crate::outcome::{Outcome, Witness};
use crate::reads::Reads;

/// Three members; the primary, 0, has read once, and so has leases.
fn leased() -> Story {
    let mut story = Story::reading(Reads::Lease, 4, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.list(0);
    story
}

/// What a host answers to a read though it hears no other host.
fn list_alone(story: &mut Story, to: usize) -> Option<Vec<u32>> {
    story.apart = true;
    let id = story.ask(to, 0, call("list", Position::Unordered, 0));
    story.flow();
    story.apart = false;
    listed(story.reply(id)?)
}

fn listed(reply: &Reply) -> Option<Vec<u32>> {
    match reply {
        Reply::Done {
            outcome: Outcome::Returned(bytes),
            ..
        } => Some(tags(bytes)),
        _ => None,
    }
}

#[test]
fn a_leased_read_asks_nobody_until_the_lease_is_over() {
    let mut story = leased();
    assert_eq!(list_alone(&mut story, 0), Some([7].into()));
    story.pass(2_850);
    assert_eq!(list_alone(&mut story, 0), Some([7].into()));
    story.pass(75);
    assert_eq!(list_alone(&mut story, 0), None, "3 % before the term");
}

#[test]
fn a_quorum_read_asks_somebody() {
    let mut story = Story::new(3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.list(0);
    assert_eq!(list_alone(&mut story, 0), None);
}

#[test]
fn a_stale_read_asks_nobody_and_is_as_old_as_its_primary() {
    let mut story = Story::reading(Reads::Stale, 3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = [0].into();
    story.stand(1);
    story.append(1, 2, 8);
    story.cut.clear();
    assert_eq!(list_alone(&mut story, 0), Some([7].into()));
    assert_eq!(story.list(1), [7, 8]);
}

#[test]
fn nobody_takes_over_before_the_lease_is_over_and_then_somebody_does() {
    let mut story = leased();
    story.cut = [0].into();
    story.stand(1);
    story.stand(2);
    story.pass(2_950);
    assert_eq!(story.world.active(), [0]);
    story.pass(1_000);
    let active = story.world.active();
    let taken = active.iter().find(|index| **index != 0);
    let new = *taken.expect("one of those that were put off stands by itself");
    story.append(new, 2, 8);
    story.cut.clear();
    assert_eq!(list_alone(&mut story, 0), None, "its leases are over");
}

#[test]
fn a_backup_that_granted_nothing_is_put_off_by_one_that_did() {
    let mut story = Story::reading(Reads::Lease, 4, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = [2].into();
    story.list(0);
    story.cut = [0].into();
    story.stand(2);
    assert!(story.world.hosts[1].leases.delayed > 0);
    story.pass(2_900);
    assert_eq!(story.world.active(), [0]);
    story.pass(500);
    assert_eq!(story.world.active(), [0, 2]);
}

#[test]
fn an_object_without_leased_reads_is_taken_over_at_once() {
    let mut story = Story::reading(Reads::Lease, 3, &[0, 1, 2]);
    story.append(0, 1, 7);
    story.cut = [0].into();
    story.stand(1);
    assert_eq!(story.world.active(), [0, 1]);
}

#[test]
fn a_leased_read_does_not_wait_for_a_write_of_somebody_else() {
    let mut story = leased();
    story.apart = true;
    let write = story.ask(0, 0, call("append", numbered(2), 8));
    story.flow();
    let read = story.ask(0, 0, call("list", Position::Unordered, 0));
    story.flow();
    assert_eq!(story.reply(write), None);
    let read = story.reply(read).expect("the state before the write");
    assert_eq!(listed(read), Some([7].into()));
    let witness = match read {
        Reply::Done { witness, .. } => *witness,
        _ => None,
    };
    let epoch = story.world.replica(0).configuration().epoch;
    let version = Version(2);
    assert_eq!(witness, Some(Witness { epoch, version }));
}

#[test]
fn a_leased_read_waits_for_a_write_of_its_own_handle() {
    let mut story = leased();
    story.apart = true;
    story.ask(0, 0, call("append", numbered(2), 8));
    story.flow();
    let after = Position::After {
        session: BORN,
        predecessor: 2,
        floor: 1,
    };
    let read = story.ask(0, 0, call("list", after, 0));
    story.flow();
    assert_eq!(story.reply(read), None);
    story.apart = false;
    story.pass(1_000);
    let read = story.reply(read).and_then(listed);
    assert_eq!(read, Some([7, 8].into()));
}

#[test]
fn a_primary_that_has_shipped_a_seal_reads_no_more_alone() {
    let mut story = leased();
    let next = prepare_next(&mut story, 0, &[1, 2, 3]);
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    assert_eq!(list_alone(&mut story, 0), None);
}

#[test]
fn a_backup_that_has_stored_a_seal_need_not_wait() {
    let mut story = leased();
    let next = prepare_next(&mut story, 0, &[1, 2, 3]);
    story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    // The seal arrives, no answer to it does.
    let seals: Vec<_> = story.world.bag.drain(..).collect();
    for seal in seals {
        story.world.deliver(seal);
    }
    story.world.bag.clear();
    story.cut = [0].into();
    story.stand(2);
    assert_eq!(story.list(1), [7], "the next set goes on");
}

#[test]
fn a_lease_counts_for_one_ballot() {
    let mut story = leased();
    story.cut = [0].into();
    story.pass(3_000);
    story.stand(1);
    story.cut.clear();
    story.append(1, 2, 8);
    story.stand(0);
    assert_eq!(story.list(0), [7, 8]);
    story.cut = [0].into();
    story.stand(1);
    assert_eq!(story.world.active(), [0], "0 read, and has leases again");
}

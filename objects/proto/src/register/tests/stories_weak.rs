//! Stories of weak mode: answers before anything is shipped, takeovers without a majority, and
//! what is lost by them.

use alloc::vec;
use alloc::vec::Vec;

use super::story::*;
use super::world::*;
use crate::message::{Ask, Position, Refusal, RegisterMessage, Reply};
use crate::mode::Lost;
use crate::object::{Lineage, Version};
use crate::outcome::{Cause, Outcome};
use crate::register::Note;

fn appended(story: &mut Story, to: usize, number: u64, tag: u32) -> u32 {
    returned(&story.append(to, number, tag))
}

fn stored(story: &Story, index: usize) -> Option<Vec<u32>> {
    let (_, _, value) = story.world.replica(index).value()?;
    Some(tags(&value.state))
}

fn lost(story: &Story, index: usize) -> Vec<Lost> {
    let lost = |note: &Note| match note {
        Note::Lost(lost) => Some(lost.clone()),
        _ => None,
    };
    story.notes(index).iter().filter_map(lost).collect()
}

/// How many versions a host has said to be lost.
fn discarded(story: &Story, index: usize) -> u64 {
    lost(story, index).iter().map(Lost::versions).sum()
}

/// The member stands, and collects from whom it reaches until its time is over.
fn take_over(story: &mut Story, index: usize) {
    story.stand(index);
    story.pass(500);
}

#[test]
fn answers_leave_before_anybody_else_has_stored_anything() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    story.apart = true;
    assert_eq!(appended(&mut story, 0, 1, 7), 1);
    assert_eq!(appended(&mut story, 0, 2, 8), 2);
    assert_eq!(story.list(0), [7, 8]);
}

#[test]
fn what_was_answered_is_shipped_soon_and_then_all_is_quiet() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    for number in 1..=5 {
        appended(&mut story, 0, number, 7);
    }
    assert_eq!(stored(&story, 1), Some(vec![7]), "the first one at once");
    story.pass(50);
    for index in [1, 2] {
        assert_eq!(stored(&story, index), Some(vec![7; 5]));
    }
    assert!(!story.world.replica(0).wants_tick());
}

#[test]
fn no_more_than_64_versions_wait_to_be_shipped() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    for number in 1..=66 {
        appended(&mut story, 0, number, 7);
    }
    assert_eq!(stored(&story, 1), Some(vec![7; 65]));
}

#[test]
fn one_member_takes_over_alone_and_a_dead_primary_s_last_calls_are_gone() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.apart = true;
    appended(&mut story, 0, 2, 8);
    story.apart = false;
    story.cut = vec![0, 1];
    take_over(&mut story, 2);
    assert_eq!(story.list(2), [7]);
    assert_eq!(appended(&mut story, 2, 2, 9), 2);
}

#[test]
fn a_takeover_goes_on_from_the_newest_copy_that_it_reaches() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.cut = vec![2];
    appended(&mut story, 0, 2, 8);
    story.pass(50);
    story.cut = vec![0];
    take_over(&mut story, 2);
    assert_eq!(story.list(2), [7, 8]);
    assert_eq!(stored(&story, 1), Some(vec![7, 8]));
}

/// The primary 0 has shipped [7, 8] to 1 only, which went on alone and then fell silent; 0 hears
/// of it from elsewhere, after one more call.
fn overtaken() -> Story {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.cut = vec![2];
    appended(&mut story, 0, 2, 8);
    story.pass(50);
    story.cut = vec![0, 2];
    take_over(&mut story, 1);
    appended(&mut story, 1, 3, 9);
    let gone = RegisterMessage::Gone {
        epoch: story.world.replica(0).configuration().epoch,
        sighting: story.world.replica(1).sighting(),
    };
    story.cut = vec![1];
    appended(&mut story, 0, 3, 10);
    story.world.send_register(process(2), process(0), gone);
    story.flow();
    story
}

#[test]
fn a_copy_outlives_the_only_holder_of_the_line_that_overtook_it() {
    let mut story = overtaken();
    let line = story.world.replica(1).configuration().epoch.lineage;
    assert_eq!(story.world.active(), [1]);
    let believed = story.world.replica(0).believed_primary();
    assert_eq!(believed, Some(process(1)), "callers are sent there");
    take_over(&mut story, 0);
    assert_eq!(story.list(0), [7, 8, 10]);
    assert!(story.world.replica(0).configuration().epoch.lineage > line);
    story.cut.clear();
    story.pass(2_000);
    assert_eq!(story.world.active(), [0]);
    assert_eq!(discarded(&story, 1), 1);
}

#[test]
fn an_overtaken_copy_gives_way_to_its_line_and_helps_nobody_back() {
    let mut story = overtaken();
    take_over(&mut story, 2);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(discarded(&story, 0), 0, "nothing is lost yet");
    story.cut.clear();
    story.pass(5_000);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(stored(&story, 0), Some(vec![7, 8, 9]));
    assert_eq!(discarded(&story, 0), 1);
}

#[test]
fn an_overtaken_copy_that_the_others_forgot_says_what_it_held() {
    let mut story = overtaken();
    for host in &mut story.world.hosts[1..] {
        host.replica = None;
        (host.floor, host.stamp) = (1_000, 1_000);
    }
    story.cut.clear();
    take_over(&mut story, 0);
    assert!(story.world.hosts[0].replica.is_none());
    assert_eq!(discarded(&story, 0), 1);
}

#[test]
fn a_primary_whose_members_all_forgot_goes_on_with_others() {
    let mut story = Story::weak(5, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    for host in &mut story.world.hosts[1..3] {
        host.replica = None;
        (host.floor, host.stamp) = (1_000, 1_000);
    }
    appended(&mut story, 0, 2, 8);
    story.pass(1_000);
    for member in [1, 2] {
        assert!(story.notes(0).contains(&Note::MemberLost(process(member))));
    }
    move_to(&mut story, 0, &[0, 3, 4]);
    story.pass(1_000);
    assert_eq!(stored(&story, 3), Some(vec![7, 8]));
    assert_eq!(story.list(0), [7, 8]);
}

#[test]
fn a_line_that_lost_says_what_it_had_done_alone() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.cut = vec![0];
    take_over(&mut story, 1);
    appended(&mut story, 1, 2, 20);
    // Callers still reach the old primary, which hears nobody.
    story.cut.clear();
    story.apart = true;
    for (number, tag) in [(2, 10), (3, 11), (4, 12)] {
        appended(&mut story, 0, number, tag);
    }
    story.apart = false;
    story.pass(2_000);
    let lost = lost(&story, 0);
    let reported: Vec<_> = lost
        .iter()
        .map(|lost| (lost.since, lost.until, lost.primary, tags(&lost.state)))
        .collect();
    let (since, until) = (Version(2), Version(5));
    assert_eq!(reported, [(since, until, true, vec![7, 10, 11, 12])]);
    assert_eq!(lost[0].lineage, Lineage::default());
    assert_eq!(lost[0].versions(), 3);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(stored(&story, 0), Some(vec![7, 20]), "it follows");
    assert_eq!(story.list(1), [7, 20]);
}

#[test]
fn nothing_is_reported_where_nothing_was_lost() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    take_over(&mut story, 1);
    appended(&mut story, 1, 2, 8);
    story.pass(50);
    for index in 0..3 {
        assert_eq!(lost(&story, index), []);
        assert_eq!(stored(&story, index), Some(vec![7, 8]));
    }
}

#[test]
fn of_two_that_take_over_at_once_one_goes_on() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.apart = true;
    for index in [1, 2] {
        story.stand(index);
    }
    story.pass(500);
    assert_eq!(story.world.active(), [0, 1, 2], "nobody hears of another");
    story.apart = false;
    appended(&mut story, 1, 2, 8);
    appended(&mut story, 2, 2, 9);
    story.pass(2_000);
    let active = story.world.active();
    assert_eq!(active.len(), 1);
    let all = (0..3).map(|index| stored(&story, index));
    let won = stored(&story, active[0]);
    assert!(all.into_iter().all(|one| one == won));
    let losers = (0..3).flat_map(|index| lost(&story, index));
    let executed = losers.filter(|lost| lost.primary);
    assert_eq!(executed.count(), 1, "the other one that wrote");
}

#[test]
fn a_repeated_call_runs_once_in_the_line_that_has_it() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.cut = vec![0];
    take_over(&mut story, 1);
    let again = story.ask(1, 1, call("append", numbered(1), 7));
    story.flow();
    assert_eq!(story.reply(again).map(returned), Some(1));
    assert_eq!(story.list(1), [7]);
}

#[test]
fn a_handle_goes_on_though_its_last_calls_were_lost() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    story.apart = true;
    appended(&mut story, 0, 1, 7);
    appended(&mut story, 0, 2, 8);
    story.apart = false;
    story.cut = vec![0];
    take_over(&mut story, 1);
    let position = Position::Numbered {
        session: BORN,
        number: 3,
        predecessor: 2,
        floor: 3,
    };
    let reply = story.call(1, "append", position, 9);
    assert_eq!(
        returned(&reply),
        1,
        "what came before is settled at the caller"
    );
}

#[test]
fn sessions_of_two_lines_are_never_the_same() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.apart = true;
    story.stand(1);
    story.pass(500);
    let ids: Vec<u64> = [0, 1].map(|to| story.ask(to, 0, Ask::OpenSession)).into();
    story.flow();
    let sessions: Vec<_> = ids.iter().map(|id| story.reply(*id).cloned()).collect();
    assert!(matches!(sessions[0], Some(Reply::Session(_))));
    assert!(matches!(sessions[1], Some(Reply::Session(_))));
    assert_ne!(sessions[0], sessions[1]);
}

#[test]
fn a_primary_that_hears_nobody_says_so_and_recovers() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    story.apart = true;
    appended(&mut story, 0, 1, 7);
    story.pass(9_900);
    assert_eq!(appended(&mut story, 0, 2, 8), 2);
    story.pass(200);
    let isolated = Reply::Refused(Refusal::Final(Cause::Isolated));
    assert_eq!(story.append(0, 3, 9), isolated);
    assert_eq!(story.call(0, "list", Position::Unordered, 0), isolated);
    let inspect = story.ask(0, 0, Ask::Inspect);
    story.flow();
    assert!(matches!(story.reply(inspect), Some(Reply::Description(_))));
    story.apart = false;
    assert_eq!(story.append(0, 3, 9), isolated, "this one makes it ask");
    story.pass(1_100);
    story.append(0, 3, 9);
    story.pass(1_100);
    assert_eq!(story.list(0)[..2], [7, 8]);
}

#[test]
fn an_idle_primary_is_not_isolated() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(60_000);
    assert_eq!(appended(&mut story, 0, 2, 8), 2);
}

#[test]
fn a_primary_that_was_cut_off_idly_learns_at_the_link_that_it_was_replaced() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.cut = vec![0];
    take_over(&mut story, 1);
    story.pass(10_000);
    story.cut.clear();
    assert_eq!(story.world.active(), [0, 1]);
    story.world.at(0, |replica, env, fx| {
        replica.on_link(env, process(2), true, fx);
    });
    story.flow();
    story.pass(1_000);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(lost(&story, 0), []);
}

#[test]
fn a_weak_object_moves_and_is_deleted_like_another() {
    let mut story = Story::weak(4, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    let next = prepare_next(&mut story, 0, &[1, 2, 3]);
    let proposed = story
        .world
        .at(0, |replica, env, fx| replica.propose(env, next, 0, fx));
    assert_eq!(proposed, Some(Ok(())));
    story.pass(1_000);
    assert_eq!(story.world.active(), [1]);
    assert_eq!(appended(&mut story, 1, 2, 8), 2);
    let delete = story.ask(
        1,
        0,
        Ask::Delete {
            position: Position::Unordered,
        },
    );
    story.flow();
    let done = story.reply(delete).cloned();
    assert!(
        matches!(
            &done,
            Some(Reply::Done {
                outcome: Outcome::Returned(_),
                ..
            })
        ),
        "{done:?}"
    );
    story.pass(1_000);
    assert!(story.world.hosts.iter().all(|host| host.replica.is_none()));
}

#[test]
fn a_member_that_was_told_of_a_newer_line_asks_its_primary_for_it() {
    let mut story = Story::weak(3, &[0, 1, 2]);
    appended(&mut story, 0, 1, 7);
    story.pass(50);
    story.cut = vec![0];
    take_over(&mut story, 1);
    let set = story.world.replica(1).configuration().clone();
    story.world.bag.clear();
    let gone = RegisterMessage::Gone {
        epoch: configuration(1, &[(0, 1)]).epoch,
        sighting: crate::message::Sighting::Member {
            configuration: set,
            primary: Some(1),
        },
    };
    story.cut.clear();
    story.world.send_register(process(1), process(0), gone);
    story.flow();
    assert_eq!(stored(&story, 0), Some(vec![7]));
    assert_eq!(story.world.active(), [1]);
}

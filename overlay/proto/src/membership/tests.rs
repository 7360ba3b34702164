//! Stories of the parts of membership; those of the whole are told by the overlay's tests.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::dissemination::Dissemination;
use super::health::LocalHealth;
use super::probe::{Answered, Overdue, Probes};
use super::rings::Rings;
use super::suspicion::{Suspicions, Verdicts};
use super::table::Table;
use crate::config::MembershipConfig;
use crate::entry::{Entry, News};
use crate::id::{Incarnation, ProcessId};
use crate::member::{Keys, MemberRecord, MemberState, SignedRecord};
use crate::message::MembershipEvent;
use crate::plain_keys::PlainKeys;
use crate::time::{Duration, Instant};

fn process(number: u64) -> ProcessId {
    let peer = PlainKeys::numbered(number).peer();
    ProcessId {
        peer,
        incarnation: Incarnation(1),
    }
}

fn at(seconds: f64) -> Instant {
    Instant::from_micros((seconds * 1e6) as u64)
}

fn record(number: u64, sequence: u64) -> MemberRecord {
    MemberRecord {
        process: process(number),
        sequence,
        addresses: Vec::new(),
        kinds: Vec::new(),
        capacity: 0,
        load: 0,
        primaries: 0,
        labels: Vec::new(),
        leaving: false,
        stamp: 0,
    }
}

fn entry(number: u64, sequence: u64, state: MemberState, since: f64) -> Entry {
    let record = record(number, sequence);
    let signed = SignedRecord::sign(&record, &PlainKeys::numbered(number));
    Entry::new(Arc::new(record), signed, state, at(since))
}

fn table(entries: impl IntoIterator<Item = Entry>) -> Table {
    let mut table = Table::new(1000);
    entries
        .into_iter()
        .for_each(|entry| assert!(table.put(entry)));
    table
}

fn dead(suspicions: &mut Suspicions, seconds: f64, living: usize) -> Vec<ProcessId> {
    suspicions.decide(at(seconds), living).dead
}

fn doubts(votes: &[(f64, u64, u64, bool)]) -> Suspicions {
    let mut suspicions = Suspicions::new(Arc::<MembershipConfig>::default());
    for (seconds, suspect, observer, refused) in votes {
        suspicions.vote(
            at(*seconds),
            process(*suspect),
            process(*observer),
            *refused,
        );
    }
    suspicions
}

#[test]
fn news_is_ordered_by_sequence_then_incarnation_then_state() {
    use MemberState::{Alive, Dead, Left, Suspect};
    let mut restarted = process(1);
    restarted.incarnation = Incarnation(2);
    let ordered = [
        News::new(process(1), 1, Alive),
        News::new(process(1), 1, Dead),
        News::new(process(1), 1, Left),
        News::new(restarted, 1, Alive),
        News::new(process(1), 2, Alive),
    ];
    assert!(ordered.is_sorted_by(|a, b| a < b));
    assert_eq!(
        News::new(process(1), 1, Suspect),
        ordered[0],
        "doubt is no news of its own"
    );
}

#[test]
fn digests_tell_views_apart_and_do_not_depend_on_the_order_of_news() {
    let entries = || (0..50).map(|number| entry(number, 1, MemberState::Alive, 0.0));
    let ours = table(entries());
    let mut theirs = table(entries().collect::<Vec<_>>().into_iter().rev());
    assert_eq!(
        (ours.digest(), ours.buckets()),
        (theirs.digest(), theirs.buckets())
    );
    theirs.update(&process(7).peer, |entry| {
        entry.member.state = MemberState::Suspect;
    });
    assert_eq!(
        ours.digest(),
        theirs.digest(),
        "doubts travel by gossip alone"
    );
    theirs.update(&process(7).peer, |entry| {
        entry.member.state = MemberState::Dead;
    });
    assert_ne!(ours.digest(), theirs.digest());
    assert_eq!((ours.living(), theirs.living()), (50, 49));
    let differing = ours
        .buckets()
        .iter()
        .zip(theirs.buckets())
        .filter(|(a, b)| a != b);
    assert_eq!(differing.count(), 1);
}

#[test]
fn the_long_dead_leave_anti_entropy_and_are_forgotten_later() {
    let mut table = table([
        entry(1, 1, MemberState::Alive, 0.0),
        entry(2, 1, MemberState::Dead, 100.0),
    ]);
    table.expire(at(101.0), at(50.0));
    assert_eq!(table.digest().count, 1);
    assert!(
        table.get(&process(2).peer).is_some(),
        "kept, to reach it again"
    );
    table.expire(at(500.0), at(400.0));
    assert!(table.get(&process(2).peer).is_none());
    assert!(
        table.get(&process(1).peer).is_some(),
        "the living are never forgotten"
    );
}

#[test]
fn a_full_table_forgets_the_dead_and_refuses_the_new() {
    let mut table = Table::new(2);
    assert!(table.put(entry(1, 1, MemberState::Dead, 0.0)));
    assert!(table.put(entry(2, 1, MemberState::Alive, 0.0)));
    assert!(table.put(entry(3, 1, MemberState::Alive, 0.0)));
    assert!(table.get(&process(1).peer).is_none());
    assert!(!table.put(entry(4, 1, MemberState::Alive, 0.0)));
    assert!(
        table.put(entry(3, 2, MemberState::Alive, 0.0)),
        "who is in may change"
    );
    assert_eq!(table.living(), 2);
}

#[test]
fn every_member_is_watched_by_others_and_rings_follow_the_view() {
    let numbers = 0..40;
    let full = table(
        numbers
            .clone()
            .map(|number| entry(number, 1, MemberState::Alive, 0.0)),
    );
    let mut watched = BTreeSet::new();
    for me in numbers.clone() {
        let mut rings = Rings::new(process(me).peer, 4);
        numbers.clone().for_each(|other| {
            rings.insert(process(other));
        });
        let successors = rings.successors();
        assert!((2..=4).contains(&successors.len()) && !successors.contains(&process(me)));
        watched.extend(successors);
    }
    assert_eq!(watched.len(), 40);

    let mut rings = Rings::new(process(0).peer, 4);
    numbers.for_each(|other| {
        rings.insert(process(other));
    });
    let lost = *rings.successors().first().unwrap();
    let mut smaller = full;
    smaller.update(&lost.peer, |entry| entry.member.state = MemberState::Dead);
    assert!(rings.remove(lost, &smaller));
    assert!(!rings.successors().contains(&lost));
    assert!(!rings.remove(lost, &smaller), "nothing more to change");
    assert!(rings.insert(lost), "back where it was");
}

#[test]
fn one_observer_alone_never_makes_a_death_among_many() {
    let mut suspicions = doubts(&[(1.0, 1, 2, true)]);
    assert!(dead(&mut suspicions, 18.0, 20).is_empty());
    let acquitted = vec![process(1)];
    assert_eq!(
        suspicions.decide(at(20.0), 20),
        Verdicts {
            acquitted,
            ..Verdicts::default()
        },
        "and is not believed for ever"
    );
}

#[test]
fn two_observers_that_were_refused_make_a_death_at_once() {
    let mut suspicions = doubts(&[(1.0, 1, 2, true), (1.05, 1, 3, true)]);
    assert!(
        dead(&mut suspicions, 1.1, 20).is_empty(),
        "a moment for others to fall"
    );
    assert_eq!(dead(&mut suspicions, 1.25, 20), [process(1)]);
}

#[test]
fn the_more_observers_doubt_the_sooner_it_is_a_death() {
    let deadline = |observers: u64| {
        let votes: Vec<_> = (0..observers)
            .map(|number| (1.0, 1, 10 + number, false))
            .collect();
        let mut suspicions = doubts(&votes);
        (10..200).find(|tenth| !dead(&mut suspicions, f64::from(*tenth) / 10.0, 20).is_empty())
    };
    assert_eq!(deadline(1), None);
    assert_eq!(
        deadline(2),
        Some(53),
        "1 s + 1.5 s + 7.5 s * (1 - ln 2 / ln 3)"
    );
    assert_eq!(deadline(3), Some(25));
    assert_eq!(deadline(4), Some(25));
}

#[test]
fn in_tiny_views_all_observers_that_there_are_suffice() {
    let mut two = doubts(&[(1.0, 1, 2, false)]);
    assert!(dead(&mut two, 2.2, 2).is_empty());
    assert!(dead(&mut two, 2.4, 2).is_empty());
    assert_eq!(dead(&mut two, 2.5, 2), [process(1)]);
    let mut refused = doubts(&[(1.0, 1, 2, true)]);
    assert_eq!(dead(&mut refused, 1.2, 2), [process(1)]);
    let mut three = doubts(&[(1.0, 1, 2, false)]);
    assert!(dead(&mut three, 9.0, 3).is_empty(), "the third may see it");
    three.vote(at(9.0), process(1), process(3), false);
    assert!(dead(&mut three, 9.0, 3).is_empty(), "others are asked");
    assert_eq!(dead(&mut three, 9.3, 3), [process(1)]);
}

#[test]
fn before_a_death_is_declared_others_are_asked_and_have_time_to_answer() {
    let votes = [(1.0, 1, 2, false), (1.0, 1, 3, false), (1.0, 1, 4, false)];
    let mut suspicions = doubts(&votes);
    assert_eq!(suspicions.next_due(20), Some(at(2.2)));
    assert!(suspicions.decide(at(2.1), 20).ask.is_empty());
    assert_eq!(suspicions.decide(at(2.25), 20).ask, [process(1)]);
    assert_eq!(suspicions.next_due(20), Some(at(2.55)));
    let waiting = suspicions.decide(at(2.5), 20);
    assert_eq!(waiting, Verdicts::default(), "asked once, not yet answered");
    assert_eq!(dead(&mut suspicions, 2.55, 20), [process(1)]);
    let mut refused = doubts(&votes.map(|(when, of, by, _)| (when, of, by, true)));
    let verdicts = refused.decide(at(2.5), 20);
    assert_eq!((verdicts.ask.len(), verdicts.dead.len()), (0, 1));
}

#[test]
fn a_storm_holds_back_until_patience_ends() {
    let votes = |suspects: u64| -> Vec<(f64, u64, u64, bool)> {
        (0..suspects)
            .flat_map(|s| (20..23).map(move |o| (1.0, s, o, true)))
            .collect()
    };
    let mut some = doubts(&votes(4));
    assert_eq!(
        dead(&mut some, 1.5, 10).len(),
        4,
        "four are no storm, however few remain"
    );
    let mut many = doubts(&votes(5));
    let verdicts = many.decide(at(20.0), 10);
    assert!(verdicts.storm && verdicts.dead.is_empty());
    assert_eq!(dead(&mut many, 31.0, 10).len(), 5);
    let mut large = doubts(&votes(19));
    assert_eq!(dead(&mut large, 1.5, 100).len(), 19);
    assert!(doubts(&votes(20)).decide(at(1.5), 100).storm);
}

#[test]
fn a_stream_of_new_suspects_holds_a_declaration_for_a_second_at_most() {
    let mut suspicions = doubts(&[(1.0, 1, 20, true), (1.0, 1, 21, true)]);
    let declared = (0_u32..30).find(|step| {
        let now = at(1.0 + f64::from(*step) / 10.0);
        suspicions.vote(now, process(100 + u64::from(*step)), process(20), false);
        !suspicions.decide(now, 1000).dead.is_empty()
    });
    assert_eq!(declared, Some(10));
}

#[test]
fn a_withdrawn_or_refuted_doubt_is_over() {
    let mut suspicions = doubts(&[(1.0, 1, 2, false), (1.0, 1, 3, false)]);
    assert!(!suspicions.withdraw(&process(1), &process(2)));
    assert!(suspicions.withdraw(&process(1), &process(3)));
    assert!(suspicions.is_empty());
    let mut refuted = doubts(&[(1.0, 1, 2, true), (1.0, 1, 3, true)]);
    refuted.close(&process(1));
    assert!(dead(&mut refuted, 9.0, 20).is_empty());
}

#[test]
fn a_node_that_slept_gives_its_suspects_the_time_back() {
    let mut suspicions = doubts(&[(1.0, 1, 2, false), (1.0, 1, 3, false), (1.0, 1, 4, false)]);
    suspicions.postpone(Duration::from_secs(60));
    assert!(dead(&mut suspicions, 61.5, 20).is_empty());
    assert!(dead(&mut suspicions, 62.2, 20).is_empty());
    assert_eq!(dead(&mut suspicions, 62.6, 20), [process(1)]);
}

fn probes(target: u64) -> Probes {
    let mut probes = Probes::new(Arc::<MembershipConfig>::default(), 0);
    probes.retarget(&[process(target)].into());
    probes
}

const SOUND: fn() -> LocalHealth = || LocalHealth::new(8);

#[test]
fn a_missed_probe_is_followed_by_indirect_ones_before_anyone_is_doubted() {
    let mut probes = probes(1);
    let nonce = probes.start(at(1.0), &process(1), true, SOUND()).unwrap();
    assert_eq!(
        probes.start(at(1.0), &process(1), true, SOUND()),
        None,
        "one at a time"
    );
    let silent = |_: &ProcessId| Some(at(0.5));
    assert!(probes.overdue(at(1.9), silent).is_empty());
    assert_eq!(
        probes.overdue(at(2.0), silent),
        [Overdue::Direct(process(1))]
    );
    assert_eq!(probes.ask(at(2.0), &process(1), 2, SOUND()), Some(nonce));
    assert_eq!(
        probes.report(nonce, false),
        None,
        "the other helper may reach it"
    );
    assert_eq!(
        probes.overdue(at(3.0), silent),
        [Overdue::Indirect(process(1))]
    );
    assert!(!probes.pending());
}

#[test]
fn any_frame_answers_a_probe_and_any_helper_that_reached_settles_it() {
    let mut probes = probes(1);
    probes.start(at(1.0), &process(1), true, SOUND());
    assert!(probes.overdue(at(9.0), |_| Some(at(1.1))).is_empty());
    assert!(!probes.pending());
    let nonce = probes.start(at(10.0), &process(1), true, SOUND()).unwrap();
    probes.ask(at(11.0), &process(1), 2, SOUND());
    assert_eq!(probes.report(nonce, true), None);
    assert!(!probes.pending());
}

#[test]
fn helpers_that_all_failed_are_not_waited_for() {
    let mut probes = probes(1);
    let nonce = probes.start(at(1.0), &process(1), true, SOUND()).unwrap();
    probes.ask(at(2.0), &process(1), 2, SOUND());
    assert_eq!(probes.report(nonce, false), None);
    assert_eq!(probes.report(nonce, false), Some(process(1)));
}

#[test]
fn timeouts_follow_the_round_trip_and_our_own_health() {
    let mut probes = probes(1);
    for round in 0..20 {
        let now = at(f64::from(round));
        let nonce = probes.start(now, &process(1), true, SOUND()).unwrap();
        let answered = probes.answer(now + Duration::from_millis(2), &process(1), nonce);
        assert_eq!(answered, Answered::Watched);
    }
    let mut slow = LocalHealth::new(8);
    slow.worsen();
    for (health, timeout) in [(SOUND(), 0.2), (slow, 0.4)] {
        probes.start(at(50.0), &process(1), true, health);
        assert!(
            probes
                .overdue(at(50.0 + timeout - 0.01), |_| None)
                .is_empty()
        );
        let overdue = probes.overdue(at(50.0 + timeout), |_| None);
        assert_eq!(overdue, [Overdue::Direct(process(1))]);
        probes.cancel(&process(1));
    }
}

#[test]
fn a_probe_for_another_is_reported_either_way() {
    let mut probes = probes(1);
    let ours = probes.relay(at(1.0), process(2), 77, process(3)).unwrap();
    assert_eq!(
        probes.answer(at(1.1), &process(4), ours),
        Answered::Late,
        "not the target"
    );
    let (requester, nonce) = (process(2), 77);
    let answered = probes.answer(at(1.1), &process(3), ours);
    assert_eq!(answered, Answered::Relayed { requester, nonce });
    probes.relay(at(2.0), process(2), 77, process(3)).unwrap();
    let overdue = probes.overdue(at(3.0), |_| None);
    assert_eq!(overdue, [Overdue::Relayed { requester, nonce }]);
}

#[test]
fn an_observer_refuted_again_and_again_keeps_quiet_for_longer_and_longer() {
    let mut probes = probes(1);
    let pauses = (0..3).map(|round| {
        probes.refuted(at(0.0), &process(1));
        let quiet = (0..1000).find(|second| !probes.muted(at(f64::from(*second)), &process(1)));
        assert!(quiet.is_some(), "round {round}");
        quiet.unwrap()
    });
    assert_eq!(pauses.collect::<Vec<_>>(), [5, 10, 20]);
}

#[test]
fn news_waits_for_a_batch_and_each_subject_is_told_once() {
    let mut news = Dissemination::default();
    assert!(news.batch().is_none());
    let signed = |sequence| entry(1, sequence, MemberState::Alive, 0.0).signed;
    news.push(MembershipEvent::Alive(signed(1)), process(1).peer);
    news.push(MembershipEvent::Alive(signed(2)), process(1).peer);
    let batch = news.batch().unwrap();
    assert_eq!(batch.events, [MembershipEvent::Alive(signed(2))]);
    assert!(news.is_empty());
}

#[test]
fn news_that_gossip_carried_meanwhile_is_not_repeated() {
    let mut news = Dissemination::default();
    let signed = entry(1, 1, MemberState::Alive, 0.0).signed;
    news.push(MembershipEvent::Alive(signed.clone()), process(1).peer);
    news.relay(process(1).peer, at(2.0), 8);
    news.heard(&process(1).peer, &signed);
    assert!(news.is_empty() && !news.has_delayed());
    news.relay(process(2).peer, at(2.0), 1);
    news.relay(process(3).peer, at(2.0), 1);
    assert!(news.due_relays(at(1.9)).is_empty());
    assert_eq!(
        news.due_relays(at(2.0)),
        [process(2).peer],
        "and only so many wait"
    );
}

#[test]
fn batches_stay_below_the_limit_of_gossip() {
    let mut news = Dissemination::default();
    for number in 0..2000 {
        let signed = entry(number, 1, MemberState::Alive, 0.0).signed;
        news.push(MembershipEvent::Alive(signed), process(number).peer);
    }
    let mut events = 0;
    while let Some(batch) = news.batch() {
        assert!(batch.encode().len() <= crate::message::GOSSIP_BYTES_MAX);
        events += batch.events.len();
    }
    assert_eq!(events, 2000);
}

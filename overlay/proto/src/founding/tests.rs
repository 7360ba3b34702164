//! Stories of founding.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::id::Incarnation;
use crate::interface::Timer;
use crate::machine::Output;

type Out = Vec<Output<Message, Timer, Event>>;

fn process(number: u8) -> ProcessId {
    ProcessId {
        peer: PeerId([number; 32]),
        incarnation: Incarnation(1),
    }
}

fn at(seconds: f64) -> Instant {
    Instant::from_micros((seconds * 1e6) as u64)
}

fn founding(number: u8) -> Founding {
    Founding::new(
        FoundingConfig::default(),
        process(number),
        u64::from(number),
    )
}

fn around(role: Role) -> Surroundings {
    Surroundings {
        role,
        introductions_open: false,
        unix_ms: 5_000,
    }
}

fn tick(founding: &mut Founding, seconds: f64, living: &[u8]) -> Out {
    let mut out = Vec::new();
    let living = living.iter().map(|number| process(*number));
    founding.tick(at(seconds), &around(Role::Member), living, &mut out);
    out
}

fn cluster(id: u128, founded_at_ms: u64, root_version: u64) -> ClusterRecord {
    let root = Bytes::new();
    ClusterRecord {
        id: ClusterId(id),
        founder: process(9),
        founded_at_ms,
        root_version,
        root,
    }
}

fn knowing(ours: &ClusterRecord) -> Founding {
    let mut founding = founding(1);
    founding.learn(ours.clone(), None, &mut Vec::new());
    founding.take_news();
    founding
}

#[test]
fn a_lonely_node_founds_after_a_quiet_while_and_only_if_needed() {
    let mut lonely = founding(1);
    lonely.discovered(at(0.0));
    assert!(tick(&mut lonely, 10.0, &[1]).is_empty(), "founding is lazy");
    let mut lonely = founding(1);
    lonely.discovered(at(0.0));
    lonely.need(at(0.0), &mut Vec::new());
    assert!(tick(&mut lonely, 1.4, &[1]).is_empty());
    let out = tick(&mut lonely, 1.6, &[1]);
    let ours = lonely.cluster().unwrap().clone();
    assert_eq!(out, [Output::Emit(Event::Cluster(ours.clone()))]);
    assert_eq!((ours.founder, ours.founded_at_ms), (process(1), 5_000));
    assert_eq!(lonely.take_news(), Some(ours), "and tells everybody");
}

#[test]
fn a_node_to_which_discovery_brings_ever_more_waits_three_seconds_at_most() {
    let mut busy = founding(1);
    busy.need(at(0.0), &mut Vec::new());
    busy.discovered(at(2.5));
    assert!(tick(&mut busy, 2.9, &[1]).is_empty());
    tick(&mut busy, 3.0, &[1]);
    assert!(busy.cluster().is_some());
}

#[test]
fn a_configured_registry_is_waited_for_and_so_are_those_that_it_introduced() {
    let config = FoundingConfig {
        registry_configured: true,
        ..FoundingConfig::default()
    };
    let mut node = Founding::new(config, process(1), 1);
    node.need(at(0.0), &mut Vec::new());
    assert!(
        tick(&mut node, 2.0, &[1]).is_empty(),
        "quiet, but the registry did not answer"
    );
    node.registry_answered();
    let mut out = Vec::new();
    let open = Surroundings {
        introductions_open: true,
        ..around(Role::Member)
    };
    node.tick(at(2.1), &open, [process(1)].into_iter(), &mut out);
    assert_eq!((out, node.cluster()), (vec![], None));
    tick(&mut node, 2.2, &[1]);
    assert!(node.cluster().is_some());
}

#[test]
fn a_registry_that_was_silent_for_long_is_not_waited_for_once_more() {
    let config = FoundingConfig {
        registry_configured: true,
        ..FoundingConfig::default()
    };
    let fresh = || {
        let mut node = Founding::new(config.clone(), process(1), 1);
        node.discovered(at(0.0));
        node
    };
    let mut node = fresh();
    node.need(at(100.0), &mut Vec::new());
    tick(&mut node, 100.0, &[1]);
    assert!(node.cluster().is_some(), "discovery was quiet for long");

    let mut node = fresh();
    node.discovered(at(99.0));
    node.need(at(100.0), &mut Vec::new());
    tick(&mut node, 100.4, &[1]);
    assert!(
        node.cluster().is_none(),
        "whoever came just now may know one"
    );
    tick(&mut node, 100.6, &[1]);
    assert!(node.cluster().is_some());

    let mut node = fresh();
    node.need(at(1.6), &mut Vec::new());
    tick(&mut node, 2.9, &[1]);
    assert!(node.cluster().is_none(), "a young node waits for it");
    tick(&mut node, 3.0, &[1]);
    assert!(node.cluster().is_some());
}

#[test]
fn only_the_smallest_founds_and_the_others_wait_for_it() {
    let (mut small, mut big) = (founding(1), founding(2));
    big.need(at(0.0), &mut Vec::new());
    let out = tick(&mut big, 2.0, &[1, 2]);
    assert_eq!(
        out,
        [Output::Send {
            to: process(1),
            message: Message::ClusterRequest
        }]
    );
    assert!(tick(&mut big, 2.1, &[1, 2]).is_empty(), "asked once");
    let mut out = Vec::new();
    small.on_request(at(2.0), process(2), &mut out);
    assert!(out.is_empty(), "it listens first, too");
    let out = tick(&mut small, 4.0, &[1, 2]);
    let ours = small.cluster().unwrap().clone();
    assert_eq!(
        out[0],
        Output::Send {
            to: process(2),
            message: Message::Cluster(ours.clone())
        }
    );
    let mut out = Vec::new();
    big.learn(ours.clone(), Some(process(1)), &mut out);
    assert_eq!(out, [Output::Emit(Event::Cluster(ours))]);
    assert!(!big.pending());
}

#[test]
fn a_silent_founder_is_passed_over() {
    let mut node = founding(3);
    node.need(at(0.0), &mut Vec::new());
    let asked = |out: Out| match out.as_slice() {
        [
            Output::Send {
                to,
                message: Message::ClusterRequest,
            },
        ] => Some(*to),
        _ => None,
    };
    assert_eq!(asked(tick(&mut node, 2.0, &[1, 2, 3])), Some(process(1)));
    assert_eq!(asked(tick(&mut node, 5.0, &[1, 2, 3])), Some(process(2)));
    tick(&mut node, 8.0, &[1, 2, 3]);
    assert!(node.cluster().is_some());
}

#[test]
fn a_client_asks_but_never_founds() {
    let mut client = founding(1);
    client.need(at(0.0), &mut Vec::new());
    let mut out = Vec::new();
    client.tick(at(9.0), &around(Role::Client), [].into_iter(), &mut out);
    assert!(out.is_empty() && client.cluster().is_none());
    client.tick(
        at(10.0),
        &around(Role::Client),
        [process(4)].into_iter(),
        &mut out,
    );
    assert_eq!(
        out,
        [Output::Send {
            to: process(4),
            message: Message::ClusterRequest
        }]
    );
}

#[test]
fn newer_hints_replace_older_ones() {
    let mut node = knowing(&cluster(7, 1_000, 2));
    let mut out = Vec::new();
    node.learn(cluster(7, 1_000, 1), None, &mut out);
    assert!(out.is_empty());
    node.learn(cluster(7, 1_000, 3), None, &mut out);
    assert_eq!(out, [Output::Emit(Event::Cluster(cluster(7, 1_000, 3)))]);
}

#[test]
fn of_two_young_clusters_the_earlier_wins_on_both_sides() {
    let (early, late) = (cluster(7, 1_000, 0), cluster(3, 60_000, 0));
    let mut node = knowing(&late);
    let mut out = Vec::new();
    node.learn(early.clone(), Some(process(2)), &mut out);
    let merged = Event::ClusterMerged {
        lost: late.clone(),
        won: early.clone(),
    };
    assert_eq!(
        out,
        [
            Output::Emit(merged),
            Output::Emit(Event::Cluster(early.clone()))
        ]
    );
    let mut node = knowing(&early);
    let mut out = Vec::new();
    node.learn(late, Some(process(2)), &mut out);
    let correction = Message::Cluster(early);
    assert_eq!(
        out,
        [Output::Send {
            to: process(2),
            message: correction
        }]
    );
}

#[test]
fn two_established_clusters_keep_apart_and_say_so_once() {
    let (ours, theirs) = (cluster(7, 1_000, 0), cluster(3, 61_001, 0));
    for (ours, theirs) in [(ours.clone(), theirs.clone()), (theirs, ours)] {
        let mut node = knowing(&ours);
        let mut out = Vec::new();
        for _ in 0..3 {
            node.learn(theirs.clone(), Some(process(2)), &mut out);
        }
        let conflict = Event::ClusterConflict {
            ours: ours.clone(),
            theirs,
        };
        assert_eq!(out, [Output::Emit(conflict)]);
        assert_eq!(node.cluster(), Some(&ours));
    }
}

#[test]
fn anti_entropy_compares_clusters_too() {
    let ours = cluster(7, 1_000, 2);
    let mut node = knowing(&ours);
    let mut compare = |theirs| {
        let mut out = Vec::new();
        node.compare(process(2), theirs, &mut out);
        out.into_iter()
            .map(|output| match output {
                Output::Send { message, .. } => message,
                other => panic!("{other:?}"),
            })
            .next()
    };
    assert_eq!(compare(None), Some(Message::Cluster(ours.clone())));
    assert_eq!(
        compare(Some((ours.id, 1))),
        Some(Message::Cluster(ours.clone()))
    );
    assert_eq!(compare(Some((ours.id, 2))), None);
    assert_eq!(compare(Some((ours.id, 3))), Some(Message::ClusterRequest));
    assert_eq!(
        compare(Some((ClusterId(9), 0))),
        Some(Message::ClusterRequest)
    );
}

#[test]
fn a_hint_beyond_its_limit_is_not_believed() {
    let root = vec![0; crate::cluster::CLUSTER_ROOT_BYTES_MAX + 1].into();
    let mut node = founding(1);
    node.learn(
        ClusterRecord {
            root,
            ..cluster(1, 1, 1)
        },
        None,
        &mut Vec::new(),
    );
    assert_eq!(node.cluster(), None);
}

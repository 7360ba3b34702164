//! What is evidence against a member, and what is not.

use super::*;

/// Records travel by gossip in these batches.
fn alive(world: &World, process: ProcessId) -> GossipBatch {
    let record = world.nodes[&process].overlay.own_record().unwrap();
    GossipBatch {
        events: vec![MembershipEvent::Alive(record)],
        ..GossipBatch::default()
    }
}

#[test]
fn a_refused_dial_of_the_process_before_is_no_evidence_against_the_next() {
    let mut world = World::new();
    let all = world.cluster(20);
    let (killed, observers) = (all[3], [all[7], all[8], all[9]]);
    let old = world.nodes[&killed].overlay.own_record().unwrap();
    world.kill(killed);
    world.run(Duration::from_secs(120));
    let doubts = |world: &World| {
        observers.map(|observer| world.nodes[&observer].overlay.counters().suspicions)
    };
    let before = doubts(&world);
    for observer in observers {
        let introduced = Command::Introduce(vec![old.clone()]);
        world.input(observer, Input::Command(introduced));
    }
    let next = world.start(3, 2, Role::Member, Some(all[0]));
    for observer in observers {
        let news = Command::News(alive(&world, next).into());
        world.input(observer, Input::Command(news));
    }
    world.run(Duration::from_secs(5));
    assert_eq!(doubts(&world), before, "nobody doubts the new process");
    for observer in observers {
        assert!(world.view(observer).process(&next).is_some());
    }
}

/// What so many members send a second to whom nothing happens.
fn idle_bytes(members: usize) -> f64 {
    let mut world = World::new();
    world.cluster(members as u64);
    world.run(Duration::from_secs(60));
    let before = world.sent;
    world.run(Duration::from_secs(60));
    (world.sent - before) as f64 / 60.0
}

#[test]
fn doubts_about_a_member_that_answers_late_are_not_told_with_every_message_of_it() {
    let idle = idle_bytes(20);
    for stalled in (4..28).step_by(2) {
        let mut world = World::new();
        let all = world.cluster(20);
        world.stalling = Some(all[5]);
        world.run(Duration::from_secs(stalled));
        // Its answers are in time again; it waits to be sure of that before it refutes.
        world.stalling = None;
        for second in 0..15 {
            let before = world.sent;
            world.run(Duration::from_secs(1));
            let sent = (world.sent - before) as f64;
            assert!(
                sent < 50.0 * idle,
                "{sent} bytes in second {second}, idle are {idle}"
            );
        }
    }
}

#[test]
fn a_member_that_answers_late_again_and_again_is_removed_until_it_answers_in_time() {
    let mut world = World::new();
    let all = world.cluster(20);
    let late = all[5];
    world.stalling = Some(late);
    world.run(Duration::from_secs(30));
    let others = || all.iter().filter(|process| **process != late);
    for process in others() {
        assert!(world.view(*process).process(&late).is_none(), "{process}");
    }
    let before: Vec<usize> = others().map(|one| world.losses(*one)).collect();
    let (sent, idle) = (world.sent, idle_bytes(all.len()));
    world.run(Duration::from_secs(300));
    let sent = (world.sent - sent) as f64 / 300.0;
    assert!(
        sent < 3.0 * idle,
        "{sent} bytes/s, {idle} of an idle cluster"
    );
    for process in others() {
        let view = world.view(*process);
        assert_eq!(view.len(), all.len() - 1, "{process} dropped nobody else");
    }
    let after: Vec<usize> = others().map(|one| world.losses(*one)).collect();
    assert_eq!(after, before, "it stays out");
    world.stalling = None;
    world.run(Duration::from_secs(90));
    for process in &all {
        assert_eq!(world.view(*process).len(), all.len(), "{process} sees all");
    }
}

#[test]
fn a_member_that_pauses_for_two_seconds_now_and_then_is_never_removed() {
    let mut world = World::new();
    let all = world.cluster(20);
    for _ in 0..10 {
        world.nodes.get_mut(&all[5]).unwrap().frozen = true;
        world.run(Duration::from_secs(2));
        world.nodes.get_mut(&all[5]).unwrap().frozen = false;
        world.run(Duration::from_secs(28));
    }
    for process in &all {
        assert_eq!(world.losses(*process), 0, "{process} lost nobody");
    }
}

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

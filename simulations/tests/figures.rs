//! Figures of membership that users are told, in a cluster of a hundred members.

use simulations::figures;

#[test]
fn a_hundred_members_meet_their_goals() {
    let figures = figures::membership(100, 0.05, 1).unwrap();
    assert!(figures.calm.crash_known_p99_ms <= 5_000, "{figures:?}");
    assert!(figures.calm.crash_known_p50_ms >= 1_000, "{figures:?}");
    for bytes in [
        figures.calm.idle.idle_sent_bytes_per_s,
        figures.calm.idle.idle_received_bytes_per_s,
    ] {
        assert!((100.0..=400.0).contains(&bytes), "{figures:?}");
    }
    assert_eq!(figures.buried_alive, 0, "{figures:?}");
    assert_eq!(figures.healthy_removed, 0, "{figures:?}");
    let healed = figures.split_healed_ms.expect("it heals");
    assert!(healed <= 60_000, "{figures:?}");
}

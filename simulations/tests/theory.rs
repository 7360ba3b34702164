//! The simulated membership against published formulas: a model of it that is wrong by more
//! than a fifth shows here.

use overlay_proto::Duration;
use overlay_proto::config::MembershipConfig;
use simulations::{figures, theory};

fn agrees(what: &str, simulated: f64, theory: f64) {
    let ratio = simulated / theory;
    let words = format!("{what}: {simulated} simulated, {theory} by the formula, ratio {ratio}");
    println!("{words}");
    assert!((0.8..=1.25).contains(&ratio), "{words}");
}

#[test]
fn detection_and_idle_bytes_are_what_the_formulas_say() {
    let config = MembershipConfig::default();
    let figures = figures::idle_and_crashes(100, 1).unwrap();
    let detection = theory::detection(&config).as_secs_f64() * 1_000.0;
    agrees(
        "ms to detect",
        figures.crash_known_mean_ms as f64,
        detection,
    );
    let idle = theory::idle_bytes_per_second(&config);
    agrees(
        "idle bytes/s sent",
        figures.idle.idle_sent_bytes_per_s,
        idle,
    );
    agrees(
        "idle bytes/s received",
        figures.idle.idle_received_bytes_per_s,
        idle,
    );
}

#[test]
fn the_stale_share_under_churn_is_what_the_formula_says() {
    let (session, time) = (Duration::from_secs(600), Duration::from_secs(1_800));
    let share = figures::stale_share(60, session, time, 1).unwrap();
    let detection = theory::detection(&MembershipConfig::default());
    agrees(
        "stale share",
        share,
        theory::stale_share(detection, session),
    );
}

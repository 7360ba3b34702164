//! Figures of membership: how soon a death is known, what idling costs, who is wrongly dropped.
//!
//! Source of the goals: reliability research 2.4.

mod stale;

use std::collections::BTreeSet;

use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, Instant, Overlay};
use serde::Serialize;

pub use self::stale::stale_share;
use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::kernel::Violation;
use crate::membership::{self, Membership};
use crate::seed::Seed;
use crate::traffic::Protocol;
use crate::world::World;

type Members = World<Overlay, Membership>;

/// The views have settled after this time.
const SETTLED: Duration = Duration::from_secs(60);
/// How finely times are told.
const STEP: Duration = Duration::from_millis(50);
/// The longest wait for something that should happen within seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of the measurements; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Members.
    pub peers: u32,
    /// Crashes and idling.
    #[serde(flatten)]
    pub calm: Calm,
    /// Hours with 5 % loss and pauses of 2 s on 1 % of the members.
    pub lossy_hours: f64,
    /// How often a living member was declared dead meanwhile, by anybody.
    pub buried_alive: u64,
    /// Of 1 % of the members, at 80 % loss each, the last was dropped everywhere by then;
    /// nothing if one was not within two minutes.
    pub faulty_removed_ms: Option<u64>,
    /// Healthy members that were dropped by anybody meanwhile.
    pub healthy_removed: u64,
    /// Members that a view lacked after a minute of a split in halves, on the mean. None as long
    /// as the storm rule lets nobody be declared dead.
    pub split_missing: f64,
    /// One view again after the split; nothing if not within two minutes.
    pub split_healed_ms: Option<u64>,
    /// Members that a view lacked after five minutes of a split, on the mean: each half has given
    /// up the other.
    pub long_split_missing: f64,
    /// One view again after that one; nothing if not within two minutes.
    pub long_split_healed_ms: Option<u64>,
}

/// Only the parts about crashes and idling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calm {
    /// Machines that died without a word, one at a time.
    pub silent_crashes: u32,
    /// Half of the members have dropped one of those by then.
    pub crash_known_p50_ms: u64,
    /// The mean over crashes and members.
    pub crash_known_mean_ms: u64,
    /// 99 % of the members.
    pub crash_known_p99_ms: u64,
    /// What idling costs.
    #[serde(flatten)]
    pub idle: Idle,
}

/// Only what idling costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Idle {
    /// Bytes a second that an idle member sends, with envelopes, on the mean.
    pub idle_sent_bytes_per_s: f64,
    /// The same, received.
    pub idle_received_bytes_per_s: f64,
    /// The most that any member sends.
    pub idle_sent_bytes_per_s_max: f64,
    /// The parts of it by protocol.
    pub idle_by_protocol: Vec<(&'static str, f64)>,
}

/// What a sound network shows: crashes, and what idling costs.
///
/// # Errors
/// An invariant that did not hold meanwhile.
pub fn idle_and_crashes(peers: u32, seed: u64) -> Result<Calm, Violation> {
    let seed = Seed::new(seed).child("figures");
    let crashes = 20.min(peers / 4);
    let known = silent_crashes(peers, crashes, seed)?;
    let idle = idling(peers, seed)?;
    Ok(Calm {
        silent_crashes: crashes,
        crash_known_p50_ms: known.p50,
        crash_known_mean_ms: known.mean,
        crash_known_p99_ms: known.p99,
        idle,
    })
}

/// What idling costs.
///
/// # Errors
/// An invariant that did not hold meanwhile.
pub fn idle(peers: u32, seed: u64) -> Result<Idle, Violation> {
    idling(peers, Seed::new(seed).child("figures"))
}

/// Takes all figures.
///
/// # Errors
/// An invariant that did not hold meanwhile.
pub fn membership(peers: u32, lossy_hours: f64, seed: u64) -> Result<Figures, Violation> {
    let calm = idle_and_crashes(peers, seed)?;
    let seed = Seed::new(seed).child("figures");
    let few = (peers / 100).max(1);
    let (faulty_removed_ms, healthy_removed) = faulty(peers, few, seed)?;
    let (split_missing, split_healed_ms) = split(peers, Duration::from_secs(60), seed)?;
    let long = Duration::from_secs(300);
    let (long_split_missing, long_split_healed_ms) = split(peers, long, seed)?;
    Ok(Figures {
        peers,
        calm,
        lossy_hours,
        buried_alive: buried_alive(peers, few, lossy_hours, seed)?,
        faulty_removed_ms,
        healthy_removed,
        split_missing,
        split_healed_ms,
        long_split_missing,
        long_split_healed_ms,
    })
}

fn settled(peers: u32, seed: Seed) -> Result<Members, Violation> {
    let mut world = membership::undisturbed(peers, Conditions::lan(), seed);
    run(&mut world, SETTLED)?;
    Ok(world)
}

fn run(world: &mut Members, time: Duration) -> Result<(), Violation> {
    let end = world.kernel.now() + time;
    world.run_until(end)
}

/// The nodes that run and have dropped `of` from their views.
fn dropped<'a>(world: &'a Members, of: u32) -> impl Iterator<Item = u32> + 'a {
    let peer = world.kernel.peer(of);
    let nodes = world.kernel.running().filter(move |node| *node != of);
    nodes.filter(move |node| {
        let machine = world.kernel.machine(*node);
        machine.is_some_and(|machine| machine.view().peer(&peer).is_none())
    })
}

/// Milliseconds until members knew of a crash.
struct Known {
    p50: u64,
    mean: u64,
    p99: u64,
}

fn silent_crashes(peers: u32, crashes: u32, seed: Seed) -> Result<Known, Violation> {
    let mut world = settled(peers, seed.child("crashes"))?;
    let mut times = Vec::new();
    for number in 0..crashes {
        let node = number * (peers / crashes);
        let (began, machine) = (world.kernel.now(), true);
        world.fault(&Fault::Crash { node, machine });
        let mut known = 0;
        while known < peers as usize && world.kernel.now().since(began) < PATIENCE {
            run(&mut world, STEP)?;
            let now = dropped(&world, node).count();
            let after = millis(world.kernel.now().since(began));
            times.extend(std::iter::repeat_n(after, now.saturating_sub(known)));
            known = known.max(now);
            if now + 1 >= world.kernel.running().count() {
                break;
            }
        }
        run(&mut world, Duration::from_secs(5))?;
    }
    times.sort_unstable();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place.min(times.len().saturating_sub(1))).copied()
    };
    Ok(Known {
        p50: at(0.5).unwrap_or_default(),
        mean: times.iter().sum::<u64>() / times.len().max(1) as u64,
        p99: at(0.99).unwrap_or_default(),
    })
}

fn idling(peers: u32, seed: Seed) -> Result<Idle, Violation> {
    let time = Duration::from_secs(300);
    let mut world = settled(peers, seed.child("idle"))?;
    run(&mut world, SETTLED)?;
    let before = world.kernel.traffic().clone();
    run(&mut world, time)?;
    let after = world.kernel.traffic();
    let rate = |bytes: u64| bytes as f64 / time.as_secs_f64();
    let nodes = 0..peers;
    let sent = nodes
        .clone()
        .map(|node| rate(after.sent_by(node) - before.sent_by(node)));
    let received = nodes.map(|node| rate(after.received_by(node) - before.received_by(node)));
    let by_protocol = Protocol::ALL.map(|protocol| {
        let bytes = after.of(protocol) - before.of(protocol);
        (protocol.name(), rate(bytes) / f64::from(peers))
    });
    Ok(Idle {
        idle_sent_bytes_per_s: sent.clone().sum::<f64>() / f64::from(peers),
        idle_received_bytes_per_s: received.sum::<f64>() / f64::from(peers),
        idle_sent_bytes_per_s_max: sent.fold(0.0, f64::max),
        idle_by_protocol: by_protocol
            .into_iter()
            .filter(|(_, rate)| *rate > 0.0)
            .collect(),
    })
}

fn buried_alive(peers: u32, few: u32, hours: f64, seed: Seed) -> Result<u64, Violation> {
    let seed = seed.child("lossy");
    let mut world = settled(peers, seed)?;
    let lossy = Conditions {
        loss: 0.05,
        ..Conditions::lan()
    };
    world.kernel.set_conditions(lossy);
    let mut dice = seed.child("pauses").dice();
    let end = world.kernel.now() + Duration::from_secs_f64(hours * 3_600.0);
    while world.kernel.now() < end {
        let paused: Vec<u32> = (0..few)
            .map(|_| dice.below(u64::from(peers)) as u32)
            .collect();
        paused
            .iter()
            .for_each(|node| world.fault(&Fault::Pause(*node)));
        run(&mut world, Duration::from_secs(2))?;
        paused
            .iter()
            .for_each(|node| world.fault(&Fault::Resume(*node)));
        run(&mut world, Duration::from_secs(8))?;
    }
    let counters = world.kernel.counters();
    let buried = counters.get("live members buried");
    Ok(buried.copied().unwrap_or_default())
}

fn faulty(peers: u32, few: u32, seed: Seed) -> Result<(Option<u64>, u64), Violation> {
    let mut world = settled(peers, seed.child("faulty"))?;
    let began = world.kernel.now();
    let faulty: Vec<u32> = (0..few).map(|number| number * (peers / few)).collect();
    faulty.iter().for_each(|node| world.kernel.lose(*node, 0.8));
    let mut removed_at: Vec<Option<Instant>> = vec![None; faulty.len()];
    let mut healthy = 0;
    while world.kernel.now().since(began) < PATIENCE {
        run(&mut world, Duration::from_millis(500))?;
        let now = world.kernel.now();
        for (node, at) in faulty.iter().zip(&mut removed_at) {
            let others = dropped(&world, *node).filter(|other| !faulty.contains(other));
            if others.count() + faulty.len() >= peers as usize {
                at.get_or_insert(now);
            }
        }
        healthy = healthy.max(healthy_dropped(&world, &faulty));
        if removed_at.iter().all(Option::is_some) {
            break;
        }
    }
    let last: Option<Vec<Instant>> = removed_at.into_iter().collect();
    let last = last.and_then(|all| all.into_iter().max());
    Ok((last.map(|at| millis(at.since(began))), healthy))
}

/// Healthy members that are missing in the views of healthy members, added up.
fn healthy_dropped(world: &Members, faulty: &[u32]) -> u64 {
    let healthy = |node: &u32| !faulty.contains(node);
    let views: Vec<u32> = world.kernel.running().filter(healthy).collect();
    let count = views.len();
    let missing = views.into_iter().map(|node| {
        let machine = world.kernel.machine(node);
        let seen = machine.map_or(0, |machine| {
            let view = machine.view();
            let left = faulty
                .iter()
                .filter(|one| view.peer(&world.kernel.peer(**one)).is_some());
            view.len() - left.count()
        });
        count.saturating_sub(seen) as u64
    });
    missing.sum()
}

/// How many members a view lacked at the end of a split, on the mean, and when all were one again.
fn split(peers: u32, time: Duration, seed: Seed) -> Result<(f64, Option<u64>), Violation> {
    let mut world = settled(peers, seed.child("split"))?;
    let islands = (0..peers).map(|node| (node % 2) as u8).collect();
    world.kernel.split(islands);
    run(&mut world, time)?;
    let lacking = views(&world).map(|view| peers as usize - view.len());
    let missing = lacking.sum::<usize>() as f64 / f64::from(peers);
    world.kernel.unite();
    let began = world.kernel.now();
    while world.kernel.now().since(began) < PATIENCE {
        run(&mut world, Duration::from_millis(250))?;
        let fingerprints: BTreeSet<u64> = views(&world).map(|view| view.fingerprint()).collect();
        let whole = views(&world).all(|view| view.len() == peers as usize);
        if whole && fingerprints.len() == 1 {
            return Ok((missing, Some(millis(world.kernel.now().since(began)))));
        }
    }
    Ok((missing, None))
}

fn views(world: &Members) -> impl Iterator<Item = MembershipView> {
    let machines = world
        .kernel
        .running()
        .filter_map(|node| world.kernel.machine(node));
    machines.map(Overlay::view)
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

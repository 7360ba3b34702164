//! A toy machine in the world: what a node can rely on.

use std::collections::BTreeMap;

use overlay_proto::{Duration, Sink};

use super::*;
use crate::environment::over_the_wire;
use crate::faults::{FaultKinds, FaultSpace};

/// Pings its neighbours and counts the answers of each incarnation.
struct Pinger {
    others: Vec<ProcessId>,
    pongs: BTreeMap<ProcessId, u64>,
    late: Vec<Duration>,
    due: Option<Instant>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
enum Ping {
    Ping(u64),
    Pong(u64),
}

const PERIOD: Duration = Duration::from_millis(100);

impl Machine for Pinger {
    type Command = Vec<ProcessId>;
    type Message = Ping;
    type Timer = u64;
    type Event = &'static str;

    fn handle(
        &mut self,
        now: Instant,
        input: Input<Vec<ProcessId>, Ping, u64>,
        out: &mut impl Sink<Ping, u64, &'static str>,
    ) {
        match input {
            Input::Command(others) => {
                if self.others.is_empty() {
                    out.set_timer(0, PERIOD);
                    self.due = Some(now + PERIOD);
                }
                self.others = others;
            }
            Input::Received {
                from,
                message: Ping::Ping(number),
            } => {
                out.send(from, Ping::Pong(number));
            }
            Input::Received {
                from,
                message: Ping::Pong(_),
            } => {
                *self.pongs.entry(from).or_default() += 1;
            }
            Input::TimerFired(number) => {
                self.late.extend(self.due.map(|due| now.since(due)));
                for other in &self.others {
                    out.send(*other, Ping::Ping(number));
                }
                out.set_timer(number + 1, PERIOD);
                self.due = Some(now + PERIOD);
            }
            Input::LinkUp(_) => out.emit("up"),
            Input::LinkDown { .. } => out.emit("down"),
        }
    }
}

#[derive(Default)]
struct Pings {
    ended: Vec<ProcessId>,
    downs: u64,
}

impl Environment<Pinger> for Pings {
    type Alarm = ();

    fn start(&mut self, kernel: &mut Kernel<Pinger, ()>, _start: Start) -> Pinger {
        kernel.alarm(Duration::ZERO, ());
        Pinger {
            others: Vec::new(),
            pongs: BTreeMap::new(),
            late: Vec::new(),
            due: None,
        }
    }

    fn transmit(&mut self, message: Ping) -> Result<Transmitted<Ping>, String> {
        over_the_wire(&message)
    }

    fn event(&mut self, _kernel: &mut Kernel<Pinger, ()>, _node: u32, event: &'static str) {
        self.downs += u64::from(event == "down");
    }

    fn alarm(&mut self, kernel: &mut Kernel<Pinger, ()>, (): ()) {
        let running: Vec<u32> = kernel.running().collect();
        for node in &running {
            let others: Vec<ProcessId> = running
                .iter()
                .filter(|other| *other != node)
                .filter_map(|other| kernel.process(*other))
                .collect();
            kernel.command(*node, Duration::ZERO, others);
        }
    }

    fn ended(&mut self, _kernel: &mut Kernel<Pinger, ()>, process: ProcessId, _how: Ending) {
        self.ended.push(process);
    }
}

fn world(nodes: u32, seed: u64, keep: usize) -> World<Pinger, Pings> {
    let seed = Seed::new(seed);
    let mut world = World::new(nodes, Conditions::lan(), seed, keep, Pings::default());
    for node in 0..nodes {
        world.fault(&Fault::Start(node));
    }
    world
}

fn seconds(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn faulty(seed: u64) -> World<Pinger, Pings> {
    let space = FaultSpace {
        nodes: 5,
        from: seconds(1),
        heal_at: seconds(40),
        kinds: FaultKinds::ALL,
        disturbed_max: 3,
        period: Duration::from_secs(2),
        outage_min: Duration::from_millis(100),
        outage_max: Duration::from_secs(20),
        draw_conditions: true,
    };
    let plan = FaultPlan::draw(Seed::new(seed), &space);
    let mut world = world(5, seed, 0);
    world.kernel.network.conditions = plan.conditions;
    world.schedule(&plan);
    world.run_until(seconds(60)).unwrap();
    world
}

#[test]
fn quiet_nodes_answer_every_ping() {
    let mut world = world(3, 1, 0);
    world.run_until(seconds(10)).unwrap();
    for node in 0..3 {
        let pongs: Vec<u64> = world
            .kernel
            .machine(node)
            .unwrap()
            .pongs
            .values()
            .copied()
            .collect();
        assert_eq!(pongs.len(), 2);
        assert!(
            pongs.iter().all(|count| (97..=100).contains(count)),
            "{pongs:?}"
        );
    }
}

#[test]
fn a_crash_loses_memory_and_timers_and_makes_a_new_incarnation() {
    let mut world = world(2, 2, 0);
    world.run_until(seconds(5)).unwrap();
    let first = world.kernel.process(1).unwrap();
    world.fault(&Fault::Crash {
        node: 1,
        machine: false,
    });
    world.run_until(seconds(6)).unwrap();
    assert!(world.kernel.machine(1).is_none());
    assert_eq!(world.environment.ended, [first]);
    world.fault(&Fault::Start(1));
    world.run_until(seconds(7)).unwrap();
    let second = world.kernel.process(1).unwrap();
    assert_eq!(second.peer, first.peer);
    assert_ne!(second.incarnation, first.incarnation);
    let pongs = world.kernel.machine(1).unwrap().pongs.values().sum::<u64>();
    assert!(
        (5..=10).contains(&pongs),
        "only its own pings were answered: {pongs}"
    );
}

#[test]
fn a_paused_node_gets_its_backlog_and_its_late_timer() {
    let mut world = world(2, 3, 0);
    world.run_until(seconds(2)).unwrap();
    world.fault(&Fault::Pause(1));
    world.run_until(seconds(7)).unwrap();
    let process = world.kernel.process(1).unwrap();
    let before = world.kernel.machine(0).unwrap().pongs[&process];
    world.fault(&Fault::Resume(1));
    world.run_until(seconds(8)).unwrap();
    let after = world.kernel.machine(0).unwrap().pongs[&process];
    assert!(
        after - before >= 50,
        "the pings of five seconds were waiting: {before}, {after}"
    );
    let latest = world
        .kernel
        .machine(1)
        .unwrap()
        .late
        .iter()
        .max()
        .copied()
        .unwrap();
    assert!(latest >= Duration::from_millis(4_800), "{latest:?}");
}

#[test]
fn equal_seeds_have_equal_hashes_and_others_have_not() {
    let hashes: Vec<u64> = (0..20).map(|seed| faulty(seed).kernel.hash()).collect();
    let again: Vec<u64> = (0..20).map(|seed| faulty(seed).kernel.hash()).collect();
    assert_eq!(hashes, again);
    let distinct: std::collections::BTreeSet<u64> = hashes.iter().copied().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn everybody_talks_to_everybody_after_the_heal() {
    for seed in 0..100 {
        let world = faulty(seed);
        for node in 0..5 {
            let machine = world.kernel.machine(node).unwrap();
            let alive = |process: &&ProcessId| world.kernel.runs(process);
            let heard = machine.pongs.keys().filter(alive).count();
            assert_eq!(heard, 4, "seed {seed}, node {node}");
        }
    }
}

#[test]
fn an_injected_message_is_handled_outside_of_any_link() {
    let mut world = world(2, 5, 0);
    world.run_until(seconds(1)).unwrap();
    let ghost = ProcessId {
        peer: overlay_proto::PeerId([9; 32]),
        incarnation: overlay_proto::Incarnation(1),
    };
    world.kernel.inject(0, Duration::ZERO, ghost, Ping::Pong(1));
    world.run_until(seconds(2)).unwrap();
    assert_eq!(world.kernel.machine(0).unwrap().pongs[&ghost], 1);
}

#[test]
fn the_last_events_are_kept_in_words() {
    let mut world = world(2, 6, 50);
    world.run_until(seconds(1)).unwrap();
    let last: Vec<&str> = world.kernel.last_events().collect();
    assert_eq!(last.len(), 50);
    assert!(last.iter().any(|line| line.contains("Pong")));
}

#[test]
#[ignore = "a measurement: cargo test -p simulations --lib -- --ignored --nocapture speed"]
fn speed() {
    let mut world = world(50, 7, 0);
    world.run_until(seconds(100)).unwrap();
    println!("{} events", world.kernel.events());
}

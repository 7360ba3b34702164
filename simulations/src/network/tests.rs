//! Links under every kind of fault, without a world around them.

use overlay_proto::Duration;

use super::*;
use crate::seed::Seed;

const A: Endpoint = Endpoint { node: 0, start: 1 };
const B: Endpoint = Endpoint { node: 1, start: 1 };

struct Bench {
    network: Network<u32>,
    queue: crate::queue::Queue<NetworkDue>,
    now: Instant,
    seen: Vec<(Endpoint, Item<u32>)>,
}

impl Bench {
    fn new(conditions: Conditions, seed: u64) -> Self {
        let mut network = Network::new(2, conditions, Seed::new(seed).dice());
        network.start(0, 1);
        network.start(1, 1);
        Self {
            network,
            queue: crate::queue::Queue::default(),
            now: Instant::ZERO,
            seen: Vec::new(),
        }
    }

    fn collect(&mut self) {
        for (at, due) in self.network.scheduled.drain(..) {
            assert!(at >= self.now, "scheduled into the past");
            self.queue.push(at, due);
        }
        self.seen
            .extend(self.network.deliveries.drain(..).map(|d| (d.to, d.item)));
    }

    fn send(&mut self, from: Endpoint, to: Endpoint, message: u32) {
        self.network.send(self.now, from, to, message);
        self.collect();
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.collect();
        while self.queue.next_at().is_some_and(|at| at <= end) {
            let (at, due) = self.queue.pop().unwrap();
            self.now = at;
            self.network.due(at, due);
            self.collect();
        }
        self.now = end;
    }

    fn seen_by(&mut self, end: Endpoint) -> Vec<Item<u32>> {
        let (own, rest) = self.seen.drain(..).partition(|(to, _)| *to == end);
        self.seen = rest;
        own.into_iter().map(|(_, item)| item).collect()
    }
}

fn lossy() -> Conditions {
    Conditions {
        loss: 0.2,
        ..Conditions::lan()
    }
}

#[test]
fn messages_arrive_once_and_in_order_after_link_up() {
    for seed in 0..50 {
        let mut bench = Bench::new(lossy(), seed);
        for message in 0..100 {
            bench.send(A, B, message);
        }
        bench.run(300);
        let seen = bench.seen_by(B);
        assert_eq!(seen[0], Item::Up);
        let messages = seen
            .iter()
            .skip(1)
            .take_while(|item| matches!(item, Item::Message(_)));
        let messages: Vec<_> = messages.cloned().collect();
        let expected: Vec<_> = (0..messages.len() as u32).map(Item::Message).collect();
        assert_eq!(messages, expected);
        assert!(messages.len() == 100 || seen.contains(&Item::Down(LinkDown::Unreachable)));
        assert_eq!(bench.seen_by(A)[0], Item::Up);
    }
}

#[test]
fn a_short_cut_delays_and_a_long_one_resets() {
    let mut bench = Bench::new(Conditions::lan(), 1);
    bench.send(A, B, 1);
    bench.run(1);
    bench.network.cut(0, 1);
    bench.send(A, B, 2);
    bench.run(3);
    assert_eq!(bench.seen_by(B), [Item::Up, Item::Message(1)]);
    bench.network.mend(bench.now, 0, 1);
    bench.run(5);
    assert_eq!(bench.seen_by(B), [Item::Message(2)]);

    bench.network.cut(0, 1);
    bench.send(A, B, 3);
    bench.run(30);
    assert_eq!(bench.seen_by(B), [Item::Down(LinkDown::Unreachable)]);
    assert_eq!(
        bench.seen_by(A),
        [Item::Up, Item::Down(LinkDown::Unreachable)]
    );
    bench.send(A, B, 4);
    bench.run(5);
    assert_eq!(
        bench.seen_by(A),
        [Item::Down(LinkDown::Unreachable)],
        "dial times out"
    );
    bench.network.mend(bench.now, 0, 1);
    bench.send(A, B, 5);
    bench.run(5);
    assert_eq!(bench.seen_by(B), [Item::Up, Item::Message(5)]);
}

#[test]
fn a_dead_process_resets_and_a_dead_machine_does_not() {
    for machine in [false, true] {
        let mut bench = Bench::new(Conditions::lan(), 3);
        bench.send(A, B, 1);
        bench.run(1);
        bench.seen.clear();
        bench.network.crash(bench.now, 1, machine);
        bench.run(60);
        let told: &[Item<u32>] = if machine {
            &[]
        } else {
            &[Item::Down(LinkDown::Refused)]
        };
        assert_eq!(bench.seen_by(A), told);
        bench.send(A, B, 2);
        bench.run(60);
        let reason = if machine {
            LinkDown::Unreachable
        } else {
            LinkDown::Refused
        };
        assert_eq!(bench.seen_by(A), [Item::Down(reason)]);
        assert!(bench.seen_by(B).is_empty(), "the dead hear nothing");
    }
}

#[test]
fn another_incarnation_never_gets_the_message() {
    let mut bench = Bench::new(Conditions::lan(), 4);
    bench.network.crash(bench.now, 1, false);
    bench.network.start(1, 2);
    bench.send(A, B, 1);
    bench.run(10);
    assert_eq!(bench.seen, [(A, Item::Down(LinkDown::Refused))]);
}

#[test]
fn a_clean_stop_delivers_what_was_sent() {
    let mut bench = Bench::new(Conditions::lan(), 5);
    bench.send(A, B, 1);
    bench.run(1);
    bench.send(B, A, 2);
    bench.network.stop(bench.now, 1);
    bench.run(1);
    assert_eq!(
        bench.seen_by(A),
        [Item::Up, Item::Message(2), Item::Down(LinkDown::Closed)]
    );
}

#[test]
fn a_paused_process_keeps_its_links_and_delays_dials() {
    let mut bench = Bench::new(Conditions::lan(), 6);
    bench.network.pause(1, true);
    bench.send(A, B, 1);
    bench.run(1);
    bench.network.pause(1, false);
    bench.run(1);
    assert_eq!(bench.seen_by(B), [Item::Up, Item::Message(1)]);
    bench.network.pause(1, true);
    bench.send(A, B, 2);
    bench.run(100);
    assert_eq!(
        bench.seen_by(B),
        [Item::Message(2)],
        "its kernel takes the bytes"
    );
}

#[test]
fn asking_for_a_link_is_answered_once() {
    let mut bench = Bench::new(Conditions::lan(), 7);
    bench.network.open(bench.now, A, B);
    bench.run(1);
    assert_eq!(bench.seen_by(A), [Item::Up]);
    bench.network.crash(bench.now, 1, false);
    bench.run(1);
    assert_eq!(bench.seen_by(A), [Item::Down(LinkDown::Refused)]);
    bench.network.open(bench.now, A, B);
    bench.run(1);
    assert_eq!(bench.seen_by(A), [Item::DialFailed(LinkDown::Refused)]);
    assert!(
        bench.network.by_node.iter().all(Vec::is_empty),
        "nothing is kept of a link that nobody uses"
    );
}

#[test]
fn links_never_leak_under_random_faults() {
    for seed in 0..200 {
        let mut bench = Bench::new(lossy(), seed);
        let mut dice = Seed::new(seed).child("test").dice();
        let mut starts = [1, 1];
        for step in 0..200 {
            let node = dice.below(2) as u32;
            let ends = [0, 1].map(|n| Endpoint {
                node: n,
                start: starts[n as usize],
            });
            match dice.below(8) {
                0 => {
                    bench.network.crash(bench.now, node, dice.chance(0.5));
                    starts[node as usize] += 1;
                    bench.network.start(node, starts[node as usize]);
                }
                1 => bench.network.cut(node, 1 - node),
                2 => bench.network.mend_all(bench.now),
                3 => bench
                    .network
                    .close(bench.now, ends[node as usize], ends[1 - node as usize]),
                _ => bench.send(ends[node as usize], ends[1 - node as usize], step),
            }
            bench.run(dice.below(6));
        }
        bench.network.mend_all(bench.now);
        let [a, b] = [0, 1].map(|n| Endpoint {
            node: n,
            start: starts[n as usize],
        });
        bench.seen.clear();
        bench.network.conditions = Conditions::lan();
        for message in [1_000, 2_000] {
            bench.send(a, b, message);
            bench.run(60);
        }
        assert!(
            bench.seen_by(b).contains(&Item::Message(2_000)),
            "seed {seed} is stuck"
        );
        assert!(bench.network.by_node[0].len() <= 1 + 2 * (starts[0] + starts[1]) as usize);
    }
}

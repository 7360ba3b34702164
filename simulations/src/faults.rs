//! Faults, and plans of them drawn from a seed.
//!
//! Swarm testing (Groce et al. 2012): every seed draws which kinds of fault are on at all and
//! how often, so that rare combinations are not drowned by the average one.

use overlay_proto::{Duration, Instant};

use crate::conditions::Conditions;
use crate::seed::{Dice, Seed, micros};

/// Something that happens to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// A node starts, with a new incarnation and nothing remembered.
    Start(u32),
    /// A node is asked to leave.
    Leave(u32),
    /// A process dies, and with it all it remembered.
    Crash {
        /// Where.
        node: u32,
        /// Whether the machine goes with it: then no link is reset.
        machine: bool,
    },
    /// A process is stopped: it handles nothing until resumed.
    Pause(u32),
    /// A stopped process goes on, with its backlog and its late timers.
    Resume(u32),
    /// Packets from the first to the second node of each pair are dropped.
    Cut(Vec<(u32, u32)>),
    /// Takes one such cut back.
    Mend(Vec<(u32, u32)>),
    /// Ends every fault: all cuts mended, all processes resumed, nothing lost any more, all
    /// nodes started.
    Heal,
}

/// Kinds of fault that a plan may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultKinds {
    /// Processes and machines that die and come back with memory lost.
    pub crash: bool,
    /// Processes that stop for a while.
    pub pause: bool,
    /// Cuts between two groups, both ways.
    pub partition: bool,
    /// Cuts between two nodes, one way.
    pub one_way: bool,
    /// Nodes that leave cleanly and come back.
    pub leave: bool,
}

impl FaultKinds {
    /// All of them.
    pub const ALL: Self = Self {
        crash: true,
        pause: true,
        partition: true,
        one_way: true,
        leave: true,
    };
    /// None.
    pub const NONE: Self = Self {
        crash: false,
        pause: false,
        partition: false,
        one_way: false,
        leave: false,
    };

    /// Draws a subset of these.
    fn any_of(self, dice: &mut Dice) -> Self {
        let mut keep = |on: bool| on && dice.chance(0.6);
        Self {
            crash: keep(self.crash),
            pause: keep(self.pause),
            partition: keep(self.partition),
            one_way: keep(self.one_way),
            leave: keep(self.leave),
        }
    }
}

/// What a plan is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultSpace {
    /// Number of nodes.
    pub nodes: u32,
    /// Nothing breaks before this.
    pub from: Instant,
    /// Everything is healed at this time.
    pub heal_at: Instant,
    /// Kinds to draw from.
    pub kinds: FaultKinds,
    /// Most nodes that are down or paused at one time.
    pub disturbed_max: u32,
    /// Mean time between faults of one kind lies between this and eight times this.
    pub period: Duration,
    /// Shortest time that a node is down, paused or cut off.
    pub outage_min: Duration,
    /// Longest.
    pub outage_max: Duration,
    /// Whether the network is drawn; else it is a LAN.
    pub draw_conditions: bool,
}

/// The faults of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// The network and the clocks.
    pub conditions: Conditions,
    /// Which kinds were on.
    pub kinds: FaultKinds,
    /// What happens when, in order of time; ends with [`Fault::Heal`].
    pub faults: Vec<(Instant, Fault)>,
}

impl FaultPlan {
    /// Draws a plan.
    #[must_use]
    pub fn draw(seed: Seed, space: &FaultSpace) -> Self {
        let mut dice = seed.child("faults").dice();
        let kinds = space.kinds.any_of(&mut dice);
        let conditions = if space.draw_conditions {
            Conditions::any(&mut dice)
        } else {
            Conditions::lan()
        };
        let mut drawing = Drawing {
            space,
            faults: Vec::new(),
            outages: Vec::new(),
        };
        drawing.nodes(kinds, &mut dice);
        drawing.cuts(kinds, &mut dice);
        let mut faults = drawing.faults;
        faults.sort_by_key(|(at, _)| *at);
        faults.push((space.heal_at, Fault::Heal));
        Self {
            conditions,
            kinds,
            faults,
        }
    }
}

struct Drawing<'a> {
    space: &'a FaultSpace,
    faults: Vec<(Instant, Fault)>,
    /// Node, from, until.
    outages: Vec<(u32, Instant, Instant)>,
}

impl Drawing<'_> {
    /// Times of one kind of fault: a Poisson process whose rate is drawn too.
    fn times(&self, dice: &mut Dice) -> Vec<Instant> {
        let mean = self.space.period * dice.between(1, 8) as u32;
        let mut times = Vec::new();
        let mut at = self.space.from + dice.exponential(mean);
        while at < self.space.heal_at {
            times.push(at);
            at = at + dice.exponential(mean).max(Duration::from_micros(1));
        }
        times
    }

    /// Mostly short outages, at times long ones.
    fn outage(&self, dice: &mut Dice) -> Duration {
        let span = micros(self.space.outage_max.saturating_sub(self.space.outage_min));
        let share = dice.unit() * dice.unit();
        self.space.outage_min + Duration::from_micros((span as f64 * share) as u64)
    }

    fn nodes(&mut self, kinds: FaultKinds, dice: &mut Dice) {
        let mut times: Vec<(Instant, u8)> = Vec::new();
        for (kind, on) in [kinds.crash, kinds.pause, kinds.leave]
            .into_iter()
            .enumerate()
        {
            if on {
                times.extend(self.times(dice).into_iter().map(|at| (at, kind as u8)));
            }
        }
        times.sort_unstable();
        for (at, kind) in times {
            let until = (at + self.outage(dice)).min(self.space.heal_at);
            let node = dice.below(u64::from(self.space.nodes)) as u32;
            let machine = dice.chance(0.3);
            if !self.affordable(node, at, until) {
                continue;
            }
            self.outages.push((node, at, until));
            let (begin, end) = match kind {
                0 => (Fault::Crash { node, machine }, Fault::Start(node)),
                1 => (Fault::Pause(node), Fault::Resume(node)),
                _ => (Fault::Leave(node), Fault::Start(node)),
            };
            self.faults.push((at, begin));
            self.faults.push((until, end));
        }
    }

    /// Whether the fault budget allows one more node to be disturbed.
    fn affordable(&self, node: u32, from: Instant, until: Instant) -> bool {
        let mut overlapping: Vec<u32> = self
            .outages
            .iter()
            .filter(|(_, begin, end)| *begin <= until && *end >= from)
            .map(|(node, _, _)| *node)
            .collect();
        overlapping.sort_unstable();
        overlapping.dedup();
        !overlapping.contains(&node) && (overlapping.len() as u32) < self.space.disturbed_max
    }

    fn cuts(&mut self, kinds: FaultKinds, dice: &mut Dice) {
        if kinds.partition {
            for at in self.times(dice) {
                let pairs = self.two_groups(dice);
                self.cut(at, pairs, dice);
            }
        }
        if kinds.one_way && self.space.nodes > 1 {
            for at in self.times(dice) {
                let from = dice.below(u64::from(self.space.nodes)) as u32;
                let others: Vec<u32> = (0..self.space.nodes)
                    .filter(|other| *other != from)
                    .collect();
                let to = dice.pick(&others).copied().unwrap_or_default();
                self.cut(at, vec![(from, to)], dice);
            }
        }
    }

    fn two_groups(&self, dice: &mut Dice) -> Vec<(u32, u32)> {
        let mut order: Vec<u32> = (0..self.space.nodes).collect();
        dice.shuffle(&mut order);
        let (left, right) = order.split_at(dice.between(1, 1.max(order.len() as u64 / 2)) as usize);
        let mut pairs = Vec::new();
        for a in left {
            for b in right {
                pairs.extend([(*a, *b), (*b, *a)]);
            }
        }
        pairs
    }

    fn cut(&mut self, at: Instant, pairs: Vec<(u32, u32)>, dice: &mut Dice) {
        let until = (at + self.outage(dice)).min(self.space.heal_at);
        self.faults.push((at, Fault::Cut(pairs.clone())));
        self.faults.push((until, Fault::Mend(pairs)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> FaultSpace {
        FaultSpace {
            nodes: 5,
            from: Instant::from_micros(5_000_000),
            heal_at: Instant::from_micros(60_000_000),
            kinds: FaultKinds::ALL,
            disturbed_max: 2,
            period: Duration::from_secs(2),
            outage_min: Duration::from_millis(100),
            outage_max: Duration::from_secs(20),
            draw_conditions: true,
        }
    }

    #[test]
    fn keeps_its_budget_and_its_time() {
        for seed in 0..200 {
            let plan = FaultPlan::draw(Seed::new(seed), &space());
            let mut disturbed = 0_i32;
            for (at, fault) in &plan.faults {
                assert!(*at >= space().from && *at <= space().heal_at);
                match fault {
                    Fault::Crash { .. } | Fault::Pause(_) | Fault::Leave(_) => disturbed += 1,
                    Fault::Start(_) | Fault::Resume(_) => disturbed -= 1,
                    Fault::Cut(_) | Fault::Mend(_) | Fault::Heal => {}
                }
                assert!(
                    (0..=2).contains(&disturbed),
                    "seed {seed} at {at:?}: {disturbed}"
                );
            }
            assert!(matches!(plan.faults.last(), Some((_, Fault::Heal))));
        }
    }

    #[test]
    fn every_kind_is_on_in_some_seeds_and_off_in_others() {
        let plans: Vec<_> = (0..100)
            .map(|seed| FaultPlan::draw(Seed::new(seed), &space()))
            .collect();
        let classes: [fn(&Fault) -> bool; 4] = [
            |fault| matches!(fault, Fault::Crash { .. }),
            |fault| matches!(fault, Fault::Pause(_)),
            |fault| matches!(fault, Fault::Cut(_)),
            |fault| matches!(fault, Fault::Leave(_)),
        ];
        for (class, of_class) in classes.into_iter().enumerate() {
            let has = |plan: &&FaultPlan| plan.faults.iter().any(|(_, fault)| of_class(fault));
            let with = plans.iter().filter(has).count();
            assert!((20..100).contains(&with), "class {class}: {with}");
        }
    }
}

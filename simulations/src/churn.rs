//! Churn: sessions of peers that come and go, and what befalls many of them at once.
//!
//! Source: reliability research 6.1. Exponential sessions are Rhea et al.'s (USENIX 2004),
//! Weibull ones Stutzbach and Rejaie's (IMC 2006).

use overlay_proto::{Duration, Instant};
use serde::{Deserialize, Serialize};

use crate::faults::{Fault, FaultPlan};
use crate::seed::{Dice, Seed};

/// Share of the deaths that take the machine with them, so that no link is reset.
const MACHINES: f64 = 0.3;
/// Sessions before the world begins, so that the first ones are as far on as in a steady state.
const WARM_UP: f64 = 10.0;

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sessions {
    /// Memoryless.
    Exponential,
    /// Many short and some very long ones: `shape` below 1.
    Weibull,
    /// A heavy tail: `shape` is its exponent, above 1.
    Pareto,
    /// `shape` is the standard deviation of the logarithm.
    LogNormal,
}

/// Peers that come and go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// How long sessions last; without it peers stay.
    #[serde(default)]
    pub sessions: Option<Sessions>,
    /// The median session, minutes.
    #[serde(default = "median")]
    pub median_minutes: f64,
    /// The distribution's shape; see [`Sessions`].
    #[serde(default = "shape")]
    pub shape: f64,
    /// Share of the sessions that end with a goodbye; the others die.
    #[serde(default = "graceful")]
    pub graceful: f64,
    /// Seconds until a peer comes back, `[low, high]`.
    #[serde(default = "away")]
    pub away_seconds: [u64; 2],
    /// Share of the peers that die, spread over the time of faults, and stay away until the heal.
    #[serde(default)]
    pub killed: f64,
    /// Share of the peers that lose their power at one moment, in the middle of the time of
    /// faults.
    #[serde(default)]
    pub power_cut: f64,
    /// Seconds until they have it back.
    #[serde(default = "dark")]
    pub dark_seconds: u64,
    /// One peer after the other is restarted, with so many seconds between two; 0 for none.
    #[serde(default)]
    pub restart_every_seconds: u64,
    /// Share of the peers that are away at first and all come within ten seconds, in the middle
    /// of the time of faults.
    #[serde(default)]
    pub flash_crowd: f64,
}

fn median() -> f64 {
    23.0
}

fn shape() -> f64 {
    0.5
}

fn graceful() -> f64 {
    0.7
}

fn away() -> [u64; 2] {
    [10, 600]
}

fn dark() -> u64 {
    60
}

impl Churn {
    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let shares = [self.graceful, self.killed, self.power_cut, self.flash_crowd];
        let share = |share: &f64| (0.0..=1.0).contains(share);
        if !shares.iter().all(share) {
            return Some("a share of [churn] is not between 0 and 1");
        }
        if self.median_minutes <= 0.0 || self.shape <= 0.0 {
            return Some("median_minutes and shape of [churn] must be above 0");
        }
        (self.away_seconds[0] > self.away_seconds[1]).then_some("away_seconds of [churn]")
    }

    /// Puts what happens to `nodes` nodes into a plan, from `from` until its heal.
    pub fn add(&self, plan: &mut FaultPlan, seed: Seed, nodes: u32, from: Instant) {
        let heal = plan.faults.last().map_or(from, |(at, _)| *at);
        let mut drawing = Drawing {
            faults: Vec::new(),
            from,
            heal,
            dice: seed.child("churn").dice(),
        };
        for node in 0..nodes {
            self.sessions(&mut drawing, node);
        }
        self.at_once(&mut drawing, nodes);
        let mut faults = std::mem::take(&mut plan.faults);
        faults.extend(drawing.faults.into_iter().filter(|(at, _)| *at < heal));
        // The heal stays the last of those at its time.
        faults.sort_by_key(|(at, fault)| (*at, *fault == Fault::Heal));
        plan.faults = faults;
    }

    fn sessions(&self, drawing: &mut Drawing, node: u32) {
        let Some(sessions) = self.sessions else {
            return;
        };
        let median = self.median_minutes * 60.0;
        let mut past = -WARM_UP * median;
        while past < 0.0 {
            past += session(sessions, median, self.shape, &mut drawing.dice);
        }
        let mut at = drawing.from + seconds(past);
        while at < drawing.heal {
            let fault = if drawing.dice.chance(self.graceful) {
                Fault::Leave(node)
            } else {
                drawing.death(node)
            };
            let [low, high] = self.away_seconds.map(Duration::from_secs);
            let back = at + drawing.dice.duration(low, high);
            drawing.faults.push((at, fault));
            drawing.faults.push((back, Fault::Start(node)));
            at = back + seconds(session(sessions, median, self.shape, &mut drawing.dice));
        }
    }

    fn at_once(&self, drawing: &mut Drawing, nodes: u32) {
        let (from, middle) = (drawing.from, drawing.middle());
        for node in drawing.some(nodes, self.killed) {
            let at = from
                + drawing
                    .dice
                    .duration(Duration::ZERO, drawing.heal.since(from));
            let death = drawing.death(node);
            drawing.faults.push((at, death));
        }
        for node in drawing.some(nodes, self.power_cut) {
            let machine = true;
            let back = middle + Duration::from_secs(self.dark_seconds);
            drawing
                .faults
                .push((middle, Fault::Crash { node, machine }));
            drawing.faults.push((back, Fault::Start(node)));
        }
        for node in drawing.some(nodes, self.flash_crowd) {
            let back = drawing
                .dice
                .duration(Duration::ZERO, Duration::from_secs(10));
            drawing.faults.push((from, Fault::Leave(node)));
            drawing.faults.push((middle + back, Fault::Start(node)));
        }
        if self.restart_every_seconds > 0 {
            for node in 0..nodes {
                let at = from + Duration::from_secs(self.restart_every_seconds) * node;
                drawing.faults.push((at, Fault::Leave(node)));
                drawing
                    .faults
                    .push((at + Duration::from_secs(5), Fault::Start(node)));
            }
        }
    }
}

struct Drawing {
    faults: Vec<(Instant, Fault)>,
    from: Instant,
    heal: Instant,
    dice: Dice,
}

impl Drawing {
    fn middle(&self) -> Instant {
        self.from + self.heal.since(self.from) / 2
    }

    fn death(&mut self, node: u32) -> Fault {
        let machine = self.dice.chance(MACHINES);
        Fault::Crash { node, machine }
    }

    /// This share of the nodes, drawn.
    fn some(&mut self, nodes: u32, share: f64) -> Vec<u32> {
        let mut all: Vec<u32> = (0..nodes).collect();
        self.dice.shuffle(&mut all);
        all.truncate((f64::from(nodes) * share) as usize);
        all
    }
}

/// Draws how long a session lasts, seconds.
fn session(sessions: Sessions, median: f64, shape: f64, dice: &mut Dice) -> f64 {
    let u = (1.0 - dice.unit()).max(f64::MIN_POSITIVE);
    let ln2 = std::f64::consts::LN_2;
    match sessions {
        Sessions::Exponential => -libm::log(u) * median / ln2,
        Sessions::Weibull => median * libm::pow(-libm::log(u) / ln2, 1.0 / shape),
        Sessions::Pareto => median * libm::pow(2.0 * u, -1.0 / shape),
        Sessions::LogNormal => {
            let angle = 2.0 * std::f64::consts::PI * dice.unit();
            let normal = libm::sqrt(-2.0 * libm::log(u)) * libm::cos(angle);
            median * libm::exp(shape * normal)
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    // A session of more than a year outlasts every run.
    Duration::from_secs_f64(seconds.clamp(0.001, 4e7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_sessions_last_longer_than_the_median() {
        let kinds = [
            (Sessions::Exponential, 1.0),
            (Sessions::Weibull, 0.5),
            (Sessions::Pareto, 1.5),
            (Sessions::LogNormal, 1.0),
        ];
        for (kind, shape) in kinds {
            let mut dice = Seed::new(1).dice();
            let longer = (0..10_000).filter(|_| session(kind, 60.0, shape, &mut dice) > 60.0);
            let longer = longer.count();
            assert!((4_800..5_200).contains(&longer), "{kind:?}: {longer}");
        }
    }

    #[test]
    fn as_many_end_as_the_sessions_say() {
        // Little's law: in a steady state N peers end N x ln 2 / median sessions a second.
        let churn: Churn =
            toml::from_str("sessions = \"exponential\"\nmedian_minutes = 10").expect("a churn");
        let heal = Instant::from_micros(3_600_000_000);
        let mut plan = FaultPlan {
            conditions: crate::conditions::Conditions::lan(),
            kinds: crate::faults::FaultKinds::NONE,
            faults: vec![(heal, Fault::Heal)],
        };
        churn.add(&mut plan, Seed::new(1), 1_000, Instant::ZERO);
        let is_end = |fault: &Fault| matches!(fault, Fault::Leave(_) | Fault::Crash { .. });
        let ends = plan
            .faults
            .iter()
            .filter(|(_, fault)| is_end(fault))
            .count() as f64;
        // Peers are away for 305 s between two sessions of 866 s on the mean.
        let expected = 1_000.0 * 3_600.0 / (866.0 + 305.0);
        let ratio = ends / expected;
        assert!((0.9..1.2).contains(&ratio), "{ends} of {expected}");
        assert_eq!(
            plan.faults.last().map(|(_, fault)| fault),
            Some(&Fault::Heal)
        );
    }
}

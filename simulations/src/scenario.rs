//! Scenarios: what a run is drawn from, as a TOML file says it.

use overlay_proto::{Duration, Instant};
use serde::{Deserialize, Serialize};

use crate::churn::Churn;
use crate::faults::{FaultKinds, FaultPlan, FaultSpace};
use crate::load::Load;
use crate::seed::{Dice, Seed};

/// Which machines a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// The overlay machine: membership, links, founding.
    Membership,
    /// The object machine: journals called by clients.
    Register,
    /// The directory's cores: records, lookups, stores.
    Directory,
    /// The object machine and production's naming: names made by several at once.
    Names,
    /// Both machines of each peer: shared objects over the membership that there really is.
    Peers,
}

/// Kinds of fault, as they are named in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultName {
    /// [`FaultKinds::crash`].
    Crash,
    /// [`FaultKinds::pause`].
    Pause,
    /// [`FaultKinds::partition`].
    Partition,
    /// [`FaultKinds::one_way`].
    OneWay,
    /// [`FaultKinds::leave`].
    Leave,
}

/// Where the network's conditions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionsName {
    /// A quiet LAN.
    Lan,
    /// Drawn from the seed.
    Any,
}

/// How many nodes may be down, paused or leaving at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// One.
    One,
    /// Two.
    Two,
    /// Fewer than half.
    Minority,
    /// All but one.
    Most,
}

/// A scenario. Ranges are `[low, high]`, both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for people.
    pub description: String,
    /// What runs.
    pub workload: Workload,
    /// Number of nodes, drawn from this range.
    pub nodes: [u32; 2],
    /// Number of nodes in one of fifty seeds: a few large runs.
    #[serde(default)]
    pub large: Option<[u32; 2]>,
    /// Seconds before the first fault.
    pub calm_seconds: u64,
    /// Seconds of faults.
    pub fault_seconds: u64,
    /// Seconds after the heal within which everything must be well, and stay so.
    pub heal_seconds: u64,
    /// Kinds of fault to draw from.
    pub faults: Vec<FaultName>,
    /// The network.
    pub conditions: ConditionsName,
    /// The fault budget.
    pub budget: Budget,
    /// Shortest mean time between faults of one kind, milliseconds; drawn up to eight times.
    pub period_ms: u64,
    /// Length of an outage, milliseconds.
    pub outage_ms: [u64; 2],
    /// Peers that come and go, besides the faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// Calls on shared objects must be answered during the faults, not just after the heal; so
    /// nothing but the faults drawn happens to their hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub serves_always: bool,
    /// The objects of a workload of whole peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Load>,
    /// Of the faults that are drawn, only those with these numbers happen: what `sim shrink`
    /// found to be enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_faults: Option<Vec<usize>>,
    /// Everything heals at this time, milliseconds, if that is earlier than `fault_seconds`
    /// says. The faults are drawn as if it were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_at_ms: Option<u64>,
}

/// A scenario that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No such scenario.
    #[error("no scenario `{name}`{nearest}; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name, as a question, if one is near.
        nearest: String,
        /// What there is.
        known: String,
    },
    /// The text is not a scenario.
    #[error("scenario `{name}`: {problem}")]
    Malformed {
        /// Which.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// The scenarios that come with the package.
const KNOWN: &[(&str, &str)] = &[
    ("smoke", include_str!("../scenarios/smoke.toml")),
    ("membership", include_str!("../scenarios/membership.toml")),
    ("register", include_str!("../scenarios/register.toml")),
    ("sleepers", include_str!("../scenarios/sleepers.toml")),
    ("replication", include_str!("../scenarios/replication.toml")),
    ("takeovers", include_str!("../scenarios/takeovers.toml")),
    ("churn", include_str!("../scenarios/churn.toml")),
    ("kill20", include_str!("../scenarios/kill20.toml")),
    ("weibull", include_str!("../scenarios/weibull.toml")),
    ("heavy-tail", include_str!("../scenarios/heavy-tail.toml")),
    ("office-day", include_str!("../scenarios/office-day.toml")),
    ("flash-crowd", include_str!("../scenarios/flash-crowd.toml")),
    (
        "rolling-restart",
        include_str!("../scenarios/rolling-restart.toml"),
    ),
    (
        "churn-objects",
        include_str!("../scenarios/churn-objects.toml"),
    ),
    (
        "kill20-objects",
        include_str!("../scenarios/kill20-objects.toml"),
    ),
    (
        "growth-objects",
        include_str!("../scenarios/growth-objects.toml"),
    ),
    ("directory", include_str!("../scenarios/directory.toml")),
    ("names", include_str!("../scenarios/names.toml")),
    ("objects", include_str!("../scenarios/objects.toml")),
];

impl Scenario {
    /// The names of the scenarios that come with the package.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// A scenario that comes with the package.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(name, text),
            None => Err(ScenarioError::Unknown {
                name: name.to_owned(),
                nearest: nearest(name, Self::names())
                    .map(|near| format!(" (did you mean `{near}`?)"))
                    .unwrap_or_default(),
                known: Self::names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Malformed`].
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let malformed = |problem: String| ScenarioError::Malformed {
            name: name.to_owned(),
            problem,
        };
        let scenario: Self = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let ranges = [Some(scenario.nodes), scenario.large].into_iter().flatten();
        for [low, high] in ranges {
            if low < 1 || low > high || high > 10_000 {
                return Err(malformed(format!("{low} to {high} nodes")));
            }
        }
        if scenario.outage_ms[0] > scenario.outage_ms[1] || scenario.period_ms == 0 {
            return Err(malformed("outage_ms or period_ms".to_owned()));
        }
        if let Some(problem) = scenario.churn.as_ref().and_then(Churn::problem) {
            return Err(malformed(problem.to_owned()));
        }
        if let Some(problem) = scenario.objects.as_ref().and_then(Load::problem) {
            return Err(malformed(problem.to_owned()));
        }
        Ok(scenario)
    }

    /// Draws the number of nodes of a run.
    #[must_use]
    pub fn draw_nodes(&self, seed: Seed) -> u32 {
        let mut dice: Dice = seed.child("nodes").dice();
        let large = self.large.filter(|_| dice.chance(0.02));
        let [low, high] = large.unwrap_or(self.nodes);
        dice.between(u64::from(low), u64::from(high)) as u32
    }

    /// When faults begin.
    #[must_use]
    pub fn faults_from(&self) -> Instant {
        Instant::ZERO + Duration::from_secs(self.calm_seconds)
    }

    /// When everything is healed.
    #[must_use]
    pub fn heal_at(&self) -> Instant {
        let early = self.heal_at_ms.map(|at| Instant::from_micros(at * 1_000));
        early.map_or(self.faults_until(), |early| early.min(self.faults_until()))
    }

    /// Until when faults are drawn.
    fn faults_until(&self) -> Instant {
        self.faults_from() + Duration::from_secs(self.fault_seconds)
    }

    /// The faults of a run with this seed and this many nodes.
    #[must_use]
    pub fn fault_plan(&self, seed: Seed, nodes: u32) -> FaultPlan {
        let mut plan = FaultPlan::draw(seed, &self.fault_space(nodes));
        if let Some(churn) = &self.churn {
            churn.add(&mut plan, seed, nodes, self.faults_from());
        }
        if let Some(numbers) = &self.only_faults {
            plan = plan.only(numbers);
        }
        if self.heal_at() < self.faults_until() {
            plan = plan.healed_at(self.heal_at());
        }
        plan
    }

    /// What the faults of a run with this many nodes are drawn from.
    #[must_use]
    pub fn fault_space(&self, nodes: u32) -> FaultSpace {
        let on = |name| self.faults.contains(&name);
        let disturbed_max = match self.budget {
            Budget::One => 1,
            Budget::Two => 2.min(nodes.saturating_sub(1)),
            Budget::Minority => nodes.saturating_sub(1) / 2,
            Budget::Most => nodes.saturating_sub(1),
        };
        FaultSpace {
            nodes,
            from: self.faults_from(),
            heal_at: self.faults_until(),
            kinds: FaultKinds {
                crash: on(FaultName::Crash),
                pause: on(FaultName::Pause),
                partition: on(FaultName::Partition) && nodes > 1,
                one_way: on(FaultName::OneWay),
                leave: on(FaultName::Leave),
            },
            disturbed_max,
            period: Duration::from_millis(self.period_ms),
            outage_min: Duration::from_millis(self.outage_ms[0]),
            outage_max: Duration::from_millis(self.outage_ms[1]),
            draw_conditions: self.conditions == ConditionsName::Any,
        }
    }
}

/// The name that takes the fewest changed letters to get to, if that is at most a third.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    known
        .map(|known| (distance(&wanted, &known.chars().collect::<Vec<_>>()), known))
        .filter(|(distance, known)| *distance * 3 <= known.len().max(wanted.len()))
        .min()
        .map(|(_, known)| known)
}

/// Letters to insert, remove or change on the way from one word to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..to.len() {
            let changed = diagonal + usize::from(*letter != to[j]);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_understood() {
        let near = |name| nearest(name, Scenario::names());
        assert_eq!(near("regster"), Some("register"));
        assert_eq!(near("Membershp"), Some("membership"));
        assert_eq!(near("something else"), None);
    }

    #[test]
    fn every_known_scenario_parses() {
        for name in Scenario::names() {
            let scenario = Scenario::named(name);
            assert!(scenario.is_ok(), "{scenario:?}");
        }
        assert!(matches!(
            Scenario::named("absent"),
            Err(ScenarioError::Unknown { .. })
        ));
    }

    #[test]
    fn nonsense_is_refused() {
        let good = include_str!("../scenarios/smoke.toml");
        for (from, to) in [
            ("nodes = [", "nodes = [0, 0] #"),
            ("workload", "work"),
            ("= \"", "= "),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Scenario::parse("bad", &bad).is_err(), "{bad}");
        }
    }
}

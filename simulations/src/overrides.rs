//! What the command line says in place of a scenario's own values.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use crate::scenario::Scenario;

/// Values in place of the scenario's; none by default.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Number of peers, instead of the scenario's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub peers: Option<u32>,
    /// Hours of faults, instead of the scenario's.
    #[arg(long, value_name = "H", value_parser = hours)]
    pub hours: Option<f64>,
    /// Number of objects, instead of the scenario's; only for a workload of whole peers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub objects: Option<u32>,
    /// Only these of the drawn faults, by number: 3,7,9 or none. From `sim shrink`.
    #[arg(long, value_name = "NUMBERS")]
    pub faults: Option<Numbers>,
    /// Heal everything at this simulated time, milliseconds. From `sim shrink`.
    #[arg(long, value_name = "MS")]
    pub until: Option<u64>,
}

impl Overrides {
    /// The scenario with these values.
    #[must_use]
    pub fn apply(&self, mut scenario: Scenario) -> Scenario {
        if let Some(peers) = self.peers {
            scenario.nodes = [peers, peers];
            scenario.large = None;
        }
        if let Some(hours) = self.hours {
            scenario.fault_seconds = (hours * 3_600.0) as u64;
        }
        if let (Some(objects), Some(load)) = (self.objects, &mut scenario.objects) {
            load.count = objects;
        }
        if let Some(Numbers(numbers)) = &self.faults {
            scenario.only_faults = Some(numbers.clone());
        }
        if let Some(until) = self.until {
            scenario.heal_at_ms = Some(until);
        }
        scenario
    }
}

/// As they are written on a command line.
impl fmt::Display for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(peers) = self.peers {
            write!(f, " --peers {peers}")?;
        }
        if let Some(hours) = self.hours {
            write!(f, " --hours {hours}")?;
        }
        if let Some(objects) = self.objects {
            write!(f, " --objects {objects}")?;
        }
        if let Some(faults) = &self.faults {
            write!(f, " --faults {faults}")?;
        }
        if let Some(until) = self.until {
            write!(f, " --until {until}")?;
        }
        Ok(())
    }
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=10_000.0).contains(&hours) {
        Ok(hours)
    } else {
        Err("0 to 10000 hours can be simulated".to_owned())
    }
}

/// Numbers of faults: `3,7,9`, or `none`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(pub Vec<usize>);

impl FromStr for Numbers {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self::default());
        }
        let numbers = text.split(',').map(|number| number.trim().parse());
        Ok(Self(numbers.collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "none");
        }
        let numbers: Vec<String> = self.0.iter().map(usize::to_string).collect();
        write!(f, "{}", numbers.join(","))
    }
}

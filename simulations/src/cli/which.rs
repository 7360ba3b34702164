//! Which scenario a command runs, and with what in place of the scenario's own.

use clap::Args;

use super::mutants::named;
use crate::run::Plan;
use crate::scenario::Scenario;

/// A scenario and the overrides that every command takes.
#[derive(Args)]
pub struct Which {
    /// A scenario's name, or a path to a TOML file.
    scenario: String,
    /// Number of peers, instead of the scenario's.
    #[arg(long)]
    peers: Option<u32>,
    /// Hours of faults, instead of the scenario's.
    #[arg(long)]
    hours: Option<f64>,
    /// Break this rule; see `sim mutants`.
    #[arg(long)]
    mutant: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl Which {
    /// The plan of a run.
    ///
    /// # Errors
    /// What is wrong with the scenario or with an override.
    pub fn plan(&self) -> Result<Plan, String> {
        let scenario = if self.scenario.ends_with(".toml") {
            let text = std::fs::read_to_string(&self.scenario)
                .map_err(|error| format!("{}: {error}", self.scenario))?;
            Scenario::parse(&self.scenario, &text)
        } else {
            Scenario::named(&self.scenario)
        };
        let mut plan = Plan::new(&self.scenario, scenario.map_err(|error| error.to_string())?);
        if let Some(peers) = self.peers {
            if !(1..=10_000).contains(&peers) {
                return Err(format!("{peers} peers: 1 to 10000 can be simulated"));
            }
            plan.nodes = Some(peers);
            plan.arguments.push_str(&format!(" --peers {peers}"));
        }
        if let Some(hours) = self.hours {
            if !(0.0..=10_000.0).contains(&hours) {
                return Err(format!("{hours} hours cannot be simulated"));
            }
            plan.scenario.fault_seconds = (hours * 3_600.0) as u64;
            plan.arguments.push_str(&format!(" --hours {hours}"));
        }
        if let Some(name) = &self.mutant {
            plan.mutant = Some(named(name)?);
            plan.arguments.push_str(&format!(" --mutant {name}"));
        }
        Ok(plan)
    }
}

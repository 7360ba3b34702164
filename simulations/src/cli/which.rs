//! Which scenario a command runs, and with what in place of the scenario's own.

use clap::Args;

use super::mutants::named;
use crate::overrides::Overrides;
use crate::run::Plan;
use crate::scenario::Scenario;

/// A scenario and the overrides that every command takes.
#[derive(Args, Clone, Debug)]
pub struct Which {
    /// A scenario's name (see `sim list`), or a path to a TOML file.
    pub scenario: String,
    #[command(flatten)]
    overrides: Overrides,
    /// Break this rule; see `sim mutants`.
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

impl Which {
    /// The plan of a run.
    ///
    /// # Errors
    /// What is wrong with the scenario.
    pub fn plan(&self) -> Result<Plan, String> {
        let scenario = if self.scenario.ends_with(".toml") {
            let text = std::fs::read_to_string(&self.scenario)
                .map_err(|error| format!("{}: {error}", self.scenario))?;
            Scenario::parse(&self.scenario, &text)
        } else {
            Scenario::named(&self.scenario)
        };
        let plan = Plan::new(&self.scenario, scenario.map_err(|error| error.to_string())?);
        let mut plan = plan.with(self.overrides.clone());
        if let Some(name) = &self.mutant {
            plan.mutant = Some(named(name)?);
        }
        Ok(plan)
    }
}

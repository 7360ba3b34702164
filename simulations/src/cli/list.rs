//! `sim list`.

use clap::Args;

use super::output::say;
use crate::scenario::Scenario;

/// List the scenarios.
#[derive(Args)]
pub struct List {}

impl List {
    /// Prints each scenario's name and description.
    ///
    /// # Errors
    /// A scenario of the package that does not parse.
    pub fn execute(&self) -> Result<bool, String> {
        for name in Scenario::names() {
            let scenario = Scenario::named(name).map_err(|error| error.to_string())?;
            say!("{name:<12} {}", scenario.description);
        }
        Ok(true)
    }
}

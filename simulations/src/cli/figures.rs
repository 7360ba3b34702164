//! `sim figures`.

use clap::Args;
use serde::Serialize;

use super::output::say;
use crate::figures;
use crate::kernel::Violation;

/// Measure membership: how soon a death is known, what idling costs, who is wrongly dropped.
#[derive(Args)]
pub struct Figures {
    /// Members, 20 to 10,000.
    #[arg(long, default_value_t = 1_000)]
    peers: u32,
    /// Hours with 5 % loss and pauses.
    #[arg(long, default_value_t = 0.1)]
    hours: f64,
    /// Only what idling costs: of many peers, the rest takes hours.
    #[arg(long)]
    idle: bool,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Figures {
    /// Measures and prints the figures as JSON: true unless an invariant did not hold.
    ///
    /// # Errors
    /// An argument is out of its range.
    pub fn execute(&self) -> Result<bool, String> {
        if !(20..=10_000).contains(&self.peers) || !(0.0..=1_000.0).contains(&self.hours) {
            return Err("20 to 10000 peers and 0 to 1000 hours can be measured".to_owned());
        }
        if self.idle {
            print(figures::idle(self.peers, self.seed))
        } else {
            print(figures::membership(self.peers, self.hours, self.seed))
        }
    }
}

fn print(figures: Result<impl Serialize, Violation>) -> Result<bool, String> {
    match figures {
        Ok(figures) => {
            let text = serde_json::to_string_pretty(&figures).map_err(|error| error.to_string())?;
            say!("{text}");
            Ok(true)
        }
        Err(violation) => {
            eprintln!("sim: {violation}");
            Ok(false)
        }
    }
}

//! `sim`: runs scenarios of the simulated world. All of it is in [`simulations::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    simulations::cli::main()
}

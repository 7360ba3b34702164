//! The `peer` binary: hosts the standard kinds.

fn main() -> std::process::ExitCode {
    peer::main(|node| node)
}

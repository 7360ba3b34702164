//! The `peer` binary: hosts the standard kinds.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    peer::main(|node| node)
}

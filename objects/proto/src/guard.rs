//! Isolation of panics in user code: the driver's, because `core` cannot catch them.

use alloc::string::String;

/// Runs user code and turns its panic into a message.
///
/// Drivers with `std` implement it with `catch_unwind`. Whatever the code was working on is
/// thrown away after a panic.
pub trait PanicGuard: Send + Sync {
    /// Runs `step` once.
    ///
    /// # Errors
    /// The message of the panic.
    fn run(&self, step: &mut dyn FnMut()) -> Result<(), String>;
}

/// Catches nothing: a panic in a method is a panic of its caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unguarded;

impl PanicGuard for Unguarded {
    fn run(&self, step: &mut dyn FnMut()) -> Result<(), String> {
        step();
        Ok(())
    }
}

/// Runs `step` under `guard` and gives what it returned.
pub(crate) fn guarded<T>(guard: &dyn PanicGuard, step: impl FnOnce() -> T) -> Result<T, String> {
    let mut step = Some(step);
    let mut returned = None;
    guard.run(&mut || {
        if let Some(step) = step.take() {
            returned = Some(step());
        }
    })?;
    returned.ok_or_else(|| String::from("the panic guard did not run the method"))
}
